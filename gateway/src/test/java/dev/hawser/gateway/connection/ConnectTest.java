package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.hawser.gateway.connection.RawClient.End;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.ProtobufCodec;
import dev.hawser.protocol.client.ServerFrame;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/** How a client introduces itself, and how it is turned away. */
@Execution(ExecutionMode.CONCURRENT)
class ConnectTest {

  private static final End BAD_REQUEST = new End(3501, "bad request");

  @ParameterizedTest
  @EnumSource
  void theConnectReplyTellsIdVersionHeartbeatExpiryAndThePersonalStream(Door door) {
    String user = Edge.newUser();
    try (var client = Edge.shared(door).upgraded()) {
      var result = client.connect(Tokens.of(user));

      assertThat(result.client()).matches("[0-9a-f]{16}");
      assertThat(result.version()).isEqualTo("1.2.3");
      assertThat(result.ping()).isEqualTo(25);
      assertThat(result.pong()).isTrue();
      assertThat(result.expires()).isTrue();
      assertThat(result.ttl()).isBetween(3_590, 3_600);
      assertThat(result.subs()).containsOnlyKeys("#" + user);
      assertThat(result.session()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void severalCommandsInOneFrameAreAnsweredInTheirOrder(Door door) {
    try (var client = Edge.shared(door).upgraded(ProtobufCodec.INSTANCE)) {
      client.send(
          new ClientCommand.Connect(1, Tokens.of(Edge.newUser())),
          new ClientCommand.Rpc(2, "m", Payload.EMPTY),
          new ClientCommand.Unsubscribe(3, "x"),
          new ClientCommand.Rpc(4, "m", Payload.EMPTY));

      List<Integer> ids = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        ids.add(
            switch (client.message()) {
              case ServerFrame.Reply reply -> reply.id();
              case ServerFrame.ErrorReply error -> error.id();
              case ServerFrame.Push push -> -1;
              case ServerFrame.Ping ping -> -2;
            });
      }
      assertThat(ids).containsExactly(1, 2, 3, 4);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoSaysNothingIsStale(Door door) {
    try (var edge = Edge.open(door, "connection.connect-timeout = 1s");
        var client = edge.upgraded()) {
      assertThat(client.end()).isEqualTo(new End(3502, "stale"));
      await().until(() -> edge.played.heard.equals(List.of("closed 3502")));
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsWelcomeBeforeConnectAndConnectComesOnce(Door door) {
    var edge = Edge.shared(door);
    try (var early = edge.upgraded();
        var pong = edge.upgraded();
        var twice = edge.connected(Edge.newUser())) {
      early.send(new ClientCommand.Rpc(1, "m", Payload.EMPTY));
      pong.send(new ClientCommand.Pong());
      twice.send(new ClientCommand.Connect(2, Tokens.of("bob")));

      assertThat(early.end()).isEqualTo(BAD_REQUEST);
      assertThat(pong.end()).isEqualTo(BAD_REQUEST);
      assertThat(twice.end()).isEqualTo(BAD_REQUEST);
    }
  }

  @ParameterizedTest
  @EnumSource
  void garbageEndsTheConnectionWithOneLogLineThatDoesNotRepeatIt(Door door) {
    var logger = (Logger) LoggerFactory.getLogger(ClientConnection.class);
    var appender = new ListAppender<ILoggingEvent>();
    appender.start();
    logger.addAppender(appender);
    try (var client = Edge.shared(door).upgraded()) {
      String id = client.connect(Tokens.of(Edge.newUser())).client();
      client.sendText("{\"publish\":{\"channel\":\"#a\",\"data\":{\"iban\":\"DE00 secret\"}");

      assertThat(client.end()).isEqualTo(BAD_REQUEST);
      await().until(() -> !lines(appender, id).isEmpty());
      assertThat(lines(appender, id)).hasSize(1);
      assertThat(lines(appender, id).getFirst())
          .contains("3501", "bad request")
          .doesNotContain("secret", "iban");
    } finally {
      logger.detachAppender(appender);
    }
  }

  private static List<String> lines(ListAppender<ILoggingEvent> appender, String id) {
    return List.copyOf(appender.list).stream()
        .map(ILoggingEvent::getFormattedMessage)
        .filter(line -> line.contains(id))
        .toList();
  }

  @ParameterizedTest
  @EnumSource
  void emptyFramesAreGarbageToo(Door door) {
    var edge = Edge.shared(door);
    try (var json = edge.connected(Edge.newUser());
        var protobuf = edge.connected(Edge.newUser(), ProtobufCodec.INSTANCE)) {
      json.send(RawClient.FINAL | RawClient.TEXT, new byte[0]);
      protobuf.send(RawClient.FINAL | RawClient.BINARY, new byte[0]);

      assertThat(json.end()).isEqualTo(BAD_REQUEST);
      assertThat(protobuf.end()).isEqualTo(BAD_REQUEST);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aWrongTokenEndsTheConnectionForGood(Door door) {
    try (var client = Edge.shared(door).upgraded()) {
      client.send(new ClientCommand.Connect(1, Tokens.of("alice") + "x"));

      assertThat(client.end()).isEqualTo(new End(3500, "invalid token"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void anExpiredOrMissingTokenIsToldAndTheClientClosesByItselfOrIsClosed(Door door) {
    try (var edge = Edge.open(door, "connection.refused-linger = 1s");
        var expired = edge.upgraded();
        var missing = edge.upgraded()) {
      expired.send(
          new ClientCommand.Connect(1, Tokens.of("alice", Instant.now().minusSeconds(1))),
          new ClientCommand.Subscribe(2, "news"));
      missing.send(new ClientCommand.Connect(1, ""));

      assertThat(expired.message())
          .isEqualTo(new ServerFrame.ErrorReply(1, ErrorCode.TOKEN_EXPIRED));
      assertThat(missing.message())
          .isEqualTo(new ServerFrame.ErrorReply(1, ErrorCode.UNAUTHORIZED));
      missing.send(RawClient.FINAL | RawClient.CLOSE, new byte[] {0x03, (byte) 0xE8});
      assertThat(missing.end().code()).isEqualTo(1000);
      // No reply to the subscribe behind a refused connect.
      assertThat(expired.end()).isEqualTo(BAD_REQUEST);
      assertThat(edge.played.attached).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whereItIsAllowedNobodyInParticularComesInAndHasNoSession(Door door) {
    try (var edge = Edge.open(door, "auth.anonymous = on");
        var client = edge.upgraded()) {
      var result = client.connect("");

      assertThat(result.subs()).isEmpty();
      assertThat(result.expires()).isFalse();
      client.send(new ClientCommand.Subscribe(2, "#"));
      assertThat(client.message())
          .isEqualTo(new ServerFrame.ErrorReply(2, ErrorCode.PERMISSION_DENIED));
      client.send(new ClientCommand.Send(0, new Payload(new byte[] {'1'})));
      assertThat(edge.played.message().user()).isEmpty();
      assertThat(edge.played.attached).isEmpty();
      assertThat(edge.played.heard).containsExactly("connected ");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSessionThatTurnsAConnectionAwayEndsItWithItsReason(Door door) {
    try (var edge = Edge.open(door, "");
        var client = edge.upgraded()) {
      edge.played.sessions = PlayedServices.Mode.HOLD;
      client.send(new ClientCommand.Connect(1, Tokens.of("alice")));
      edge.played
          .outbox("alice")
          .disconnect(dev.hawser.protocol.client.DisconnectCode.CONNECTION_LIMIT);

      assertThat(client.end()).isEqualTo(new End(3504, "connection limit"));
      assertThat(edge.played.heard).containsExactly("closed 3504");
    }
  }
}
