package dev.hawser.gateway;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.LocalPort;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A node as production starts it, on free ports of loopback. */
final class TestNode implements AutoCloseable {

  static final String SECRET = "a-secret-of-the-tests-with-32-characters";
  static final String API_KEY = "test-key";

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  final Gateway gateway;
  final int webSocketPort = LocalPort.free();
  final int httpPort = LocalPort.free();
  final int managementPort = LocalPort.free();

  /** Starts a node and waits until it is ready. */
  static TestNode ready(Parts parts) throws Exception {
    return ready(parts, "");
  }

  static TestNode ready(Parts parts, String settings) throws Exception {
    var node = start(parts, settings);
    node.gateway.ready().toCompletableFuture().get(60, TimeUnit.SECONDS);
    return node;
  }

  /** Starts a node and does not wait. */
  static TestNode start(Parts parts, String settings) {
    return new TestNode(parts, settings);
  }

  private TestNode(Parts parts, String settings) {
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
            Map.entry("hawser.presence.api-keys", java.util.List.of(API_KEY)),
            Map.entry("pekko.coordinated-shutdown.run-by-jvm-shutdown-hook", false));
    gateway =
        Gateway.start(
            ConfigFactory.parseString(settings).withFallback(ConfigFactory.parseMap(own)));
  }

  /** Where a door serves WebSockets. */
  String url(Door door) {
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
  HttpResponse<String> api(String path) throws IOException, InterruptedException {
    return get(httpPort, path);
  }

  /** {@code GET} on the management port. */
  HttpResponse<String> management(String path) throws IOException, InterruptedException {
    return get(managementPort, path);
  }

  private static HttpResponse<String> get(int port, String path)
      throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .header("X-API-Key", API_KEY)
            .build();
    return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
  }

  @Override
  public void close() {
    gateway
        .stop()
        .thenCompose(stopped -> gateway.terminated())
        .toCompletableFuture()
        .orTimeout(60, TimeUnit.SECONDS)
        .join();
  }
}
