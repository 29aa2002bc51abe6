package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.connection.PlayedServices.Mode;
import dev.hawser.gateway.connection.RawClient.End;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.ProtobufCodec;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.Result;
import dev.hawser.protocol.client.ServerFrame;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a connected client asks for, and what it gets. */
@Execution(ExecutionMode.CONCURRENT)
class CommandsTest {

  private static final Payload DATA = new Payload("{\"t\":\"hi\"}".getBytes(UTF_8));

  private static ServerFrame answer(RawClient client, ClientCommand command) {
    client.send(command);
    return client.message();
  }

  private static ServerFrame error(int id, ErrorCode code) {
    return new ServerFrame.ErrorReply(id, code);
  }

  @ParameterizedTest
  @EnumSource
  void channelsAndProceduresAreNotAvailableYet(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      assertThat(answer(client, new ClientCommand.Publish(2, "news", DATA, 0)))
          .isEqualTo(error(2, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.Subscribe(3, "news")))
          .isEqualTo(error(3, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.Rpc(4, "sum", DATA)))
          .isEqualTo(error(4, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.History(5, "news", 1, null, false)))
          .isEqualTo(error(5, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.Presence(6, "news")))
          .isEqualTo(error(6, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.PresenceStats(7, "news")))
          .isEqualTo(error(7, ErrorCode.NOT_AVAILABLE));
      assertThat(answer(client, new ClientCommand.SubRefresh(8, "news", "t")))
          .isEqualTo(error(8, ErrorCode.PERMISSION_DENIED));
      assertThat(answer(client, new ClientCommand.Unsubscribe(9, "news")))
          .isEqualTo(new ServerFrame.Reply(9, new Result.UnsubscribeResult()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aClientMayAcknowledgeBeforeItsPong(Door door) {
    var edge = Edge.shared(door);
    try (var client = edge.connected(Edge.newUser())) {
      var known = new Payload("{\"offset\":41}".getBytes(UTF_8));
      assertThat(answer(client, new ClientCommand.Rpc(2, "ack", known)))
          .isEqualTo(new ServerFrame.Reply(2, new Result.RpcResult(Payload.EMPTY)));
      assertThat(edge.played.acknowledged).contains(41L);
      assertThat(answer(client, new ClientCommand.Rpc(3, "ack", DATA)))
          .isEqualTo(error(3, ErrorCode.BAD_REQUEST));
    }
  }

  @ParameterizedTest
  @EnumSource
  void anotherUsersStreamIsDeniedAndTheOwnOneIsThereAlready(Door door) {
    String user = Edge.newUser();
    var edge = Edge.shared(door);
    try (var client = edge.connected(user)) {
      assertThat(answer(client, new ClientCommand.Publish(2, "#" + user + "0", DATA, 0)))
          .isEqualTo(error(2, ErrorCode.PERMISSION_DENIED));
      assertThat(answer(client, new ClientCommand.Subscribe(3, "#bob")))
          .isEqualTo(error(3, ErrorCode.PERMISSION_DENIED));
      assertThat(answer(client, new ClientCommand.Subscribe(4, "#" + user)))
          .isEqualTo(error(4, ErrorCode.ALREADY_SUBSCRIBED));
      assertThat(answer(client, new ClientCommand.Publish(5, "#" + user, Payload.EMPTY, 0)))
          .isEqualTo(error(5, ErrorCode.BAD_REQUEST));
      assertThat(answer(client, new ClientCommand.Publish(6, "c".repeat(256), DATA, 0)))
          .isEqualTo(error(6, ErrorCode.BAD_REQUEST));
      assertThat(answer(client, new ClientCommand.Publish(7, "#" + user, DATA, 1)))
          .isEqualTo(error(7, ErrorCode.NOT_AVAILABLE));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aPublishToTheOwnStreamIsAnsweredOnceTheBrokerHasIt(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.upgraded()) {
      edge.played.upstream = Mode.HOLD;
      client.send(
          new ClientCommand.Connect(
              1, Tokens.of("alice"), Payload.EMPTY, Map.of(), "shop", "4.2", Map.of()));
      String id = client.connectResult().client();
      client.send(
          new ClientCommand.Publish(2, "#alice", DATA, 0),
          new ClientCommand.Rpc(3, "m", Payload.EMPTY));

      assertThat(edge.played.message())
          .isEqualTo(new Upstream.Message("alice", id, "shop/4.2", "publish", DATA));
      // The reply to what came behind it is there; its own is not.
      assertThat(client.message()).isEqualTo(error(3, ErrorCode.NOT_AVAILABLE));
      edge.played.held.remove().complete(null);
      assertThat(client.message()).isEqualTo(new ServerFrame.Reply(2, new Result.PublishResult()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSendGoesUpstreamAndIsNeverAnsweredWhateverItsId(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.connected("alice", ProtobufCodec.INSTANCE)) {
      var binary = new Payload(new byte[] {0, 1, (byte) 0xFF, '\n'});
      client.send(new ClientCommand.Send(5, binary), new ClientCommand.Rpc(6, "m", DATA));

      var message = edge.played.message();
      assertThat(message.event()).isEqualTo("send");
      assertThat(message.payload()).isEqualTo(binary);
      assertThat(client.message()).isEqualTo(error(6, ErrorCode.NOT_AVAILABLE));
    }
  }

  @ParameterizedTest
  @EnumSource
  void anUpstreamThatCannotTakeItIsATemporaryError(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.connected("alice")) {
      edge.played.upstream = Mode.FAIL;

      assertThat(answer(client, new ClientCommand.Publish(2, "#alice", DATA, 0)))
          .isEqualTo(new ServerFrame.ErrorReply(2, 100, "internal server error", true));
    }
  }

  @ParameterizedTest
  @EnumSource
  void moreThanAllowedInFlightIsTooMany(Door door) {
    try (var edge = Edge.open(door, "connection.max-upstream-in-flight = 2");
        var client = edge.connected("alice")) {
      edge.played.upstream = Mode.HOLD;
      for (int id = 2; id <= 4; id++) {
        client.send(new ClientCommand.Publish(id, "#alice", DATA, 0));
      }
      assertThat(client.message()).isEqualTo(error(4, ErrorCode.TOO_MANY_REQUESTS));

      edge.played.held.remove().complete(null);
      assertThat(client.message()).isEqualTo(new ServerFrame.Reply(2, new Result.PublishResult()));
      client.send(new ClientCommand.Publish(5, "#alice", DATA, 0));
      // A send cannot be answered: who sends on is disconnected, and may come back.
      client.send(new ClientCommand.Send(0, DATA));
      assertThat(client.end()).isEqualTo(new End(3013, "too many requests"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void pushesComeInOrderAndInTheEncodingOfEachClient(Door door) {
    var edge = Edge.shared(door);
    for (Codec codec : new Codec[] {JsonCodec.INSTANCE, ProtobufCodec.INSTANCE}) {
      String user = Edge.newUser();
      try (var client = edge.connected(user, codec)) {
        var outbox = edge.played.outbox(user);
        for (int i = 1; i <= 500; i++) {
          outbox.push(new EncodedPush(push(user, i)));
        }
        for (int i = 1; i <= 500; i++) {
          assertThat(client.message()).isEqualTo(push(user, i));
        }
      }
    }
  }

  private static ServerFrame.Push push(String user, int offset) {
    return new ServerFrame.Push("#" + user, Publication.of(DATA, offset));
  }

  @ParameterizedTest
  @EnumSource
  void aRefreshWithAGoodTokenMovesTheExpiry(Door door) {
    try (var edge = Edge.open(door, "connection.expiry-grace = 0s");
        var client = edge.upgraded()) {
      assertThat(client.connect(Tokens.of("alice", Instant.now().plusSeconds(2))).ttl())
          .isBetween(1, 2);
      client.send(new ClientCommand.Refresh(2, Tokens.of("alice")));
      if (!(client.message()
          instanceof ServerFrame.Reply(int id, Result.RefreshResult refreshed))) {
        throw new AssertionError("expected a refresh result");
      }
      assertThat(id).isEqualTo(2);
      assertThat(refreshed.expires()).isTrue();
      assertThat(refreshed.ttl()).isBetween(3_590, 3_600);
      assertThat(refreshed.client()).isNotEmpty();
      await().pollDelay(java.time.Duration.ofSeconds(3)).until(() -> true);
      assertThat(answer(client, new ClientCommand.Rpc(3, "m", DATA)))
          .isEqualTo(error(3, ErrorCode.NOT_AVAILABLE));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aRefreshWithAWrongTokenEndsTheConnectionAsTheProtocolSays(Door door) {
    var edge = Edge.shared(door);
    String user = Edge.newUser();
    try (var other = edge.connected(user);
        var broken = edge.connected(user);
        var expired = edge.connected(user)) {
      other.send(new ClientCommand.Refresh(2, Tokens.of("mallory")));
      broken.send(new ClientCommand.Refresh(2, "broken"));
      expired.send(new ClientCommand.Refresh(2, Tokens.of(user, Instant.now().minusSeconds(1))));

      assertThat(other.end()).isEqualTo(new End(3500, "invalid token"));
      assertThat(broken.end()).isEqualTo(new End(3500, "invalid token"));
      assertThat(expired.end()).isEqualTo(new End(3005, "connection expired"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoNeverRefreshesIsClosedAfterExpiryAndGrace(Door door) {
    try (var edge = Edge.open(door, "connection.expiry-grace = 1s");
        var client = edge.upgraded()) {
      Instant expiry = Instant.now().plusSeconds(2);
      client.connect(Tokens.of("alice", expiry));

      assertThat(client.end()).isEqualTo(new End(3005, "connection expired"));
      assertThat(Instant.now()).isBetween(expiry, expiry.plusSeconds(3));
      await().until(() -> edge.played.heard.contains("closed 3005"));
    }
  }

  private static Payload json(String text) {
    return new Payload(text.getBytes(UTF_8));
  }

  @ParameterizedTest
  @EnumSource
  void aClientSaysWhatItLooksAtAndWhetherAnybodyIsThere(Door door) {
    String user = Edge.newUser();
    var lesson = new Viewing("lesson-7", false);
    var idle = new Viewing("lesson-7", true);
    var nothing = new Viewing("", true);
    try (var edge = Edge.open(door, "")) {
      try (var client = edge.connected(user)) {
        for (var command :
            List.of(
                new ClientCommand.Rpc(2, "viewing", json("{\"resource\": \"lesson-7\"}")),
                new ClientCommand.Rpc(3, "viewing", json("{\"resource\": \"lesson-7\"}")),
                new ClientCommand.Rpc(4, "idle", json("{\"idle\": true}")),
                new ClientCommand.Rpc(5, "viewing", json("{\"resource\": \"\"}")))) {
          assertThat(answer(client, command))
              .isEqualTo(new ServerFrame.Reply(command.id(), new Result.RpcResult(Payload.EMPTY)));
        }
      }
      await().until(() -> edge.played.heard.contains("closed 3000"));
      assertThat(edge.played.heard.stream().filter(what -> what.startsWith("viewing")))
          .containsExactly(
              "viewing %s null %s".formatted(user, lesson),
              "viewing %s %s %s".formatted(user, lesson, idle),
              "viewing %s %s %s".formatted(user, idle, nothing),
              "viewing %s %s null".formatted(user, nothing));
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatAClientLooksAtMayBeInItsConnect(Door door) {
    String user = Edge.newUser();
    try (var edge = Edge.open(door, "");
        var client = edge.upgraded();
        var wrong = edge.upgraded()) {
      client.send(connect(user, "{\"viewing\": \"doc\", \"idle\": true}"));
      assertThat(client.message()).isInstanceOf(ServerFrame.Reply.class);
      assertThat(edge.played.heard)
          .containsExactly(
              "connected " + user, "viewing %s null %s".formatted(user, new Viewing("doc", true)));
      wrong.send(connect(user, "{\"viewing\": \"doc\", \"idle\": \"perhaps\"}"));
      assertThat(wrong.message()).isEqualTo(error(1, ErrorCode.BAD_REQUEST));
    }
  }

  private static ClientCommand.Connect connect(String user, String data) {
    return new ClientCommand.Connect(1, Tokens.of(user), json(data), Map.of(), "", "", Map.of());
  }

  @ParameterizedTest
  @EnumSource
  void whatCannotBeLookedAtIsAnErrorAndTooMuchOfItToo(Door door) {
    try (var client = Edge.shared(door).connected(Edge.newUser())) {
      for (String wrong :
          List.of(
              "{}",
              "7",
              "{\"resource\": {}}",
              "{\"resource\": \"\\ud800\"}",
              "{\"resource\": \"\\u0000\"}",
              "{\"resource\": \"" + "x".repeat(256) + "\"}")) {
        assertThat(answer(client, new ClientCommand.Rpc(2, "viewing", json(wrong))))
            .as(wrong)
            .isEqualTo(error(2, ErrorCode.BAD_REQUEST));
      }
      assertThat(answer(client, new ClientCommand.Rpc(3, "idle", json("{\"idle\": 1}"))))
          .isEqualTo(error(3, ErrorCode.BAD_REQUEST));
      for (int i = 0; i < 50; i++) {
        var change = new ClientCommand.Rpc(4, "viewing", json("{\"resource\": " + i + "}"));
        assertThat(answer(client, change)).isInstanceOf(ServerFrame.Reply.class);
      }
      var more = new ClientCommand.Rpc(5, "idle", json("{\"idle\": true}"));
      assertThat(answer(client, more)).isEqualTo(error(5, ErrorCode.TOO_MANY_REQUESTS));
    }
  }
}
