package dev.hawser.gateway.connection;

import static dev.hawser.gateway.connection.RawClient.BINARY;
import static dev.hawser.gateway.connection.RawClient.CLOSE;
import static dev.hawser.gateway.connection.RawClient.CONTINUATION;
import static dev.hawser.gateway.connection.RawClient.FINAL;
import static dev.hawser.gateway.connection.RawClient.PING;
import static dev.hawser.gateway.connection.RawClient.PONG;
import static dev.hawser.gateway.connection.RawClient.TEXT;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.connection.RawClient.Frame;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * RFC 6455 at the echo path of the Netty door, in the groups of the Autobahn test suite: 1 framing,
 * 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 closing, 9 large messages,
 * 10 messages cut into fragments.
 */
@Execution(ExecutionMode.CONCURRENT)
class ConformanceTest {

  private static final int LARGEST = 16 * 1_024 * 1_024;
  private static final int NORMAL_CLOSURE = 1000;
  private static final int PROTOCOL_ERROR = 1002;
  private static final int INVALID_PAYLOAD = 1007;
  private static final int TOO_BIG = 1009;

  private static Edge edge;

  @BeforeAll
  static void open() {
    edge = Edge.open(Door.NETTY, "websocket.echo-path = /echo");
  }

  @AfterAll
  static void close() {
    edge.close();
  }

