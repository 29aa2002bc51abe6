package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * A process of its own that opens WebSockets, connects, and then is silent: {@code port}, then one
 * token a line on standard input. Prints {@code connected} when all are, and ends with its input.
 */
final class IdleClients {

  private IdleClients() {}

  public static void main(String[] arguments) throws IOException {
    int port = Integer.parseInt(arguments[0]);
    List<Socket> sockets = new ArrayList<>();
    var tokens = new java.io.BufferedReader(new java.io.InputStreamReader(System.in, UTF_8));
    for (String token = tokens.readLine(); token != null; token = tokens.readLine()) {
      if (token.isEmpty()) {
        System.out.println("connected " + sockets.size());
      } else {
        sockets.add(connect(port, token));
      }
    }
    for (Socket socket : sockets) {
      socket.close();
    }
  }

  private static Socket connect(int port, String token) throws IOException {
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
    var in = new BufferedInputStream(socket.getInputStream(), 512);
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
    readFrame(in);
    return socket;
  }

  private static void readFrame(InputStream in) throws IOException {
    in.read();
    int length = in.read();
    if (length == 126) {
      length = in.read() << 8 | in.read();
    }
    in.readNBytes(length);
  }
}
