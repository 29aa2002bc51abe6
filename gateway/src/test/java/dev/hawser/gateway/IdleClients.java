package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Clients in a process of their own, which open WebSockets, connect, and then do nothing but answer
 * pings; they do not come back when they are told to.
 *
 * <p>The process reads {@code port token} lines. After an empty line it prints {@code connected},
 * and later {@code closed} with code and time for each that the server closes. It ends with its
 * input.
 */
final class IdleClients implements AutoCloseable {

  private static final int CLOSE = 0x88;

  /** Masked with zeros. */
  private static final byte[] PONG = {(byte) 0x81, (byte) 0x82, 0, 0, 0, 0, '{', '}'};

  private final Process process;
  private final BufferedReader output;

  /**
   * A client that the server closed.
   *
   * @param at milliseconds since the epoch
   */
  record Closed(int code, long at) {}

  /**
   * Starts the process and waits until all are connected.
   *
   * @param clients of each, {@link #client}
   */
  static IdleClients open(Stream<String> clients) throws IOException {
    return new IdleClients(clients);
  }

  /** A client of the node that listens for WebSockets on this port. */
  static String client(int port, String user) {
    return port + " " + Node.token(user);
  }

  private IdleClients(Stream<String> clients) throws IOException {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                "target/test-classes",
                IdleClients.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    output = process.inputReader(UTF_8);
    var input = process.outputWriter(UTF_8);
    int count = 0;
    for (Iterator<String> all = clients.iterator(); all.hasNext(); count++) {
      input.write(all.next());
      input.newLine();
    }
    input.newLine();
    input.flush();
    assertThat(output.readLine()).isEqualTo("connected " + count);
  }

  /** Waits until the server has closed so many. */
  List<Closed> awaitClosed(int count) throws IOException {
    List<Closed> closed = new ArrayList<>();
    while (closed.size() < count) {
      String[] words = output.readLine().split(" ", 3);
      closed.add(new Closed(Integer.parseInt(words[1]), Long.parseLong(words[2])));
    }
    return closed;
  }

  @Override
  public void close() throws IOException {
    process.outputWriter(UTF_8).close();
    process.onExit().join();
  }

  public static void main(String[] arguments) throws IOException {
    int connected = 0;
    var clients = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String client = clients.readLine(); client != null; client = clients.readLine()) {
      if (client.isEmpty()) {
        System.out.println("connected " + connected);
      } else {
        String[] words = client.split(" ", 2);
        Connection connection = connect(Integer.parseInt(words[0]), words[1]);
        Thread.ofVirtual().start(() -> listen(connection));
        connected++;
      }
    }
  }

  /** A client that has got its connect reply. */
  record Connection(Socket socket, DataInputStream in) {

    /** The next frame of the server, and whether it is the last. */
    Frame read() throws IOException {
      boolean last = in.readUnsignedByte() == CLOSE;
      int length = in.readUnsignedByte();
      if (length == 126) {
        length = in.readUnsignedShort();
      } else if (length == 127) {
        length = Math.toIntExact(in.readLong());
      }
      return new Frame(last, in.readNBytes(length));
    }

    void pong() throws IOException {
      socket.getOutputStream().write(PONG);
    }
  }

  /** What came in it. */
  record Frame(boolean last, byte[] payload) {}

  /** Connects, in this process. */
  static Connection connect(int port, String token) throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), port);
    var out = socket.getOutputStream();
    out.write(
        """
        GET /connection/websocket HTTP/1.1\r
        Host: 127.0.0.1:%d\r
        Connection: Upgrade\r
        Upgrade: websocket\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        \r
        """
            .formatted(port)
            .getBytes(UTF_8));
    var in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 512));
    for (int newlines = 0; newlines < 2; ) {
      int character = in.read();
      newlines = character == '\n' ? newlines + 1 : character == '\r' ? newlines : 0;
    }
    byte[] command = "{\"id\":1,\"connect\":{\"token\":\"%s\"}}".formatted(token).getBytes(UTF_8);
    var frame = new ByteArrayOutputStream();
    frame.write(0x81);
    frame.write(0x80 | 126);
    frame.write(command.length >> 8);
    frame.write(command.length);
    frame.write(new byte[4]);
    frame.write(command);
    out.write(frame.toByteArray());
    var connection = new Connection(socket, in);
    connection.read();
    return connection;
  }

  /** Whatever comes but the close frame is a ping: nothing is pushed to these users. */
  private static void listen(Connection connection) {
    try (var _ = connection.socket()) {
      Frame frame = connection.read();
      while (!frame.last()) {
        connection.pong();
        frame = connection.read();
      }
      int code = ByteBuffer.wrap(frame.payload()).getChar();
      System.out.println("closed " + code + " " + System.currentTimeMillis());
    } catch (IOException broken) {
      System.out.println("closed 0 " + System.currentTimeMillis());
    }
  }
}