  private static RawClient client() {
    var client = edge.dial();
    client.upgrade("/echo");
    return client;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  private static byte[] closing(int code, String reason) {
    byte[] text = bytes(reason);
    return ByteBuffer.allocate(2 + text.length).putShort((short) code).put(text).array();
  }

  /** Text of this many bytes, with characters of one to four of them. */
  private static byte[] text(int size) {
    var text = new StringBuilder();
    while (text.length() * 5 / 2 < size) {
      text.append("aβ€𝄞x");
    }
    byte[] bytes = bytes(text.toString());
    int end = Math.min(size, bytes.length);
    while (end > 0 && end < bytes.length && (bytes[end] & 0xC0) == 0x80) {
      end--;
    }
    byte[] exact = Arrays.copyOf(bytes, size);
    Arrays.fill(exact, end, size, (byte) '.');
    return exact;
  }

  private static byte[] binary(int size) {
    byte[] bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    return bytes;
  }

  private static void expect(RawClient client, int opcode, byte[] body) {
    Frame frame = client.nextFrame();
    assertThat(frame.opcode()).isEqualTo(opcode);
    assertThat(Arrays.equals(frame.body(), body)).isTrue();
  }

  /** A close frame with this code, a reason, and then the end, without waiting for the client. */
  private static void expectFailure(RawClient client, int code) {
    Frame frame = client.nextFrame();
    assertThat(frame.opcode()).isEqualTo(CLOSE);
    assertThat(ByteBuffer.wrap(frame.body()).getShort() & 0xFFFF).isEqualTo(code);
    assertThat(frame.body()).hasSizeGreaterThan(2);
    long start = System.nanoTime();
    assertThat(client.frame()).isNull();
    assertThat(System.nanoTime() - start).isLessThan(2_000_000_000L);
  }

  private static void expectEcho(int opcode, byte[] body) {
    try (var client = client()) {
      client.send(FINAL | opcode, body);
      expect(client, opcode, body);
    }
  }

  // 1. Framing.

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 200_000})
  void everyFormOfLengthIsRead(int size) {
    expectEcho(TEXT, text(size));
    expectEcho(BINARY, binary(size));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 125, 126, 65_536})
  void aFrameMayComeByteByByte(int size) {
    byte[] body = text(size);
    byte[] frame = RawClient.frame(FINAL | TEXT, body, true);
    try (var client = client()) {
      int single = Math.min(frame.length, 40);
      for (int i = 0; i < single; i++) {
        client.sendRaw(new byte[] {frame[i]});
      }
      client.sendRaw(Arrays.copyOfRange(frame, single, frame.length));
      expect(client, TEXT, body);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "81fe007d01020304", // 125 in 16 bits
        "81ff000000000000ffff01020304", // 65,535 in 64 bits
        "81ff800000000000000001020304", // the highest bit of 64
        "8105", // no mask
      })
  void aLengthInTheWrongFormAndAMissingMaskAreViolations(String frame) {
    try (var client = client()) {
      client.sendRaw(HexFormat.of().parseHex(frame));
      expectFailure(client, PROTOCOL_ERROR);
    }
  }

  // 2. Pings and pongs.

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 5, 125})
  void aPingIsAnsweredWithItsPayload(int size) {
    try (var client = client()) {
      client.send(FINAL | PING, binary(size));
      expect(client, PONG, binary(size));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {PING, PONG, CLOSE})
  void aControlFrameOf126BytesIsAViolation(int opcode) {
    try (var client = client()) {
      client.send(FINAL | opcode, new byte[126]);
      expectFailure(client, PROTOCOL_ERROR);
    }
  }

  @Test
  void tenPingsAreAnsweredInOrderAndPongsUnaskedAreIgnored() {
    try (var client = client()) {
      client.send(FINAL | PONG, bytes("unasked"));
      client.send(FINAL | PONG, new byte[0]);
      for (int i = 0; i < 10; i++) {
        client.send(FINAL | PING, bytes("ping " + i));
      }
      for (int i = 0; i < 10; i++) {
        expect(client, PONG, bytes("ping " + i));
      }
    }
  }

  // 3. Reserved bits, 4. opcodes.

  @ParameterizedTest
  @ValueSource(ints = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70})
  void aReservedBitIsAViolationAndWhatCameBeforeIsAnswered(int bits) {
    for (int opcode : new int[] {TEXT, BINARY, PING, PONG, CLOSE}) {
      try (var client = client()) {
        client.sendText("before");
        client.send(FINAL | bits | opcode, bytes("xy"));
        client.send(FINAL | PING, bytes("behind"));
        expect(client, TEXT, bytes("before"));
        expectFailure(client, PROTOCOL_ERROR);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
  void anOpcodeThatMeansNothingIsAViolation(int opcode) {
    for (int size : new int[] {0, 3}) {
      try (var client = client()) {
        client.sendText("before");
        client.send(FINAL | opcode, new byte[size]);
        client.send(FINAL | PING, bytes("behind"));
        expect(client, TEXT, bytes("before"));
        expectFailure(client, PROTOCOL_ERROR);
      }
    }
  }

  // 5. Fragments.

  @ParameterizedTest
  @ValueSource(ints = {TEXT, BINARY})
  void fragmentsAreOneMessageAndControlFramesBetweenThemAreAnsweredAtOnce(int opcode) {
    try (var client = client()) {
      for (String middle : new String[] {"", "fragment2"}) {
        client.send(opcode, bytes("fragment1"));
        client.send(FINAL | PING, bytes("ping 1"));
        expect(client, PONG, bytes("ping 1"));
        client.send(CONTINUATION, bytes(middle));
        client.send(FINAL | PONG, bytes("unasked"));
        client.send(FINAL | PING, bytes("ping 2"));
        expect(client, PONG, bytes("ping 2"));
        client.send(FINAL | CONTINUATION, bytes("fragment3"));
        expect(client, opcode, bytes("fragment1" + middle + "fragment3"));
      }
      client.send(opcode, new byte[0]);
      client.send(CONTINUATION, new byte[0]);
      client.send(FINAL | CONTINUATION, new byte[0]);
      expect(client, opcode, new byte[0]);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {PING, PONG, CLOSE})
  void aControlFrameInFragmentsIsAViolation(int opcode) {
    try (var client = client()) {
      client.send(opcode, bytes("xy"));
      client.send(FINAL | CONTINUATION, bytes("z"));
      expectFailure(client, PROTOCOL_ERROR);
    }
  }

  @Test
  void aContinuationOfNothingIsAViolation() {
    for (int last : new int[] {0, FINAL}) {
      try (var client = client()) {
        client.send(TEXT, bytes("whole "));
        client.send(FINAL | CONTINUATION, bytes("message"));
        client.send(last | CONTINUATION, bytes("of nothing"));
        expect(client, TEXT, bytes("whole message"));
        expectFailure(client, PROTOCOL_ERROR);
      }
    }
  }

  @Test
  void aMessageWithinAnotherIsAViolation() {
    for (int second : new int[] {TEXT, BINARY, FINAL | TEXT, FINAL | BINARY}) {
      try (var client = client()) {
        client.send(TEXT, bytes("first"));
        client.send(second, bytes("second"));
        expectFailure(client, PROTOCOL_ERROR);
      }
    }
  }

  // 6. UTF-8.

  static Stream<String> validTexts() {
    return Stream.of(
        "",
        "00",
        "cebae1bdb9cf83cebcceb5", // κόσμε
        "c280 dfbf e0a080 efbfbf f0908080 f48fbfbf", // first and last of each length
        "ed9fbf ee8080", // around the surrogates
        "efbfbd efbfbe f09fbfbe f48fbfbe"); // noncharacters are characters here
  }

  @ParameterizedTest
  @MethodSource("validTexts")
  void validTextIsEchoedHoweverItIsCut(String hex) {
    byte[] text = HexFormat.of().parseHex(hex.replace(" ", ""));
    try (var client = client()) {
      client.send(FINAL | TEXT, text);
      expect(client, TEXT, text);
      for (int cut = 0; cut <= text.length; cut++) {
        client.send(TEXT, Arrays.copyOf(text, cut));
        client.send(FINAL | PING, new byte[0]);
        client.send(FINAL | CONTINUATION, Arrays.copyOfRange(text, cut, text.length));
        expect(client, PONG, new byte[0]);
        expect(client, TEXT, text);
      }
      for (int i = 0; i < text.length; i++) {
        client.send(i == 0 ? TEXT : CONTINUATION, new byte[] {text[i]});
      }
      client.send(text.length == 0 ? FINAL | TEXT : FINAL | CONTINUATION, new byte[0]);
      expect(client, TEXT, text);
    }
  }

  static Stream<String> invalidTexts() {
    return Stream.of(
        "cebae1bdb9cf83cebcceb5 eda080 656469746564", // a surrogate in the middle
        "80",
        "bf",
        "8080",
        "c2",
        "dfc2",
        "e0a0",
        "efbf",
        "f09080",
        "f48fbf", // cut short
        "c080",
        "c1bf",
        "e08080",
        "e09fbf",
        "f0808080",
        "f08fbfbf", // longer than needed
        "eda080",
        "edadbf",
        "edb080",
        "edbfbf",
        "eda080edb080", // surrogates
        "f4908080",
        "f5808080",
        "f888808080",
        "fc8480808080",
        "fe",
        "ff", // too high
        "c220",
        "e0a020",
        "e02080",
        "f0908020",
        "f0209080"); // no continuation
  }

  @ParameterizedTest
  @MethodSource("invalidTexts")
  void invalidTextIsAViolationHoweverItIsCut(String hex) {
    byte[] text = HexFormat.of().parseHex(hex.replace(" ", ""));
    for (int cut = 0; cut <= text.length; cut++) {
      try (var client = client()) {
        client.sendRaw(RawClient.frame(TEXT, Arrays.copyOf(text, cut), true));
        client.sendRaw(
            RawClient.frame(
                FINAL | CONTINUATION, Arrays.copyOfRange(text, cut, text.length), true));
        expectFailure(client, INVALID_PAYLOAD);
      }
    }
  }

  @Test
  void invalidTextIsNoticedAtItsFirstWrongByte() {
    byte[] valid = bytes("κόσμε");
    byte[] wrong = {(byte) 0xF4, (byte) 0x90};
    try (var inFragments = client();
        var inOneFrame = client()) {
      inFragments.send(TEXT, valid);
      inFragments.send(CONTINUATION, wrong);
      expectFailure(inFragments, INVALID_PAYLOAD);

      byte[] frame = RawClient.frame(FINAL | TEXT, Arrays.copyOf(valid, valid.length + 99), true);
      inOneFrame.sendRaw(Arrays.copyOf(frame, frame.length - 99));
      byte[] key = {1, 2, 3, 4};
      inOneFrame.sendRaw(
          new byte[] {
            (byte) (0xF4 ^ key[valid.length % 4]), (byte) (0x90 ^ key[(valid.length + 1) % 4])
          });
      expectFailure(inOneFrame, INVALID_PAYLOAD);
    }
  }

  @Test
  void everyCharacterIsValidAndEverySurrogateIsNot() {
    try (var client = client()) {
      var all = new ByteArrayOutputStream();
      IntStream.rangeClosed(0, 0x10FFFF)
          .filter(point -> point < 0xD800 || point > 0xDFFF)
          .forEach(point -> all.writeBytes(bytes(Character.toString(point))));
      client.send(FINAL | TEXT, all.toByteArray());
      expect(client, TEXT, all.toByteArray());
    }
  }

  @Test
  void binaryMessagesMayHoldAnything() {
    expectEcho(BINARY, new byte[] {(byte) 0xFF, (byte) 0xC0, (byte) 0x80});
  }

  // 7. Closing.

  @ParameterizedTest
  @ValueSource(
      ints = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999})
  void aCloseIsAnsweredWithItsCodeAndNothingFollows(int code) {
    for (String reason : new String[] {"", "ok", "*".repeat(123)}) {
      try (var client = client()) {
        client.sendText("before");
        client.send(FINAL | CLOSE, closing(code, reason));
        client.sendText("behind");
        client.send(FINAL | PING, new byte[0]);
        expect(client, TEXT, bytes("before"));
        expect(client, CLOSE, closing(code, ""));
        assertThat(client.frame()).isNull();
      }
    }
  }

  @Test
  void aCloseWithoutACodeIsAnswered() {
    try (var client = client()) {
      client.send(FINAL | CLOSE, new byte[0]);
      expect(client, CLOSE, closing(1000, ""));
      assertThat(client.frame()).isNull();
    }
  }

  @Test
  void aCloseInTheMiddleOfAMessageIsAnsweredToo() {
    try (var client = client()) {
      client.send(TEXT, bytes("half"));
      client.send(FINAL | CLOSE, closing(1000, ""));
      client.send(FINAL | CONTINUATION, bytes("other half"));
      expect(client, CLOSE, closing(1000, ""));
      assertThat(client.frame()).isNull();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535})
  void aCodeThatMustNotBeSentIsAViolation(int code) {
    for (String reason : new String[] {"", "reason"}) {
      try (var client = client()) {
        client.send(FINAL | CLOSE, closing(code, reason));
        expectFailure(client, PROTOCOL_ERROR);
      }
    }
  }

  @Test
  void halfACodeAndAReasonThatIsNotUtf8AreViolations() {
    try (var half = client();
        var badReason = client();
        var cutReason = client()) {
      half.send(FINAL | CLOSE, new byte[] {0x03});
      expectFailure(half, PROTOCOL_ERROR);
      badReason.send(
          FINAL | CLOSE, new byte[] {0x03, (byte) 0xE8, (byte) 0xCE, (byte) 0xED, (byte) 0xA0});
      expectFailure(badReason, INVALID_PAYLOAD);
      cutReason.send(FINAL | CLOSE, new byte[] {0x03, (byte) 0xE8, (byte) 0xCE});
      expectFailure(cutReason, INVALID_PAYLOAD);
    }
  }

  /** Most of the echo is still with the server when it reads what ends the connection. */
  @ParameterizedTest
  @ValueSource(ints = {NORMAL_CLOSURE, PROTOCOL_ERROR})
  void whoReadsLateGetsEverythingThatWasWrittenBeforeTheCloseFrame(int code) throws Exception {
    byte[] body = binary(LARGEST);
    byte[] end = closing(code == NORMAL_CLOSURE ? code : 0, "");
    var both = new ByteArrayOutputStream();
    both.writeBytes(RawClient.frame(FINAL | BINARY, body, true));
    both.writeBytes(RawClient.frame(FINAL | CLOSE, end, true));
    try (var client = client()) {
      client.sendRaw(both.toByteArray());
      Thread.sleep(300);
      expect(client, BINARY, body);
      Frame last = client.nextFrame();
      assertThat(last.opcode()).isEqualTo(CLOSE);
      assertThat(ByteBuffer.wrap(last.body()).getShort()).isEqualTo((short) code);
      assertThat(client.frame()).isNull();
    }
  }

  // 9. Large messages.

  @Test
  void theLargestMessageIsEchoedWholeAndOneByteMoreIsTooBig() {
    expectEcho(BINARY, binary(LARGEST));
    expectEcho(TEXT, text(LARGEST));
    try (var client = client();
        var inFragments = client()) {
      client.sendRaw(HexFormat.of().parseHex("82ff000000000100000101020304"));
      expectFailure(client, TOO_BIG);
      inFragments.send(BINARY, new byte[LARGEST]);
      inFragments.sendRaw(HexFormat.of().parseHex("808101020304"));
      expectFailure(inFragments, TOO_BIG);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 256, 4_096, 65_536, 1_048_576})
  void aLargeMessageInFragmentsIsEchoedWhole(int size) {
    byte[] body = text(1_048_576);
    try (var client = client()) {
      sendInFragments(client, TEXT, body, size);
      expect(client, TEXT, body);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 1_000, 2_048})
  void aLargeMessageMayComeInSmallPieces(int size) {
    byte[] body = text(1_048_576);
    byte[] frame = RawClient.frame(FINAL | TEXT, body, true);
    try (var client = client()) {
      for (int from = 0; from < frame.length; from += size) {
        client.sendRaw(Arrays.copyOfRange(frame, from, Math.min(frame.length, from + size)));
      }
      expect(client, TEXT, body);
    }
  }

  @Test
  void whoDoesNotReadIsNotReadFromAndGetsEverythingInTheEnd() throws Exception {
    byte[] body = binary(100_000);
    try (var client = client()) {
      var sending =
          Thread.ofVirtual()
              .start(
                  () -> {
                    for (int i = 0; i < 200; i++) {
                      client.send(FINAL | BINARY, body);
                    }
                  });
      for (int i = 0; i < 200; i++) {
        expect(client, BINARY, body);
      }
      sending.join();
    }
  }

  // 10. Messages cut into fragments.

  @ParameterizedTest
  @ValueSource(ints = {1, 1_300, 65_535})
  void aMessageInFragmentsOfOneSizeIsEchoedWhole(int size) {
    byte[] body = text(65_536);
    try (var client = client()) {
      sendInFragments(client, TEXT, body, size);
      expect(client, TEXT, body);
      sendInFragments(client, BINARY, body, size);
      expect(client, BINARY, body);
    }
  }

  private static void sendInFragments(RawClient client, int opcode, byte[] body, int size) {
    var all = new ByteArrayOutputStream();
    for (int from = 0; from < body.length; from += size) {
      int to = Math.min(body.length, from + size);
      int first = (from == 0 ? opcode : CONTINUATION) | (to == body.length ? FINAL : 0);
      all.writeBytes(RawClient.frame(first, Arrays.copyOfRange(body, from, to), true));
    }
    client.sendRaw(all.toByteArray());
  }

  // And beside the suite.

  @Test
  void theEchoPathIsOffByDefault() {
    try (var client = Edge.shared(Door.NETTY).dial()) {
      assertThat(client.request("GET", "/echo", RawClient.handshake()).status()).isEqualTo(404);
    }
  }

  /** It holds no user, so there is nothing that a page could do in a user's name. */
  @Test
  void pagesOfAnyOriginMayUseTheEchoPath() {
    try (var client = edge.dial()) {
      var headers = RawClient.handshake("Origin", "https://conformance.example");
      assertThat(client.request("GET", "/echo", headers).status()).isEqualTo(101);
    }
  }

  @Test
  void framesSentTogetherWithTheHandshakeAreRead() {
    try (var client = edge.dial()) {
      client.sendBehindRequest(RawClient.frame(FINAL | TEXT, bytes("early"), true));
      client.upgrade("/echo");
      expect(client, TEXT, bytes("early"));
    }
  }
}
