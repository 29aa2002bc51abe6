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
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.connection.RawClient.End;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Frames as RFC 6455 has them, and others. */
@Execution(ExecutionMode.CONCURRENT)
class FramingTest {

  private static final int MAX = 65_536;

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  private static void answers(RawClient client, int id) {
    client.sendText("{\"rpc\":{\"method\":\"m\"},\"id\":" + id + "}");
    assertThat(client.message()).isEqualTo(new ServerFrame.ErrorReply(id, ErrorCode.NOT_AVAILABLE));
  }

  @ParameterizedTest
  @EnumSource
  void aMessageInFragmentsWithAPingBetweenIsOneMessage(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      byte[] command = bytes("{\"rpc\":{\"method\":\"größer\"},\"id\":7}");
      client.send(TEXT, Arrays.copyOf(command, 20));
      client.send(FINAL | PING, bytes("are you there"));
      client.send(CONTINUATION, Arrays.copyOfRange(command, 20, 22));
      client.send(FINAL | CONTINUATION, Arrays.copyOfRange(command, 22, command.length));

      var pong = client.nextFrame();
      assertThat(pong.opcode()).isEqualTo(PONG);
      assertThat(new String(pong.body(), UTF_8)).isEqualTo("are you there");
      assertThat(client.message())
          .isEqualTo(new ServerFrame.ErrorReply(7, ErrorCode.NOT_AVAILABLE));
    }
  }

  @ParameterizedTest
  @EnumSource
  void jsonInABinaryFrameAndPongsUnaskedAreTolerated(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      client.send(FINAL | PONG, bytes("x"));
      client.send(FINAL | BINARY, bytes("{\"rpc\":{\"method\":\"m\"},\"id\":3}"));

      assertThat(client.message())
          .isEqualTo(new ServerFrame.ErrorReply(3, ErrorCode.NOT_AVAILABLE));
    }
  }

  /** A send command whose frame has exactly this many bytes. */
  private static byte[] sendOf(int size) {
    String frame = "{\"send\":{\"data\":\"\"}}";
    return bytes("{\"send\":{\"data\":\"" + "x".repeat(size - frame.length()) + "\"}}");
  }

  private static void expectTooLarge(Door door, RawClient client) {
    switch (door) {
      case NETTY -> assertThat(client.end().code()).isEqualTo(1009);
      case PEKKO_HTTP -> assertThat(client.end()).isEqualTo(new End(3501, "bad request"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void theLargestMessageIsTakenAndOneByteMoreIsTooMuch(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.connected("alice");
        var inFragments = edge.connected("bob")) {
      client.send(FINAL | TEXT, sendOf(MAX));
      assertThat(edge.played.message().payload().bytes().length).isGreaterThan(65_000);
      client.send(FINAL | TEXT, sendOf(MAX + 1));
      expectTooLarge(door, client);

      byte[] large = sendOf(MAX + 1);
      inFragments.send(TEXT, Arrays.copyOf(large, 40_000));
      inFragments.send(FINAL | CONTINUATION, Arrays.copyOfRange(large, 40_000, large.length));
      expectTooLarge(door, inFragments);
      await().until(() -> edge.played.detached("alice") && edge.played.detached("bob"));
      assertThat(edge.played.messages).isEmpty();
    }
  }

  static Stream<Arguments> violations() {
    byte[] some = bytes("{}");
    return Stream.of(
            Arguments.of("unmasked", RawClient.frame(FINAL | TEXT, some, false)),
            Arguments.of("reserved bit 1", RawClient.frame(FINAL | 0x40 | TEXT, some, true)),
            Arguments.of("reserved bit 3", RawClient.frame(FINAL | 0x10 | TEXT, some, true)),
            Arguments.of("unknown opcode", RawClient.frame(FINAL | 0x3, some, true)),
            Arguments.of("unknown control opcode", RawClient.frame(FINAL | 0xB, some, true)),
            Arguments.of("ping in fragments", RawClient.frame(PING, some, true)),
            Arguments.of("long ping", RawClient.frame(FINAL | PING, new byte[126], true)),
            Arguments.of(
                "continuation of nothing", RawClient.frame(FINAL | CONTINUATION, some, true)),
            Arguments.of("bad UTF-8", RawClient.frame(FINAL | TEXT, new byte[] {'"', -1}, true)),
            Arguments.of(
                "a length without end",
                new byte[] {(byte) (FINAL | TEXT), (byte) 0xFF, -1, -1, -1, -1, -1, -1, -1, -1}))
        .flatMap(
            violation ->
                Stream.of(Door.values())
                    .map(door -> Arguments.of(door, violation.get()[0], violation.get()[1])));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("violations")
  void aViolationEndsThisConnectionAndNoOther(Door door, String name, byte[] violation) {
    String user = Edge.newUser();
    var edge = Edge.shared(door);
    try (var client = edge.connected(user);
        var other = edge.connected(Edge.newUser())) {
      client.sendRaw(violation);

      assertThat(client.end().code()).as(name).isIn(1002, 1006, 1007, 1009, 3501);
      await().until(() -> edge.played.detached(user));
      answers(other, 5);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCleanCloseIsAnsweredInKindAndTheUserIsGone(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.connected("alice")) {
      client.send(FINAL | CLOSE, new byte[] {0x03, (byte) 0xE8});

      var answer = client.nextFrame();
      assertThat(answer.opcode()).isEqualTo(CLOSE);
      assertThat(answer.body()).startsWith(0x03, 0xE8);
      assertThat(client.frame()).isNull();
      await()
          .untilAsserted(
              () ->
                  assertThat(edge.played.heard)
                      .containsExactly("connected alice", "disconnected alice", "closed 3000"));
      assertThat(edge.played.detached("alice")).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCloseWithoutACodeIsAnsweredToo(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      client.send(FINAL | CLOSE, new byte[0]);

      var answer = client.nextFrame();
      assertThat(answer.opcode()).isEqualTo(CLOSE);
      assertThat(client.frame()).isNull();
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingFollowsTheServersCloseFrame(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      client.sendText("garbage");
      client.send(FINAL | PING, bytes("late"));
      client.sendText("{\"rpc\":{\"method\":\"m\"},\"id\":9}");
      boolean closed = false;
      for (var frame = client.frame(); frame != null; frame = client.frame()) {
        assertThat(closed).as("a frame behind the close frame").isFalse();
        closed = frame.opcode() == CLOSE;
      }
      assertThat(closed).isTrue();
    }
  }

  @Test
  void aCloseThatMeetsTheServersOwnDoesNotCutOffWhatIsOnItsWay() throws Exception {
    try (var edge = Edge.open(Door.NETTY, "connection.max-pending-size = 64 MiB");
        var client = edge.connected("alice")) {
      var data = new Payload(bytes("\"" + "x".repeat(60_000) + "\""));
      var outbox = edge.played.outbox("alice");
      for (int i = 0; i < 400; i++) {
        outbox.push(new EncodedPush(new ServerFrame.Push("#alice", Publication.of(data, 0))));
      }
      outbox.disconnect(DisconnectCode.SHUTDOWN);
      await().until(() -> edge.played.heard.contains("closed 3001"));
      client.send(FINAL | CLOSE, new byte[] {0x03, (byte) 0xE8});
      Thread.sleep(300);

      for (int i = 0; i < 400; i++) {
        assertThat(client.nextFrame().opcode()).as("push " + i).isEqualTo(TEXT);
      }
      var last = client.nextFrame();
      assertThat(last.opcode()).isEqualTo(CLOSE);
      assertThat(ByteBuffer.wrap(last.body()).getShort()).isEqualTo((short) 3001);
      assertThat(client.frame()).isNull();
    }
  }

  @ParameterizedTest
  @EnumSource
  void anEndWithoutACloseFrameAndAResetAreNoticed(Door door) {
    try (var edge = Edge.open(door, "");
        var ended = edge.connected("alice");
        var reset = edge.connected("bob");
        var inTheMiddle = edge.connected("carol")) {
      ended.hangUp();
      reset.reset();
      inTheMiddle.send(TEXT, bytes("{\"rpc\":"));
      inTheMiddle.reset();
      await()
          .untilAsserted(
              () ->
                  assertThat(edge.played.heard)
                      .contains("disconnected alice", "disconnected bob", "disconnected carol"));
      assertThat(edge.played.heard.stream().filter(heard -> heard.startsWith("closed")))
          .containsExactly("closed 3000", "closed 3000", "closed 3000");
    }
  }
}
