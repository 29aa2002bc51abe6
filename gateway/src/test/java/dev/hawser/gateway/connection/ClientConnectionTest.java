package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.connection.PlayedServices.Mode;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.Result;
import dev.hawser.protocol.client.ServerFrame;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The state machine in virtual time, before services that wait and fail. */
class ClientConnectionTest {

  private static final Duration SECOND = Duration.ofSeconds(1);

  private final ManualExecutor thread = new ManualExecutor();
  private final PlayedServices played = new PlayedServices("");
  private final ConnectionLoop loop = new ConnectionLoop(thread, played.services.settings());

  private final class Client {
    private final FakeTransport transport = new FakeTransport();
    private final ClientConnection connection =
        new ClientConnection(played.services, loop, transport, JsonCodec.INSTANCE);

    void send(ClientCommand... commands) {
      connection.received(JsonCodec.INSTANCE.encode(commands));
      thread.runWaiting();
    }

    Client connected(String user) {
      send(new ClientCommand.Connect(1, Tokens.of(user)));
      assertThat(transport.messages()).hasSize(1);
      return this;
    }
  }

  private static ClientCommand rpc(int id) {
    return new ClientCommand.Rpc(id, "m", Payload.EMPTY);
  }

  private static EncodedPush push(String json) {
    return new EncodedPush(
        new ServerFrame.Push("#alice", Publication.of(new Payload(json.getBytes(UTF_8)), 0)));
  }

  @Test
  void aClientThatDoesNotIntroduceItselfGetsItsFullTimeAndOneTickMore() {
    for (int i = 0; i < 50; i++) {
      var client = new Client();
      thread.advance(Duration.ofSeconds(10));
      assertThat(client.transport.closes).isEmpty();
      thread.advance(SECOND);
      assertThat(client.transport.closes).containsExactly(3502);
      thread.advance(Duration.ofMillis(37));
    }
  }

