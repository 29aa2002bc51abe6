package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.PushBody;
import dev.hawser.protocol.client.Result;
import dev.hawser.protocol.client.ServerFrame;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A client on a bare socket, so that it can do what no proper client does. It does nothing by
 * itself: no pongs, no close frames.
 */
final class RawClient implements AutoCloseable {

  static final int FINAL = 0x80;
  static final int CONTINUATION = 0x0;
  static final int TEXT = 0x1;
  static final int BINARY = 0x2;
  static final int CLOSE = 0x8;
  static final int PING = 0x9;
  static final int PONG = 0xA;
  private static final int TIMEOUT_MILLISECONDS = 10_000;

  /** An HTTP answer; header names in lower case. */
  record Answer(int status, Map<String, String> headers) {}

  /** A WebSocket frame as it came in. */
  record Frame(int opcode, byte[] body, boolean compressed) {}

  /** How the server ended the connection: by its close frame, or by a disconnect push before it. */
  record End(int code, String reason) {}

  /** The transport ended without a word. */
  static final End CUT = new End(1006, "");

  private final Socket socket;
  private final DataInputStream in;
  private final OutputStream out;
  private final Deque<ServerFrame> decoded = new ArrayDeque<>();
  private Codec codec = JsonCodec.INSTANCE;
  private byte[] behindRequest = {};

  static RawClient dial(int port) {
    return dial(port, 0);
  }

  /** With a receive buffer of the given size, for a client that reads slowly. */
  static RawClient dial(int port, int receiveBuffer) {
    return dial(port, receiveBuffer, plain -> plain);
  }

  /** What a socket is wrapped in once it is connected. */
  interface Wrapper {
    Socket wrap(Socket plain) throws IOException;
  }

