package dev.hawser.gateway.connection;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueType;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Limits and periods of every connection, from {@code hawser.connection}; reference.conf tells what
 * each means.
 *
 * @param pingInterval whole seconds; what a connection gets is announced to its client
 * @param maxPingInterval what it gets when the node is busy; whole seconds, not less
 * @param pongTimeout whole seconds, below the ping interval
 * @param connectTimeout from accept to a successful connect
 * @param refusedLinger how long a client that was refused may take to close by itself
 * @param expiryGrace how long after its expiry a connection may still be refreshed
 * @param maxFrameBytes largest frame of a client
 * @param maxPendingBytes what may wait for a slow client
 * @param maxUpstreamInFlight messages of one connection that the broker has not yet acknowledged
 * @param path where WebSockets are served, on every port
 * @param allowedOrigins which web pages may connect
 */
public record ConnectionSettings(
    Duration pingInterval,
    Duration maxPingInterval,
    Duration pongTimeout,
    Duration connectTimeout,
    Duration refusedLinger,
    Duration expiryGrace,
    int maxFrameBytes,
    int maxPendingBytes,
    int maxUpstreamInFlight,
    String path,
    AllowedOrigins allowedOrigins) {

  /** One place in a timer wheel per second. */
  private static final Duration MAX_PERIOD = Duration.ofHours(1);

  private static final Duration MAX_GRACE = Duration.ofHours(24);
  private static final long MAX_SIZE = 1L << 30;

  /** Checks each value, and how they relate. */
  public ConnectionSettings {
    requireWholeSeconds("ping-interval", pingInterval);
    requireWholeSeconds("max-ping-interval", maxPingInterval);
    requireWholeSeconds("pong-timeout", pongTimeout);
    requireWholeSeconds("connect-timeout", connectTimeout);
    requireWholeSeconds("refused-linger", refusedLinger);
    if (expiryGrace.isNegative() || expiryGrace.compareTo(MAX_GRACE) > 0) {
      throw new IllegalArgumentException(
          "hawser.connection.expiry-grace is %s, expected 0s to 24h".formatted(expiryGrace));
    }
    requireAtLeastOne("max-frame-size", maxFrameBytes);
    requireAtLeastOne("max-pending-size", maxPendingBytes);
    requireAtLeastOne("max-upstream-in-flight", maxUpstreamInFlight);
    if (!path.matches("(/[A-Za-z0-9._~-]+)+")) {
      throw new IllegalArgumentException(
          "hawser.connection.path is \"%s\", expected a path such as /connection/websocket"
              .formatted(path));
    }
    if (maxPingInterval.compareTo(pingInterval) < 0) {
      throw new IllegalArgumentException(
          "hawser.connection.max-ping-interval is %s, expected at least ping-interval, which is %s"
              .formatted(maxPingInterval, pingInterval));
    }
    if (pongTimeout.compareTo(pingInterval) >= 0) {
      throw new IllegalArgumentException(
          "hawser.connection.pong-timeout is %s, expected less than ping-interval, which is %s"
              .formatted(pongTimeout, pingInterval));
    }
  }

  private static void requireWholeSeconds(String key, Duration value) {
    if (value.toSeconds() < 1
        || value.compareTo(MAX_PERIOD) > 0
        || !value.equals(Duration.ofSeconds(value.toSeconds()))) {
      throw new IllegalArgumentException(
          "hawser.connection.%s is %s, expected whole seconds, 1s to 1h".formatted(key, value));
    }
  }

  private static void requireAtLeastOne(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          "hawser.connection.%s is %d, expected at least 1".formatted(key, value));
    }
  }

  private static int size(Config config, String key) {
    long bytes = config.getBytes(key);
    if (bytes < 1 || bytes > MAX_SIZE) {
      throw new IllegalArgumentException(
          "hawser.connection.%s is %d bytes, expected 1 to %d".formatted(key, bytes, MAX_SIZE));
    }
    return (int) bytes;
  }

  /** A list; or one string with commas, as it comes from the environment. */
  private static List<String> origins(Config config) {
    return config.getValue("allowed-origins").valueType() == ConfigValueType.STRING
        ? Pattern.compile("[,\\s]+")
            .splitAsStream(config.getString("allowed-origins").strip())
            .filter(origin -> !origin.isEmpty())
            .toList()
        : config.getStringList("allowed-origins");
  }

  /** Reads the block {@code hawser.connection}. */
  public static ConnectionSettings from(Config config) {
    return new ConnectionSettings(
        config.getDuration("ping-interval"),
        config.getDuration("max-ping-interval"),
        config.getDuration("pong-timeout"),
        config.getDuration("connect-timeout"),
        config.getDuration("refused-linger"),
        config.getDuration("expiry-grace"),
        size(config, "max-frame-size"),
        size(config, "max-pending-size"),
        config.getInt("max-upstream-in-flight"),
        config.getString("path"),
        new AllowedOrigins(origins(config)));
  }

  Duration longestDeadline() {
    return connectTimeout.compareTo(refusedLinger) > 0 ? connectTimeout : refusedLinger;
  }
}
