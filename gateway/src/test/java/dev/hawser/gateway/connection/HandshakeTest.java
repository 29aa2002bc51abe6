package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ProtobufCodec;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Before a connection is a WebSocket. */
@Execution(ExecutionMode.CONCURRENT)
class HandshakeTest {

  private static final String PATH = "/connection/websocket";

  static Stream<Arguments> encodings() {
    record Choice(String offered, String query, String echoed, Codec codec) {}
    return Stream.of(
            new Choice("", "", "", JsonCodec.INSTANCE),
            new Choice("centrifuge-protobuf", "", "centrifuge-protobuf", ProtobufCodec.INSTANCE),
            new Choice("centrifuge-json", "", "centrifuge-json", JsonCodec.INSTANCE),
            new Choice(
                "x, centrifuge-json, centrifuge-protobuf",
                "",
                "centrifuge-json",
                JsonCodec.INSTANCE),
            new Choice("graphql-ws", "", "", JsonCodec.INSTANCE),
            new Choice("", "?cf_protocol=protobuf", "", ProtobufCodec.INSTANCE),
            new Choice("", "?a=b&format=protobuf", "", ProtobufCodec.INSTANCE),
            new Choice("", "?cf_protocol=json&cf_protocol_version=v2", "", JsonCodec.INSTANCE),
            new Choice(
                "centrifuge-json", "?cf_protocol=protobuf", "centrifuge-json", JsonCodec.INSTANCE))
        .flatMap(
            choice ->
                Stream.of(Door.values())
                    .map(
                        door ->
                            Arguments.of(
                                door, choice.offered, choice.query, choice.echoed, choice.codec)));
  }

