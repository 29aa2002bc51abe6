package dev.hawser.loadtest.peers;

import java.time.Duration;

/**
 * What is done with each peer.
 *
 * @param users idle connections, whose memory is counted
 * @param receivers who get each message
 * @param rate messages a second, while latency and CPU are measured
 * @param duration of that, and of the time in which messages are published as fast as they arrive
 * @param window messages on their way to everyone in that time
 * @param payloadBytes size of a message, about
 */
record PeersSettings(
    int users, int receivers, double rate, Duration duration, int window, int payloadBytes) {

  /** One worker's, and one server's: a process may have 20,000 descriptors. */
  private static final int MAX_USERS = 19_500;

  private static final int MAX_WINDOW = 1_000;
  private static final int MIN_PAYLOAD = 40;
  private static final int MAX_PAYLOAD = 60_000;

  /**
   * @throws IllegalArgumentException if a value is out of its range
   */
  PeersSettings {
    require("--users", users, 1, MAX_USERS);
    require("--receivers", receivers, 1, MAX_USERS);
    require("--window", window, 1, MAX_WINDOW);
    require("--payload-bytes", payloadBytes, MIN_PAYLOAD, MAX_PAYLOAD);
    if (!(rate > 0)) {
      throw new IllegalArgumentException("--rate is %s, expected more than 0".formatted(rate));
    }
    if (duration.isNegative() || duration.isZero()) {
      throw new IllegalArgumentException(
          "--duration is %s, expected more than 0s".formatted(duration));
    }
  }

  private static void require(String key, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s is %d, expected %d to %d".formatted(key, value, least, most));
    }
  }
}
