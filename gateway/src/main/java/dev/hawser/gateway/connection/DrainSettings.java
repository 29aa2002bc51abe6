package dev.hawser.gateway.connection;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * How a node that stops tells its clients to come back elsewhere, from {@code hawser.drain}.
 *
 * @param rate clients of one door that are told in one second
 * @param timeout when the node is gone, whatever the rate
 */
public record DrainSettings(int rate, Duration timeout) {

  private static final Duration MAX_TIMEOUT = Duration.ofHours(1);

  /** Checks both. */
  public DrainSettings {
    if (rate < 1) {
      throw new IllegalArgumentException(
          "hawser.drain.rate is %d, expected at least 1 client a second".formatted(rate));
    }
    if (timeout.isNegative() || timeout.compareTo(MAX_TIMEOUT) > 0) {
      throw new IllegalArgumentException(
          "hawser.drain.timeout is %s, expected 0s to 1h".formatted(timeout));
    }
  }

  /** Reads the block {@code hawser.drain}. */
  public static DrainSettings from(Config config) {
    return new DrainSettings(config.getInt("rate"), config.getDuration("timeout"));
  }

  /** Two thirds of the time are for telling clients, the rest is for handing over. */
  public DrainSettings ofClients() {
    return new DrainSettings(rate, timeout.multipliedBy(2).dividedBy(3));
  }

  /** What the node itself does; the last tenth is for handing sessions over and leaving. */
  public Duration ofOwnSteps() {
    return timeout.multipliedBy(9).dividedBy(10);
  }

  /** For a node that must not act any more. */
  public DrainSettings atOnce() {
    return new DrainSettings(Integer.MAX_VALUE, Duration.ZERO);
  }

  /** The share of one of several loops. */
  public int rateOf(int loops) {
    return Math.max(1, rate / loops);
  }
}
