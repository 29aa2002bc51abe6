package dev.hawser.gateway.session;

import com.typesafe.config.Config;

/**
 * How many connections a user may have over the whole cluster, and who goes when there is one more.
 *
 * @param maxConnections at least 1
 * @param excess who is disconnected with 3504
 */
public record DevicePolicy(int maxConnections, Excess excess) {

  /** Who goes when a user connects once more than allowed. */
  public enum Excess {
    KICK_OLDEST,
    REJECT_NEWEST
  }

  /** Checks the limit. */
  public DevicePolicy {
    if (maxConnections < 1) {
      throw new IllegalArgumentException(
          "hawser.session.max-connections is %d, expected at least 1".formatted(maxConnections));
    }
  }

  /** Reads the block {@code hawser.session}. */
  public static DevicePolicy from(Config config) {
    String excess = config.getString("excess");
    return new DevicePolicy(
        config.getInt("max-connections"),
        switch (excess) {
          case "kick-oldest" -> Excess.KICK_OLDEST;
          case "reject-newest" -> Excess.REJECT_NEWEST;
          default ->
              throw new IllegalArgumentException(
                  "hawser.session.excess is %s, expected kick-oldest or reject-newest"
                      .formatted(excess));
        });
  }
}
