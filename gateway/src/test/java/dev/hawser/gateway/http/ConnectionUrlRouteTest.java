package dev.hawser.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.connection.AllowedOrigins;
import dev.hawser.gateway.connection.Authenticator;
import dev.hawser.gateway.connection.AuthenticatorSettings;
import dev.hawser.gateway.session.Attachments;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.Nodes;
import dev.hawser.gateway.session.Shards;
import dev.hawser.presence.http.ApiKeys;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The route over a real socket; of two shards one has a node. */
class ConnectionUrlRouteTest {

  private static final String SECRET = "a-secret-of-the-tests-with-32-characters";
  private static final String PAGE = "https://page.example";
  private static final String OWNED = userOf(0);
  private static final String UNOWNED = userOf(1);
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final ActorTestKit KIT =
      ActorTestKit.create(
          "urls",
          ConfigFactory.parseString(
                  "hawser.cluster.port = 0, pekko.remote.artery.canonical.port = 0,"
                      + " pekko.cluster.roles = [gateway]")
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());

  private static ServerBinding server;
  private static Nodes nodes;

  /** The node that is asked, and the one that has the shard. */
  private static volatile boolean ready;

  private static volatile boolean ownerReady = true;

  private static String userOf(int shard) {
    return IntStream.range(0, 100)
        .mapToObj(n -> "user-" + n)
        .filter(user -> Shards.of(user, 2) == shard)
        .findFirst()
        .orElseThrow();
  }

  @BeforeAll
  static void start() throws Exception {
    var cluster = Cluster.get(KIT.system());
    cluster.manager().tell(Join.create(cluster.selfMember().address()));
    var feeds = new Feeds(2, "epoch");
    feeds.started(0, 0, 0, () -> {});
    nodes =
        Attachments.start(KIT.system(), feeds, "ws://owner", () -> ownerReady, 1, "test").nodes();
    await().until(() -> nodes.urlOf(OWNED).isPresent());
    var route =
        new ConnectionUrlRoute(
            new Authenticator(new AuthenticatorSettings(SECRET, "", "", "", "", false)),
            new ApiKeys(List.of("key")),
            new AllowedOrigins(List.of(PAGE)),
            nodes,
            "ws://asked",
            () -> ready);
    server =
        Http.get(KIT.system())
            .newServerAt("127.0.0.1", 0)
            .bind(route.route())
            .toCompletableFuture()
            .get();
  }

  @AfterAll
  static void stop() {
    KIT.shutdownTestKit();
  }

  @BeforeEach
  void beReady() {
    ready = true;
    ownerReady = true;
    await().until(() -> nodes.urlOf(OWNED).isPresent());
  }

  private static HttpRequest.Builder request(String query) {
    return HttpRequest.newBuilder(
        URI.create(
            "http://127.0.0.1:%d/api/connection-url%s"
                .formatted(server.localAddress().getPort(), query)));
  }

  private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static HttpResponse<String> withKey(String query) throws Exception {
    return send(request(query).header("X-API-Key", "key"));
  }

  private static HttpRequest.Builder withToken(String user, String secret) throws Exception {
    var jwt =
        new SignedJWT(
            new JWSHeader(JWSAlgorithm.HS256), new JWTClaimsSet.Builder().subject(user).build());
    jwt.sign(new MACSigner(secret.getBytes(UTF_8)));
    return request("").header("Authorization", "Bearer " + jwt.serialize());
  }

  private static void assertUrl(HttpResponse<String> response, String url) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    assertThat(response.body()).isEqualTo("{\"url\":\"%s\"}".formatted(url));
  }

  @Test
  void aClientWithATokenIsToldWhereItsSessionIs() throws Exception {
    assertUrl(send(withToken(OWNED, SECRET)), "ws://owner");
    assertUrl(send(withToken(UNOWNED, SECRET)), "ws://asked");
  }

  @Test
  void aTokenThatIsNotOursIsRefused() throws Exception {
    assertThat(send(withToken(OWNED, SECRET.toUpperCase(java.util.Locale.ROOT))).statusCode())
        .isEqualTo(401);
    assertThat(send(request("").header("Authorization", "Bearer no-token")).statusCode())
        .isEqualTo(401);
  }

  @Test
  void aBackEndAsksForAUser() throws Exception {
    assertUrl(withKey("?user=" + OWNED), "ws://owner");
  }

  @Test
  void aBackEndThatNamesNobodyIsToldWhatIsMissing() throws Exception {
    for (String query : List.of("", "?user=", "?users=alice")) {
      var response = withKey(query);
      assertThat(response.statusCode()).isEqualTo(400);
      assertThat(response.body()).contains("\"user\"");
    }
  }

  @Test
  void aWrongKeyOrNoneIsRefused() throws Exception {
    assertThat(send(request("?user=" + OWNED).header("X-API-Key", "wrong")).statusCode())
        .isEqualTo(401);
    assertThat(send(request("?user=" + OWNED)).statusCode()).isEqualTo(401);
  }

  @Test
  void aNodeThatIsNotReadyNamesOthersOnly() throws Exception {
    ready = false;
    assertUrl(withKey("?user=" + OWNED), "ws://owner");
    assertUrl(withKey("?user=" + UNOWNED), "ws://owner");
  }

  @Test
  void anOwnerThatIsNotReadyIsNotNamedAndKnownSoAtOnce() throws Exception {
    ownerReady = false;
    await().atMost(Duration.ofMillis(500)).until(() -> nodes.urlOf(OWNED).isEmpty());
    assertUrl(withKey("?user=" + OWNED), "ws://asked");
    ready = false;
    for (String user : List.of(OWNED, UNOWNED)) {
      var response = withKey("?user=" + user);
      assertThat(response.statusCode()).isEqualTo(503);
      assertThat(response.headers().firstValue("Retry-After")).hasValue("2");
    }
  }

  @Test
  void pagesOfAllowedOriginsMayReadTheAnswer() throws Exception {
    var response = send(withToken(OWNED, SECRET).header("Origin", PAGE));
    assertThat(response.headers().firstValue("Access-Control-Allow-Origin")).hasValue(PAGE);
    assertThat(response.headers().firstValue("Vary")).hasValue("Origin");
    var refused = send(request("").header("Origin", PAGE));
    assertThat(refused.headers().firstValue("Access-Control-Allow-Origin")).hasValue(PAGE);
  }

  @Test
  void otherPagesMayNot() throws Exception {
    var response = send(withToken(OWNED, SECRET).header("Origin", "https://other.example"));
    assertThat(response.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
  }

  @Test
  void browsersMayAskBeforeTheySendTheToken() throws Exception {
    assertThat(preflight(PAGE).statusCode()).isEqualTo(204);
    var allowed = preflight(PAGE).headers();
    assertThat(allowed.firstValue("Access-Control-Allow-Origin")).hasValue(PAGE);
    assertThat(allowed.firstValue("Access-Control-Allow-Methods")).hasValue("GET");
    assertThat(allowed.firstValue("Access-Control-Allow-Headers")).hasValue("Authorization");
    assertThat(
            preflight("https://other.example").headers().firstValue("Access-Control-Allow-Origin"))
        .isEmpty();
  }

  private static HttpResponse<String> preflight(String origin) throws Exception {
    return send(
        request("")
            .method("OPTIONS", HttpRequest.BodyPublishers.noBody())
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization"));
  }
}