  @ParameterizedTest
  @MethodSource("encodings")
  void theClientChoosesTheEncodingAndOnlyAKnownSubprotocolIsEchoed(
      Door door, String offered, String query, String echoed, Codec codec) {
    try (var client = Edge.shared(door).dial()) {
      var headers =
          offered.isEmpty()
              ? RawClient.handshake()
              : RawClient.handshake("Sec-WebSocket-Protocol", offered);
      var answer = client.request("GET", PATH + query, headers);

      assertThat(answer.status()).isEqualTo(101);
      assertThat(answer.headers().getOrDefault("sec-websocket-protocol", "")).isEqualTo(echoed);
      assertThat(answer.headers())
          .containsEntry("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
          .doesNotContainKey("sec-websocket-extensions");
      client.speak(codec);
      assertThat(client.connect(Tokens.of(Edge.newUser())).ping()).isEqualTo(25);
    }
  }

  private static int status(Edge edge, String method, String target, Map<String, String> headers) {
    try (var client = edge.dial()) {
      return client.request(method, target, headers).status();
    }
  }

  @ParameterizedTest
  @EnumSource
  void pagesOfOtherOriginsAreRefused(Door door) {
    var edge = Edge.shared(door);
    String own = "http://127.0.0.1:" + edge.port;

    assertThat(status(edge, "GET", PATH, RawClient.handshake("Origin", own))).isEqualTo(101);
    assertThat(status(edge, "GET", PATH, RawClient.handshake("Origin", "https://evil.org")))
        .isEqualTo(403);
    assertThat(status(edge, "GET", PATH, RawClient.handshake("Origin", "null"))).isEqualTo(403);
  }

  @ParameterizedTest
  @EnumSource
  void pagesOfListedOriginsAreLetIn(Door door) {
    try (var edge = Edge.open(door, "connection.allowed-origins = [\"https://a.org\"]")) {
      String own = "http://127.0.0.1:" + edge.port;

      assertThat(status(edge, "GET", PATH, RawClient.handshake("Origin", "https://a.org")))
          .isEqualTo(101);
      assertThat(status(edge, "GET", PATH, RawClient.handshake("Origin", own))).isEqualTo(403);
      assertThat(status(edge, "GET", PATH, RawClient.handshake())).isEqualTo(101);
    }
  }

  @ParameterizedTest
  @EnumSource
  void everythingButAWebsocketAtItsPathGetsAnHttpError(Door door) {
    var edge = Edge.shared(door);
    var handshake = RawClient.handshake();

    assertThat(status(edge, "GET", "/connection", handshake)).isEqualTo(404);
    assertThat(status(edge, "GET", PATH + "/more", handshake)).isEqualTo(404);
    assertThat(status(edge, "GET", PATH, Map.of())).isEqualTo(400);
    assertThat(status(edge, "POST", PATH, handshake)).isEqualTo(405);
    assertThat(status(edge, "GET", "/connection/%zz", handshake)).isEqualTo(400);
    assertThat(status(edge, "GET", PATH + "?cf_protocol=%zz", handshake)).isBetween(400, 499);
  }

  @ParameterizedTest
  @EnumSource
  void handshakesAgainstRfc6455AreRefused(Door door) {
    var edge = Edge.shared(door);
    for (String missing :
        new String[] {"Sec-WebSocket-Key", "Sec-WebSocket-Version", "Connection", "Upgrade"}) {
      var headers = new HashMap<>(RawClient.handshake());
      headers.remove(missing);
      assertThat(status(edge, "GET", PATH, headers)).as("without " + missing).isBetween(400, 499);
    }
    for (String version : new String[] {"0", "8", "12", "14", "x"}) {
      assertThat(status(edge, "GET", PATH, RawClient.handshake("Sec-WebSocket-Version", version)))
          .as("version " + version)
          .isBetween(400, 499);
    }
  }

  @ParameterizedTest
  @EnumSource
  void theAnswerToAnotherMethodNamesTheOneThatIsAllowed(Door door) {
    try (var client = Edge.shared(door).dial()) {
      var answer = client.request("PUT", PATH, RawClient.handshake());

      assertThat(answer.status()).isEqualTo(405);
      assertThat(answer.headers()).containsEntry("allow", "GET");
    }
  }

  private static int status(Edge edge, String firstLines) {
    try (var client = edge.dial()) {
      return client.request(firstLines, RawClient.handshake()).status();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aRequestWithoutAHostIsRefused(Door door) {
    var edge = Edge.shared(door);
    String get = "GET " + PATH;

    assertThat(status(edge, get + " HTTP/1.1")).isEqualTo(400);
    assertThat(status(edge, get + " HTTP/1.1\r\nHost: a.org\r\nHost: b.org")).isEqualTo(400);
    assertThat(status(edge, get + " HTTP/1.1\r\nhost: a.org")).isEqualTo(101);
  }

  @ParameterizedTest
  @EnumSource(names = "NETTY")
  void aRequestOlderThanHttp11IsRefused(Door door) {
    assertThat(status(Edge.shared(door), "GET " + PATH + " HTTP/1.0\r\nHost: a.org"))
        .isEqualTo(400);
  }

  @ParameterizedTest
  @EnumSource
  void headersAsFirefoxWritesThemAreUnderstood(Door door) {
    var headers = RawClient.handshake("Connection", "keep-alive, Upgrade", "Upgrade", "WebSocket");

    assertThat(status(Edge.shared(door), "GET", PATH, headers)).isEqualTo(101);
  }

  @ParameterizedTest
  @EnumSource
  void compressionIsDeclined(Door door) {
    try (var client = Edge.shared(door).dial()) {
      var answer =
          client.request(
              "GET", PATH, RawClient.handshake("Sec-WebSocket-Extensions", "permessage-deflate"));

      assertThat(answer.status()).isEqualTo(101);
      assertThat(answer.headers()).doesNotContainKey("sec-websocket-extensions");
    }
  }

  /** pekko-http has an idle timeout of its own, which is a minute and not waited for here. */
  @ParameterizedTest
  @EnumSource(names = "NETTY")
  void aSocketThatNeverAsksForAnythingIsCutAfterTheConnectTimeout(Door door) {
    try (var edge = Edge.open(door, "connection.connect-timeout = 1s");
        var client = edge.dial()) {
      assertThat(client.frame()).isNull();
    }
  }
}
