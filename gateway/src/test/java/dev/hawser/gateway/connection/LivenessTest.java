package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.connection.RawClient.End;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.gateway.session.Receiver;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Clients that are silent, slow or gone, and a server that stops. */
@Execution(ExecutionMode.CONCURRENT)
class LivenessTest {

  private static final String QUICK = "connection { ping-interval = 2s, pong-timeout = 1s }";
  private static final int PUSH_BYTES = 16 * 1_024;

  /** What may wait for a client, and what the kernel's socket buffers of both ends can hold. */
  private static final long MOST_BYTES = 16 * 1_024 * 1_024;

  private static EncodedPush large(String user) {
    var data = new Payload(("\"" + "x".repeat(PUSH_BYTES) + "\"").getBytes(UTF_8));
    return new EncodedPush(new ServerFrame.Push("#" + user, Publication.of(data, 0)));
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }

  @ParameterizedTest
  @EnumSource
  void whoAnswersPingsStays(Door door) {
    try (var edge = Edge.open(door, QUICK);
        var client = edge.connected("alice")) {
      for (int ping = 0; ping < 3; ping++) {
        assertThat(client.message()).isEqualTo(new ServerFrame.Ping());
        client.send(new ClientCommand.Pong());
      }
      client.send(new ClientCommand.Rpc(2, "m", Payload.EMPTY));
      assertThat(client.message())
          .isEqualTo(new ServerFrame.ErrorReply(2, ErrorCode.NOT_AVAILABLE));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aPongAcknowledgesWhatWasWrittenBeforeItsPing(Door door) {
    try (var edge = Edge.open(door, QUICK);
        var client = edge.connected("alice")) {
      Receiver outbox = edge.played.outbox("alice");
      var data = new Payload("1".getBytes(UTF_8));
      var first = new ServerFrame.Push("#alice", Publication.of(data, 7));
      var second = new ServerFrame.Push("#alice", Publication.of(data, 9));
      outbox.push(new EncodedPush(first));
      assertThat(client.message()).isEqualTo(first);
      assertThat(client.message()).isEqualTo(new ServerFrame.Ping());
      outbox.push(new EncodedPush(second));
      assertThat(client.message()).isEqualTo(second);
      client.send(new ClientCommand.Pong());
      await().untilAsserted(() -> assertThat(edge.played.acknowledged).containsExactly(7L));
      for (int ping = 0; ping < 2; ping++) {
        assertThat(client.message()).isEqualTo(new ServerFrame.Ping());
        client.send(new ClientCommand.Pong());
      }
      await().untilAsserted(() -> assertThat(edge.played.acknowledged).containsExactly(7L, 9L));
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoDoesNotAnswerIsToldAndCutEvenIfItNeverCloses(Door door) {
    try (var edge = Edge.open(door, QUICK);
        var client = edge.connected("alice")) {
      assertThat(client.message()).isEqualTo(new ServerFrame.Ping());
      long pinged = System.nanoTime();
      boolean told = false;
      for (var frame = client.frame(); frame != null; frame = client.frame()) {
        // Neither pong nor close frame comes from this client.
        String text = new String(frame.body(), UTF_8);
        told = told || text.contains("no pong");
      }
      assertThat(told).isTrue();
      // Pong timeout, farewell, and what a busy machine adds.
      assertThat(since(pinged)).isLessThan(Duration.ofSeconds(1 + 3 + 4));
      assertThat(edge.played.heard)
          .containsExactly("connected alice", "disconnected alice", "closed 3012");
      assertThat(edge.played.detached("alice")).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoReadsNothingIsCutBeforeMuchWaitsAndOthersDoNotNotice(Door door) {
    try (var edge = Edge.open(door, "");
        var slow = RawClient.dial(edge.port, 4_096);
        var other = edge.connected("bob")) {
      slow.upgrade(JsonCodec.INSTANCE);
      slow.connect(Tokens.of("alice"));
      Receiver toSlow = edge.played.outbox("alice");
      Receiver toOther = edge.played.outbox("bob");
      var small = new ServerFrame.Push("#bob", Publication.of(new Payload("1".getBytes(UTF_8)), 0));
      long sent = 0;
      for (int round = 0; round < 400 && !edge.played.detached("alice"); round++) {
        for (int i = 0; i < 16; i++) {
          toSlow.push(large("alice"));
          sent += PUSH_BYTES;
        }
        toOther.push(new EncodedPush(small));
        assertThat(other.message()).isEqualTo(small);
      }
      await().until(() -> edge.played.heard.contains("closed 3008"));
      assertThat(sent).isLessThan(100L * 1_024 * 1_024);
      assertThat(edge.played.pushed.get() * PUSH_BYTES).isLessThan(MOST_BYTES);

      // Nobody has read a byte so far, so there was no farewell; the socket ends all the same.
      await().pollDelay(Duration.ofSeconds(4)).until(() -> true);
      assertThat(slow.drain()).isLessThan(MOST_BYTES);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoAsksAndAsksAndReadsNothingIsCutToo(Door door) throws Exception {
    try (var edge = Edge.open(door, "connection.max-pending-size = 64 KiB");
        var client = RawClient.dial(edge.port, 4_096)) {
      client.upgrade(JsonCodec.INSTANCE);
      client.connect(Tokens.of("alice"));
      // Each asks for some hundred replies.
      List<ClientCommand> commands = new ArrayList<>();
      for (int id = 2; id < 1_000; id++) {
        commands.add(new ClientCommand.Rpc(id, "m", Payload.EMPTY));
      }
      var asking =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < 2_000; i++) {
                        client.send(commands.toArray(ClientCommand[]::new));
                      }
                    } catch (java.io.UncheckedIOException cut) {
                      // As it should be.
                    }
                  });
      await().atMost(Duration.ofMinutes(2)).until(() -> edge.played.heard.contains("closed 3008"));
      assertThat(asking.join(Duration.ofSeconds(20))).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void pingsOfAClientThatReadsNothingDoNotFillTheMemory(Door door) throws Exception {
    try (var edge = Edge.open(door, QUICK + ", connection.max-pending-size = 64 KiB");
        var client = RawClient.dial(edge.port, 4_096)) {
      client.upgrade(JsonCodec.INSTANCE);
      client.connect(Tokens.of("alice"));
      byte[] pings = new byte[131 * 1_000];
      byte[] ping = RawClient.frame(RawClient.FINAL | RawClient.PING, new byte[125], true);
      for (int i = 0; i < 1_000; i++) {
        System.arraycopy(ping, 0, pings, i * 131, 131);
      }
      var asking =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      for (int i = 0; i < 2_000; i++) {
                        client.sendRaw(pings);
                      }
                    } catch (java.io.UncheckedIOException cut) {
                      // As it should be.
                    }
                  });
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> edge.played.heard.contains("disconnected alice"));
      // pekko-http itself answers pings, stops to read when it cannot, and cannot be told to cut
      // the socket: there it ends with the idle timeout, which is a minute.
      if (door == Door.PEKKO_HTTP) {
        client.hangUp();
      }
      assertThat(asking.join(Duration.ofSeconds(20))).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aServerThatStopsTellsEverybodyAndTakesNobodyNew(Door door) {
    try (var edge = Edge.open(door, "")) {
      List<RawClient> clients = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        clients.add(edge.connected("user-" + i));
      }
      clients.add(edge.upgraded());
      long start = System.nanoTime();
      var stopped = edge.stop().toCompletableFuture();
      for (RawClient client : clients) {
        assertThat(client.end()).isEqualTo(new End(3001, "shutdown"));
        client.close();
      }
      stopped.join();

      assertThat(since(start)).isLessThan(Duration.ofSeconds(6));
      assertThat(edge.played.heard.stream().filter("closed 3001"::equals)).hasSize(21);
      for (int i = 0; i < 20; i++) {
        assertThat(edge.played.detached("user-" + i)).isTrue();
        // The session may not know yet, and must not suffer.
        edge.played.outbox("user-" + i).push(large("user-" + i));
      }
      org.assertj.core.api.Assertions.assertThatThrownBy(edge::dial)
          .isInstanceOf(java.io.UncheckedIOException.class);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aServerStopsThoughClientsDoNotReact(Door door) {
    try (var edge = Edge.open(door, "");
        var deaf = RawClient.dial(edge.port, 4_096)) {
      deaf.upgrade(JsonCodec.INSTANCE);
      deaf.connect(Tokens.of("alice"));
      for (int i = 0; i < 40; i++) {
        edge.played.outbox("alice").push(large("alice"));
      }
      long start = System.nanoTime();
      edge.stop().toCompletableFuture().join();

      assertThat(since(start)).isLessThan(Duration.ofSeconds(8));
    }
  }
}
