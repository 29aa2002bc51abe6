package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** What everybody may know, because it opens development nodes only. */
final class Development {

  /** A production node refuses to start with it. */
  static final String SECRET = "hawser-dev-secret-never-in-production";

  /** A production node refuses to start with it. */
  static final String API_KEY = "dev";

  static final String DATABASE = "hawser";

  private Development() {}

  /** Settings of one of some nodes that run on this machine, beside its PostgreSQL and Kafka. */
  static Config settings(Ports ports, int node, int nodes) {
    return ConfigFactory.parseMap(
        Map.ofEntries(
            Map.entry("hawser.environment", "development"),
            Map.entry("hawser.websocket.host", "127.0.0.1"),
            Map.entry("hawser.websocket.port", ports.webSocket(node)),
            Map.entry("hawser.http.host", "127.0.0.1"),
            Map.entry("hawser.http.port", ports.http(node)),
            Map.entry("hawser.management.host", "127.0.0.1"),
            Map.entry("hawser.management.port", ports.management(node)),
            Map.entry("hawser.cluster.host", "127.0.0.1"),
            Map.entry("hawser.cluster.port", ports.cluster(node)),
            Map.entry("hawser.cluster.formation", nodes == 1 ? "alone" : "contact-points"),
            Map.entry("hawser.cluster.contact-points", contactPoints(ports, nodes)),
            Map.entry("hawser.cluster.required-contact-points", nodes / 2 + 1),
            Map.entry(
                "pekko.management.cluster.bootstrap.contact-point.filter-on-fallback-port", false),
            Map.entry("hawser.connection.allowed-origins", List.of("*")),
            Map.entry("hawser.auth.hmac-secret", SECRET),
            Map.entry("hawser.kafka.bootstrap-servers", "127.0.0.1:" + ports.kafka()),
            // The shortest the broker allows: for the start after a run that was killed.
            Map.entry("hawser.kafka.session-timeout", "6s"),
            Map.entry("hawser.presence.database.host", "127.0.0.1"),
            Map.entry("hawser.presence.database.port", ports.postgreSql()),
            Map.entry("hawser.presence.database.name", DATABASE),
            Map.entry("hawser.presence.database.user", EmbeddedPostgreSql.USER),
            Map.entry("hawser.presence.events.enabled", true),
            Map.entry("hawser.presence.api-keys", List.of(API_KEY))));
  }

  private static List<String> contactPoints(Ports ports, int nodes) {
    return IntStream.rangeClosed(1, nodes)
        .mapToObj(node -> "127.0.0.1:" + ports.management(node))
        .toList();
  }

  /** A connection token (HS256) for a user, good from now. */
  static String token(String user, Duration timeToLive, String secret) {
    Instant now = Instant.now();
    var claims =
        new JWTClaimsSet.Builder()
            .subject(user)
            .issueTime(Date.from(now))
            .expirationTime(Date.from(now.plus(timeToLive)))
            .build();
    var jwt = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims);
    try {
      jwt.sign(new MACSigner(secret.getBytes(UTF_8)));
    } catch (JOSEException tooShort) {
      throw new IllegalArgumentException(
          "--secret has %d bytes, expected at least 32".formatted(secret.getBytes(UTF_8).length),
          tooShort);
    }
    return jwt.serialize();
  }
}
