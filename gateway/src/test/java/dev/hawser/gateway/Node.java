package dev.hawser.gateway;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.LocalPort;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Where a node serves, and what it says there. */
class Node {

  static final String SECRET = "a-secret-of-the-tests-with-32-characters";
  static final String API_KEY = "test-key";

  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final Duration HTTP_TIMEOUT = Duration.ofSeconds(20);

  final int webSocketPort;
  final int httpPort;
  final int managementPort;

  /** On ports of its own. */
  Node() {
    this(LocalPort.free(), LocalPort.free(), LocalPort.free());
  }

  /** In the place of another one. */
  Node(Node other) {
    this(other.webSocketPort, other.httpPort, other.managementPort);
  }

  Node(int webSocketPort, int httpPort, int managementPort) {
    this.webSocketPort = webSocketPort;
    this.httpPort = httpPort;
    this.managementPort = managementPort;
  }

  /** Settings of a node here, beside the parts. */
  final Config settings(Parts parts, String others) {
    Map<String, Object> own =
        Map.ofEntries(
            Map.entry("hawser.websocket.host", "127.0.0.1"),
            Map.entry("hawser.websocket.port", webSocketPort),
            Map.entry("hawser.http.host", "127.0.0.1"),
            Map.entry("hawser.http.port", httpPort),
            Map.entry("hawser.management.port", managementPort),
            Map.entry("hawser.cluster.port", LocalPort.free()),
            Map.entry("hawser.auth.hmac-secret", SECRET),
            Map.entry("hawser.kafka.bootstrap-servers", parts.kafka.bootstrapServers()),
            Map.entry("hawser.presence.database.host", "127.0.0.1"),
            Map.entry("hawser.presence.database.port", parts.postgreSql.port()),
            Map.entry("hawser.presence.database.name", Parts.DATABASE),
            Map.entry("hawser.presence.database.user", "postgres"),
            Map.entry("hawser.presence.api-keys", List.of(API_KEY)));
    return ConfigFactory.parseString(others).withFallback(ConfigFactory.parseMap(own));
  }

  /** Settings by which nodes at these management ports find each other. */
  static String cluster(List<Integer> managementPorts) {
    String all =
        managementPorts.stream()
            .map(port -> "\"127.0.0.1:" + port + "\"")
            .collect(Collectors.joining(", "));
    return """
    hawser.cluster.formation = contact-points
    hawser.cluster.contact-points = [%s]
    hawser.advertised-url = "ws://127.0.0.1:{port}{path}"
    """
        .formatted(all);
  }

  /** Where a door serves WebSockets. */
  final String url(Door door) {
    int port =
        switch (door) {
          case NETTY -> webSocketPort;
          case PEKKO_HTTP -> httpPort;
        };
    return "ws://127.0.0.1:%d/connection/websocket".formatted(port);
  }

  /** The two ways in. */
  enum Door {
    NETTY,
    PEKKO_HTTP
  }

  static String token(String user) {
    return token(user, Instant.now().plusSeconds(3_600));
  }

  static String token(String user, Instant expiry) {
    var claims = new JWTClaimsSet.Builder().subject(user).expirationTime(Date.from(expiry)).build();
    var jwt = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims);
    try {
      jwt.sign(new MACSigner(SECRET.getBytes(StandardCharsets.UTF_8)));
    } catch (JOSEException impossible) {
      throw new AssertionError(impossible);
    }
    return jwt.serialize();
  }

  /** {@code GET} on the API, with the key. */
  final HttpResponse<String> api(String path) throws IOException, InterruptedException {
    return get(httpPort, path, HTTP_TIMEOUT);
  }

  /** {@code POST} on the API, with the key. */
  final HttpResponse<String> post(String path, String body)
      throws IOException, InterruptedException {
    return send(path, "POST", body, "X-API-Key", API_KEY);
  }

  /**
   * Any request to the API.
   *
   * @param headers names and values in turns
   */
  final HttpResponse<String> send(String path, String method, String body, String... headers)
      throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + httpPort + path))
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .timeout(HTTP_TIMEOUT);
    for (int i = 0; i < headers.length; i += 2) {
      request.header(headers[i], headers[i + 1]);
    }
    return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** {@code GET} on the management port. */
  final HttpResponse<String> management(String path) throws IOException, InterruptedException {
    return get(managementPort, path, HTTP_TIMEOUT);
  }

  /** As a balancer asks. */
  final boolean isReady() throws InterruptedException {
    try {
      return get(managementPort, "/ready", Duration.ofSeconds(1)).statusCode() == 200;
    } catch (IOException notNow) {
      return false;
    }
  }

  /** The address of a user's node, as this node tells it. */
  final String connectionUrl(String user) throws IOException, InterruptedException {
    String body = api("/api/connection-url?user=" + user).body();
    return body.substring(body.indexOf("ws://"), body.lastIndexOf('"'));
  }

  /** A figure of the node. */
  final double metric(String name) throws IOException, InterruptedException {
    return management("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow();
  }

  private static HttpResponse<String> get(int port, String path, Duration timeout)
      throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .header("X-API-Key", API_KEY)
            .timeout(timeout)
            .build();
    return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
  }
}