  static RawClient dial(int port, int receiveBuffer, Wrapper wrapper) {
    try {
      return new RawClient(port, receiveBuffer, wrapper);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private RawClient(int port, int receiveBuffer, Wrapper wrapper) throws IOException {
    var plain = new Socket();
    if (receiveBuffer > 0) {
      plain.setReceiveBufferSize(receiveBuffer);
    }
    plain.setTcpNoDelay(true);
    plain.setSoTimeout(TIMEOUT_MILLISECONDS);
    plain.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    socket = wrapper.wrap(plain);
    in = new DataInputStream(new java.io.BufferedInputStream(socket.getInputStream()));
    out = socket.getOutputStream();
  }

  // HTTP.

  /** Becomes a WebSocket that speaks this encoding. */
  void upgrade(Codec wanted) {
    Answer answer =
        request(
            "GET",
            "/connection/websocket",
            handshake("Sec-WebSocket-Protocol", wanted.subprotocol()));
    if (answer.status() != 101) {
      throw new AssertionError("not upgraded: " + answer);
    }
    codec = wanted;
  }

  /** Becomes a WebSocket at another path. */
  void upgrade(String path) {
    Answer answer = request("GET", path, handshake());
    if (answer.status() != 101) {
      throw new AssertionError("not upgraded: " + answer);
    }
  }

  /** The next request is followed by these bytes, at once. */
  void sendBehindRequest(byte[] bytes) {
    behindRequest = bytes;
  }

  void speak(Codec agreed) {
    codec = agreed;
  }

  /** The headers of a proper handshake and these. */
  static Map<String, String> handshake(String... more) {
    var headers = new HashMap<String, String>();
    headers.put("Upgrade", "websocket");
    headers.put("Connection", "Upgrade");
    headers.put("Sec-WebSocket-Version", "13");
    headers.put("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (int i = 0; i < more.length; i += 2) {
      headers.put(more[i], more[i + 1]);
    }
    return headers;
  }

  Answer request(String method, String target, Map<String, String> headers) {
    return request(
        method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + socket.getPort(), headers);
  }

  /** With a request line, and lines behind it, that need not be proper. */
  Answer request(String firstLines, Map<String, String> headers) {
    var head = new StringBuilder(firstLines).append("\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    byte[] request = head.append("\r\n").toString().getBytes(ISO_8859_1);
    sendRaw(
        ByteBuffer.allocate(request.length + behindRequest.length)
            .put(request)
            .put(behindRequest)
            .array());
    try {
      String status = line();
      var received = new HashMap<String, String>();
      for (String line = line(); !line.isEmpty(); line = line()) {
        int colon = line.indexOf(':');
        received.put(
            line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
      }
      return new Answer(Integer.parseInt(status.substring(9, 12)), received);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private String line() throws IOException {
    var line = new StringBuilder();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException("in the middle of an HTTP head: " + line);
      }
      if (next != '\r') {
        line.append((char) next);
      }
    }
    return line.toString();
  }

  // Frames.

  /** Sends one frame, masked, as clients must. */
  void send(int firstByte, byte[] body) {
    sendRaw(frame(firstByte, body, true));
  }

  void sendText(String text) {
    send(FINAL | TEXT, text.getBytes(UTF_8));
  }

  static byte[] frame(int firstByte, byte[] body, boolean masked) {
    var frame = ByteBuffer.allocate(14 + body.length);
    int mask = masked ? 0x80 : 0;
    frame.put((byte) firstByte);
    if (body.length < 126) {
      frame.put((byte) (mask | body.length));
    } else if (body.length <= 0xFFFF) {
      frame.put((byte) (mask | 126)).putShort((short) body.length);
    } else {
      frame.put((byte) (mask | 127)).putLong(body.length);
    }
    byte[] key = {1, 2, 3, 4};
    if (masked) {
      frame.put(key);
    }
    for (int i = 0; i < body.length; i++) {
      frame.put((byte) (masked ? body[i] ^ key[i % 4] : body[i]));
    }
    byte[] bytes = new byte[frame.position()];
    frame.flip().get(bytes);
    return bytes;
  }

  void sendRaw(byte[] bytes) {
    try {
      out.write(bytes);
      out.flush();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** The next frame; null once the transport has ended. */
  @Nullable Frame frame() {
    try {
      int first = in.read();
      if (first < 0) {
        return null;
      }
      int length = in.readUnsignedByte();
      long size = length == 126 ? in.readUnsignedShort() : length == 127 ? in.readLong() : length;
      byte[] body = new byte[Math.toIntExact(size)];
      in.readFully(body);
      return new Frame(first & 0xF, body, (first & 0x40) != 0);
    } catch (SocketTimeoutException nothing) {
      throw new AssertionError("nothing came for 10 s", nothing);
    } catch (EOFException | SocketException ended) {
      return null;
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** The next frame, which must come. */
  Frame nextFrame() {
    Frame frame = frame();
    if (frame == null) {
      throw new AssertionError("expected a frame, but the connection ended");
    }
    return frame;
  }

  /** Reads all there is until the transport ends. */
  long drain() {
    long bytes = 0;
    for (Frame frame = frame(); frame != null; frame = frame()) {
      bytes += frame.body().length;
    }
    return bytes;
  }

  // The client protocol.

  void send(ClientCommand... commands) {
    send(FINAL | (codec.isText() ? TEXT : BINARY), codec.encode(commands));
  }

  /** Connects with command id 1. */
  Result.ConnectResult connect(String token) {
    send(new ClientCommand.Connect(1, token));
    return connectResult();
  }

  /** The reply that must come next. */
  Result.ConnectResult connectResult() {
    if (message() instanceof ServerFrame.Reply(int id, Result.ConnectResult result) && id == 1) {
      return result;
    }
    throw new AssertionError("expected a connect result");
  }

  /** The next message, pings included. */
  ServerFrame message() {
    while (decoded.isEmpty()) {
      Frame frame = frame();
      if (frame == null || frame.opcode() == CLOSE) {
        throw new AssertionError("expected a message, but the connection ended: " + frame);
      }
      decoded.addAll(codec.decodeFrames(frame.body()));
    }
    return decoded.removeFirst();
  }

  /** How it ends; what comes before is skipped. Answers the close frame. */
  End end() {
    End end = null;
    for (Frame frame = frame(); frame != null; frame = frame()) {
      switch (frame.opcode()) {
        case TEXT, BINARY -> {
          End told = told(codec.decodeFrames(frame.body()));
          end = told == null ? end : told;
        }
        case CLOSE -> {
          End closed =
              frame.body().length < 2
                  ? new End(1005, "")
                  : new End(
                      ByteBuffer.wrap(frame.body()).getShort() & 0xFFFF,
                      new String(frame.body(), 2, frame.body().length - 2, UTF_8));
          end = end == null ? closed : end;
          answerClose(frame.body());
        }
        default -> {}
      }
    }
    return end == null ? CUT : end;
  }

  private static @Nullable End told(List<ServerFrame> messages) {
    for (ServerFrame message : messages) {
      if (message instanceof ServerFrame.Push(String channel, PushBody.Disconnect push)
          && channel.isEmpty()) {
        return new End(push.code().code(), push.code().reason());
      }
    }
    return null;
  }

  private void answerClose(byte[] body) {
    try {
      send(FINAL | CLOSE, body);
    } catch (UncheckedIOException goneAlready) {
      // It did not wait for the answer.
    }
  }

  /** Ends the connection as a crashed machine does: a reset, no close frame, no FIN. */
  void reset() {
    try {
      socket.setSoLinger(true, 0);
      socket.close();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** Ends the connection without a close frame. */
  void hangUp() {
    close();
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