  @Test
  void pingsComeEveryIntervalAndTheFirstAfterHalfToOne() {
    List<Integer> firsts = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      var client = new Client().connected("alice");
      int seconds = 0;
      while (client.transport.written.isEmpty()) {
        thread.advance(SECOND);
        seconds++;
      }
      firsts.add(seconds);
      assertThat(client.transport.messages()).containsExactly(new ServerFrame.Ping());
      client.send(new ClientCommand.Pong());
      thread.advance(Duration.ofSeconds(24));
      assertThat(client.transport.written).isEmpty();
      thread.advance(SECOND);
      assertThat(client.transport.messages()).containsExactly(new ServerFrame.Ping());
      client.connection.closed();
    }
    assertThat(firsts).allMatch(seconds -> seconds >= 12 && seconds <= 25);
    assertThat(Set.copyOf(firsts)).as("spread").hasSizeGreaterThan(5);
  }

  private static final class Busy {
    final ManualExecutor thread = new ManualExecutor();
    final PlayedServices played =
        new PlayedServices("auth.anonymous = on, connection.max-ping-interval = 60s");
    final ConnectionLoop loop = new ConnectionLoop(thread, played.services.settings());

    /** The interval that a client is told. */
    int interval() {
      var transport = new FakeTransport();
      var connection = new ClientConnection(played.services, loop, transport, JsonCodec.INSTANCE);
      connection.received(JsonCodec.INSTANCE.encode(new ClientCommand.Connect(1, "")));
      thread.runWaiting();
      return transport.messages().getFirst()
                  instanceof ServerFrame.Reply(int id, Result.ConnectResult result)
              && id == 1
          ? result.ping()
          : 0;
    }
  }

  @Test
  void clientsThatComeToABusyNodeAreToldLongerIntervals() {
    var node = new Busy();
    node.loop.busy(0.7);
    assertThat(Stream.generate(node::interval).limit(50)).allMatch(told -> told <= 28);
    node.loop.busy(0.95);
    assertThat(Stream.generate(node::interval).limit(50))
        .allMatch(told -> told >= 53 && told <= 60)
        .anyMatch(told -> told < 60);
    node.loop.busy(0);
    assertThat(Stream.generate(node::interval).limit(50)).allMatch(told -> told <= 28);
  }

  @Test
  void aClientIsPingedAtTheIntervalItWasToldWhateverOthersAreTold() {
    var node = new Busy();
    var transport = new FakeTransport();
    var connection =
        new ClientConnection(node.played.services, node.loop, transport, JsonCodec.INSTANCE);
    connection.received(JsonCodec.INSTANCE.encode(new ClientCommand.Connect(1, "")));
    node.thread.runWaiting();
    transport.messages();
    int told = connection.pingSeconds;
    node.loop.busy(1);
    List<Integer> gaps = new ArrayList<>();
    int gap = 0;
    for (int second = 0; second < 200; second++) {
      node.thread.advance(SECOND);
      gap++;
      if (!transport.messages().isEmpty()) {
        gaps.add(gap);
        gap = 0;
        connection.received(JsonCodec.INSTANCE.encode(new ClientCommand.Pong()));
      }
    }
    assertThat(gaps.subList(1, gaps.size())).hasSizeGreaterThan(4).containsOnly(told);
    assertThat(transport.closes).isEmpty();
  }

  @Test
  void aMissingPongEndsTheConnectionAfterThePongTimeoutAndAPongDoesNot() {
    var silent = new Client().connected("alice");
    var good = new Client().connected("bob");
    for (int second = 0; second < 60 && silent.transport.closes.isEmpty(); second++) {
      thread.advance(SECOND);
      if (!good.transport.messages().isEmpty()) {
        good.send(new ClientCommand.Pong());
      }
    }
    assertThat(silent.transport.closes).containsExactly(3012);
    assertThat(good.transport.closes).isEmpty();
    // A pong that nobody asked for is tolerated.
    good.send(new ClientCommand.Pong());
    assertThat(good.transport.closes).isEmpty();
  }

  @Test
  void oneConnectionThatFailsDoesNotStopTheClockOfTheOthers() {
    var before = new Client();
    var broken =
        new ClientConnection(played.services, loop, new BrokenTransport(), JsonCodec.INSTANCE);
    var behind = new Client();
    thread.advance(Duration.ofSeconds(12));
    assertThat(before.transport.closes).containsExactly(3502);
    assertThat(behind.transport.closes).containsExactly(3502);
    broken.closed();

    var client = new Client();
    thread.advance(Duration.ofSeconds(12));
    assertThat(client.transport.closes).containsExactly(3502);
  }

  private static final class BrokenTransport implements Transport {
    @Override
    public void write(byte[] frame) {
      throw new IllegalStateException("cannot write");
    }

    @Override
    public boolean congested() {
      return false;
    }

    @Override
    public void close(DisconnectCode code) {
      throw new IllegalStateException("cannot close");
    }
  }

  @Test
  void commandsBehindConnectWaitForItsReplyAndKeepTheirOrder() {
    played.sessions = Mode.HOLD;
    var client = new Client();
    client.send(new ClientCommand.Connect(1, Tokens.of("alice")), rpc(2), rpc(3));
    client.send(rpc(4));
    assertThat(client.transport.written).isEmpty();

    played.outbox("alice").attached(PlayedServices.TOP, false);
    played.outbox("alice").push(push("1"));
    thread.runWaiting();

    assertThat(client.transport.messages())
        .extracting(
            message ->
                switch (message) {
                  case ServerFrame.Reply(int id, Result result) -> id + " reply";
                  case ServerFrame.ErrorReply error -> error.id() + " " + error.code();
                  case ServerFrame.Push push -> "push";
                  case ServerFrame.Ping ping -> "ping";
                })
        .containsExactly("1 reply", "2 108", "3 108", "4 108", "push");
  }

  @Test
  void tooManyOrTooLargeCommandsBehindConnectEndTheConnection() {
    played.sessions = Mode.HOLD;
    var many = new Client();
    many.send(new ClientCommand.Connect(1, Tokens.of("alice")));
    for (int id = 2; id <= 257; id++) {
      many.send(rpc(id));
    }
    assertThat(many.transport.closes).isEmpty();
    many.send(rpc(258));
    assertThat(many.transport.closes).containsExactly(3501);

    var large = new Client();
    large.send(new ClientCommand.Connect(1, Tokens.of("bob")));
    var data = new Payload(("\"" + "x".repeat(60_000) + "\"").getBytes(UTF_8));
    for (int sent = 0; sent < 17; sent++) {
      assertThat(large.transport.closes).isEmpty();
      large.send(new ClientCommand.Send(0, data));
    }
    large.send(new ClientCommand.Send(0, data));
    assertThat(large.transport.closes).containsExactly(3501);
  }

  @Test
  void aSessionThatDoesNotAnswerCostsTheConnectionButTheClientComesBack() {
    played.sessions = Mode.HOLD;
    var client = new Client();
    client.send(new ClientCommand.Connect(1, Tokens.of("alice")));

    thread.advance(Duration.ofSeconds(12));

    assertThat(client.transport.closes).containsExactly(3004);
    assertThat(played.detached("alice")).isTrue();
    // The answer comes too late and must not revive anything.
    played.outbox("alice").attached(PlayedServices.TOP, false);
    thread.runWaiting();
    assertThat(client.transport.written).isEmpty();
    assertThat(played.heard).containsExactly("closed 3004");
  }

  @Test
  void afterARefusedConnectNothingIsProcessedAndTheClientMayLinger() {
    var client = new Client();
    String expired = Tokens.of("alice", Instant.now().minusSeconds(5));
    client.send(new ClientCommand.Connect(1, expired), rpc(2));
    client.send(rpc(3));
    client.send(new ClientCommand.Connect(4, Tokens.of("alice")));

    assertThat(client.transport.messages())
        .containsExactly(new ServerFrame.ErrorReply(1, ErrorCode.TOKEN_EXPIRED));
    thread.advance(Duration.ofSeconds(5));
    assertThat(client.transport.closes).isEmpty();
    thread.advance(SECOND);
    assertThat(client.transport.closes).containsExactly(3501);
    assertThat(played.attached).isEmpty();
    assertThat(played.heard).containsExactly("closed 3501");
  }

  @Test
  void aRefusedClientThatClosesByItselfLeavesNothingBehind() {
    var client = new Client();
    client.send(new ClientCommand.Connect(1, ""));
    client.connection.closed();
    client.connection.closed();
    thread.advance(Duration.ofSeconds(60));

    assertThat(client.transport.closes).isEmpty();
    assertThat(played.heard).containsExactly("closed 3000");
    assertThat(thread.timers()).isZero();
  }

  @Test
  void aClosedConnectionLeavesNoTimerBehind() {
    // Expires within the ping interval, so that a timer watches it.
    String soon = Tokens.of("alice", Instant.now().plusSeconds(2));
    var client = new Client();
    client.send(new ClientCommand.Connect(1, soon));
    for (int id = 2; id < 50; id++) {
      client.send(new ClientCommand.Refresh(id, soon));
    }
    assertThat(thread.timers()).isLessThanOrEqualTo(1);

    client.connection.closed();

    assertThat(thread.timers()).isZero();
    assertThat(client.connection.wheel).isNull();
  }

  @Test
  void aListenerThatThrowsEndsThisConnectionAndDetachesIt() {
    played.listener = Mode.THROW;
    var client = new Client();
    client.send(new ClientCommand.Connect(1, Tokens.of("alice")));

    assertThat(client.transport.closes).containsExactly(3004);
    assertThat(played.detached("alice")).isTrue();
    assertThat(played.heard)
        .containsExactly("connected alice", "disconnected alice", "closed 3004");
  }

  @Test
  void sessionsThatThrowEndThisConnectionAndEverybodyIsTold() {
    var connected = new Client().connected("alice");
    played.sessions = Mode.THROW;
    var client = new Client();
    client.send(new ClientCommand.Connect(1, Tokens.of("bob")));
    connected.connection.close(DisconnectCode.SHUTDOWN);

    assertThat(client.transport.closes).containsExactly(3004);
    assertThat(connected.transport.closes).containsExactly(3001);
    assertThat(played.heard)
        .containsExactly("connected alice", "closed 3004", "disconnected alice", "closed 3001");
  }

  @Test
  void anUpstreamThatThrowsEndsThisConnectionOnly() {
    var client = new Client().connected("alice");
    var other = new Client().connected("bob");
    played.upstream = Mode.THROW;
    client.send(new ClientCommand.Send(0, new Payload("1".getBytes(UTF_8))));
    other.send(rpc(2));

    assertThat(client.transport.closes).containsExactly(3004);
    assertThat(other.transport.messages())
        .containsExactly(new ServerFrame.ErrorReply(2, ErrorCode.NOT_AVAILABLE));
  }

  @Test
  void aClientThatAsksWithoutReadingIsSlowToo() {
    var client = new Client().connected("alice");
    client.transport.congested = true;
    client.send(rpc(2), rpc(3), rpc(4));

    assertThat(client.transport.closes).containsExactly(3008);
    assertThat(client.transport.written).isEmpty();
  }

  @Test
  void afterTheEndTheSessionIsNotHeardAnyMore() {
    var client = new Client().connected("alice");
    var outbox = played.outbox("alice");
    client.connection.closed();
    outbox.push(push("1"));
    outbox.attached(PlayedServices.TOP, false);
    outbox.disconnect(DisconnectCode.CONNECTION_LIMIT);
    thread.runWaiting();

    assertThat(client.transport.written).isEmpty();
    assertThat(client.transport.closes).isEmpty();
    assertThat(played.heard)
        .containsExactly("connected alice", "disconnected alice", "closed 3000");
  }

  @Test
  void aSessionDoesNotFailWhenTheServerHasStopped() {
    new Client().connected("alice");
    var outbox = played.outbox("alice");
    thread.shutdown();

    outbox.push(push("1"));
    outbox.attached(PlayedServices.TOP, false);
    outbox.disconnect(DisconnectCode.SHUTDOWN);
    var unused = loop.closeAll(DisconnectCode.SHUTDOWN, Integer.MAX_VALUE, Duration.ZERO);

    assertThat(loop.execute(() -> {})).isFalse();
    assertThat(loop.after(SECOND, () -> {})).isNull();
  }

  @Test
  void aServerThatStopsEndsAllConnectionsAndThoseThatStillCome() {
    var connected = new Client().connected("alice");
    var fresh = new Client();
    var unused = loop.closeAll(DisconnectCode.SHUTDOWN, Integer.MAX_VALUE, Duration.ZERO);
    thread.runWaiting();
    var late = new Client();
    thread.runWaiting();

    assertThat(List.of(connected, fresh, late))
        .allSatisfy(client -> assertThat(client.transport.closes).containsExactly(3001));
    assertThat(played.heard.stream().collect(Collectors.groupingBy(heard -> heard)))
        .containsKey("disconnected alice");
  }

  @Test
  void aPushThatJsonCannotCarryEndsTheConnectionWithTheReason() {
    var client = new Client().connected("alice");
    played.outbox("alice").push(push("no json"));
    thread.runWaiting();

    assertThat(client.transport.closes).containsExactly(3506);
  }

  @Test
  void endlessNamesAndVersionsAreCutBeforeTheyAreKept() {
    var client = new Client();
    client.send(
        new ClientCommand.Connect(
            1,
            Tokens.of("alice"),
            Payload.EMPTY,
            java.util.Map.of(),
            "n".repeat(1_000),
            "v".repeat(1_000),
            java.util.Map.of()));
    client.send(new ClientCommand.Send(0, new Payload("1".getBytes(UTF_8))));

    assertThat(played.message().clientVersion()).isEqualTo("n".repeat(64) + "/" + "v".repeat(64));
  }
}
