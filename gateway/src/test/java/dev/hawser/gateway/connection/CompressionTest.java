package dev.hawser.gateway.connection;

import static dev.hawser.gateway.connection.RawClient.CLOSE;
import static dev.hawser.gateway.connection.RawClient.CONTINUATION;
import static dev.hawser.gateway.connection.RawClient.FINAL;
import static dev.hawser.gateway.connection.RawClient.PING;
import static dev.hawser.gateway.connection.RawClient.TEXT;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.connection.RawClient.Frame;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ServerFrame;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** permessage-deflate (RFC 7692). */
class CompressionTest {

  private static final int COMPRESSED = 0x40;
  private static final String AGREED =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

  private static Edge edge;

  @BeforeAll
  static void open() {
    edge =
        Edge.open(
            Door.NETTY, "websocket { compression = on, echo-path = /echo, echo-max-size = 1 MiB }");
  }

  @AfterAll
  static void close() {
    edge.close();
  }

  private static RawClient client(String path) {
    var client = edge.dial();
    var headers = RawClient.handshake("Sec-WebSocket-Extensions", "permessage-deflate");
    assertThat(client.request("GET", path, headers).headers())
        .containsEntry("sec-websocket-extensions", AGREED);
    return client;
  }

  private static byte[] compress(byte[] message) {
    var deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
    deflater.setInput(message);
    byte[] out = new byte[message.length * 2 + 100];
    int size = deflater.deflate(out, 0, out.length, Deflater.SYNC_FLUSH);
    deflater.end();
    return Arrays.copyOf(out, size - 4);
  }

  private static byte[] message(Frame frame) throws Exception {
    if (!frame.compressed()) {
      return frame.body();
    }
    var inflater = new Inflater(true);
    var out = new ByteArrayOutputStream();
    byte[] part = new byte[8_192];
    inflater.setInput(
        ByteBuffer.allocate(frame.body().length + 4)
            .put(frame.body())
            .put(new byte[] {0, 0, -1, -1})
            .array());
    for (int count = inflater.inflate(part); count > 0; count = inflater.inflate(part)) {
      out.write(part, 0, count);
    }
    inflater.end();
    return out.toByteArray();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "permessage-deflate|true",
        "permessage-deflate; client_max_window_bits|true",
        "permessage-deflate; client_max_window_bits=10; server_no_context_takeover|true",
        "x-webkit-deflate-frame, permessage-deflate|true",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate|true",
        "permessage-deflate; server_max_window_bits=10|false",
        "permessage-deflate; client_max_window_bits=16|false",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover|false",
        "permessage-deflate; something|false",
        "x-webkit-deflate-frame|false",
      })
  void anOfferIsAgreedToIfItCanBeKept(String offer, boolean agreed) {
    try (var client = edge.dial()) {
      var answer =
          client.request("GET", "/echo", RawClient.handshake("Sec-WebSocket-Extensions", offer));
      assertThat(answer.status()).isEqualTo(101);
      assertThat(answer.headers().get("sec-websocket-extensions"))
          .isEqualTo(agreed ? AGREED : null);
    }
  }

  @Test
  void messagesAreCompressedEitherWayEachForItself() throws Exception {
    byte[] large = "größer als der Rest. ".repeat(20_000).getBytes(UTF_8);
    byte[] random = new byte[100_000];
    new Random(7).nextBytes(random);
    try (var client = client("/echo")) {
      for (int round = 0; round < 3; round++) {
        byte[] compressed = compress(large);
        client.send(TEXT | COMPRESSED, Arrays.copyOf(compressed, 100));
        client.send(FINAL | PING, new byte[0]);
        client.send(FINAL | CONTINUATION, Arrays.copyOfRange(compressed, 100, compressed.length));
        assertThat(client.nextFrame().opcode()).isEqualTo(RawClient.PONG);
        Frame echo = client.nextFrame();
        assertThat(echo.compressed()).isTrue();
        assertThat(echo.body().length).isLessThan(large.length / 20);
        assertThat(message(echo)).isEqualTo(large);
      }
      client.send(FINAL | RawClient.BINARY | COMPRESSED, compress(random));
      assertThat(message(client.nextFrame())).isEqualTo(random);
      client.send(FINAL | TEXT, "as it is".getBytes(UTF_8));
      assertThat(client.nextFrame().body()).isEqualTo("as it is".getBytes(UTF_8));
      client.send(FINAL | TEXT | COMPRESSED, new byte[] {0});
      assertThat(client.nextFrame().body()).isEmpty();
    }
  }

  /** What cannot be compressed gets longer, if it is compressed all the same. */
  @Test
  void theLimitIsThatOfTheMessageAndNotOfItsCompressedForm() throws Exception {
    byte[] random = new byte[1_024 * 1_024 + 1];
    new Random(8).nextBytes(random);
    byte[] largest = Arrays.copyOf(random, random.length - 1);
    assertThat(compress(largest).length).isGreaterThan(largest.length);
    try (var client = client("/echo")) {
      client.send(FINAL | RawClient.BINARY | COMPRESSED, compress(largest));
      assertThat(message(client.nextFrame())).isEqualTo(largest);
      client.send(FINAL | RawClient.BINARY | COMPRESSED, compress(random));
      expectClose(client, 1009);
    }
  }

  @Test
  void clientsOfTheProtocolMayCompress() {
    try (var client = client("/connection/websocket")) {
      client.speak(JsonCodec.INSTANCE);
      client.connect(Tokens.of(Edge.newUser()));
      client.send(
          FINAL | TEXT | COMPRESSED,
          compress("{\"rpc\":{\"method\":\"m\"},\"id\":3}".getBytes(UTF_8)));
      assertThat(client.message())
          .isEqualTo(new ServerFrame.ErrorReply(3, ErrorCode.NOT_AVAILABLE));
    }
  }

  private static void expectClose(RawClient client, int code) {
    Frame frame = client.nextFrame();
    assertThat(frame.opcode()).isEqualTo(CLOSE);
    assertThat(ByteBuffer.wrap(frame.body()).getShort()).isEqualTo((short) code);
  }

  @Test
  void aBombIsTooBigAndWrongDataIsAViolation() {
    try (var bomb = client("/echo");
        var limit = client("/echo");
        var garbage = client("/echo");
        var notText = client("/echo");
        var control = client("/echo");
        var continuation = client("/echo")) {
      bomb.send(FINAL | TEXT | COMPRESSED, compress(new byte[64 * 1_024 * 1_024]));
      expectClose(bomb, 1009);
      limit.send(FINAL | TEXT | COMPRESSED, compress(new byte[1_024 * 1_024]));
      assertThat(limit.nextFrame().opcode()).isEqualTo(TEXT);
      limit.send(FINAL | TEXT | COMPRESSED, compress(new byte[1_024 * 1_024 + 1]));
      expectClose(limit, 1009);
      garbage.send(FINAL | TEXT | COMPRESSED, new byte[] {-1, -1, -1, -1});
      expectClose(garbage, 1007);
      notText.send(FINAL | TEXT | COMPRESSED, compress(new byte[] {'a', (byte) 0xC3}));
      expectClose(notText, 1007);
      control.send(FINAL | PING | COMPRESSED, new byte[0]);
      expectClose(control, 1002);
      continuation.send(TEXT, new byte[0]);
      continuation.send(FINAL | CONTINUATION | COMPRESSED, new byte[0]);
      expectClose(continuation, 1002);
    }
  }
}
