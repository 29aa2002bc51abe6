package dev.hawser.gateway.connection;

import com.sun.management.UnixOperatingSystemMXBean;
import com.typesafe.config.Config;
import java.lang.management.ManagementFactory;
import java.time.Duration;

/**
 * How much a node takes, from {@code hawser.admission}.
 *
 * @param maxConnections of the node, on all ports; 0 for what its limit of open files leaves
 * @param maxConnectionsPerAddress of one client address, on the WebSocket port; 0 for any number
 * @param maxHandshakes clients that have come and not been answered their connect yet
 * @param maxHandshakesPerSecond clients that come in a second; 0 for any number
 * @param maxHeap part of the heap that is in use behind a collection, above 0 to 1
 * @param maxLag how late an event loop may be for a second
 * @param retryAfter when who was refused should come again; whole seconds
 */
public record AdmissionSettings(
    int maxConnections,
    int maxConnectionsPerAddress,
    int maxHandshakes,
    int maxHandshakesPerSecond,
    double maxHeap,
    Duration maxLag,
    Duration retryAfter) {

  /** For Kafka, PostgreSQL, other nodes, jars and logs. */
  private static final long OTHER_FILES = 500;

  private static final Duration MAX_RETRY = Duration.ofHours(1);

  /** Checks each value. */
  public AdmissionSettings {
    requireAtLeast("max-connections", maxConnections, 0);
    requireAtLeast("max-connections-per-address", maxConnectionsPerAddress, 0);
    requireAtLeast("max-handshakes", maxHandshakes, 1);
    requireAtLeast("max-handshakes-per-second", maxHandshakesPerSecond, 0);
    if (!(maxHeap > 0 && maxHeap <= 1)) {
      throw new IllegalArgumentException(
          "hawser.admission.max-heap is %s, expected more than 0, at most 1".formatted(maxHeap));
    }
    if (maxLag.compareTo(Duration.ofMillis(1)) < 0) {
      throw new IllegalArgumentException(
          "hawser.admission.max-lag is %s, expected at least 1ms".formatted(maxLag));
    }
    if (retryAfter.toSeconds() < 1
        || retryAfter.compareTo(MAX_RETRY) > 0
        || !retryAfter.equals(Duration.ofSeconds(retryAfter.toSeconds()))) {
      throw new IllegalArgumentException(
          "hawser.admission.retry-after is %s, expected whole seconds, 1s to 1h"
              .formatted(retryAfter));
    }
  }

  private static void requireAtLeast(String key, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(
          "hawser.admission.%s is %d, expected at least %d".formatted(key, value, least));
    }
  }

  /** Reads the block {@code hawser.admission}. */
  public static AdmissionSettings from(Config config) {
    return new AdmissionSettings(
        config.getInt("max-connections"),
        config.getInt("max-connections-per-address"),
        config.getInt("max-handshakes"),
        config.getInt("max-handshakes-per-second"),
        config.getDouble("max-heap"),
        config.getDuration("max-lag"),
        config.getDuration("retry-after"));
  }

  int connections() {
    if (maxConnections > 0) {
      return maxConnections;
    }
    return ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
        ? (int)
            Math.clamp(unix.getMaxFileDescriptorCount() - OTHER_FILES, 1, (long) Integer.MAX_VALUE)
        : Integer.MAX_VALUE;
  }
}
