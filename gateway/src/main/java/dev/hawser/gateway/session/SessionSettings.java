package dev.hawser.gateway.session;

import com.typesafe.config.Config;
import dev.hawser.gateway.stream.StreamLog;
import java.time.Duration;
import java.util.Optional;

/**
 * What sessions may do and keep, from {@code hawser.session} and {@code hawser.recovery}.
 *
 * @param idleTimeout how long a session without connections stays in memory
 * @param reattachRate how many connections of a node a second look for their session after its node
 *     has died
 * @param recovery what of a user's stream is kept in memory
 * @param mailbox what is kept durably for a user who is away; empty for nothing
 */
public record SessionSettings(
    DevicePolicy devices,
    Duration idleTimeout,
    int reattachRate,
    StreamLog.Limits recovery,
    Optional<StreamLog.Limits> mailbox) {

  /** Checks the values. */
  public SessionSettings {
    if (!idleTimeout.isPositive()) {
      throw new IllegalArgumentException(
          "hawser.session.idle-timeout is %s, expected more than 0".formatted(idleTimeout));
    }
    if (reattachRate < 1) {
      throw new IllegalArgumentException(
          "hawser.session.reattach-rate is %d, expected at least 1 connection a second"
              .formatted(reattachRate));
    }
  }

  /** Reads the blocks of {@code hawser}. */
  public static SessionSettings from(Config hawser) {
    Config session = hawser.getConfig("session");
    Config recovery = hawser.getConfig("recovery");
    Config mailbox = hawser.getConfig("mailbox");
    return new SessionSettings(
        DevicePolicy.from(session),
        session.getDuration("idle-timeout"),
        session.getInt("reattach-rate"),
        new StreamLog.Limits(
            recovery.getInt("max-events"),
            Math.toIntExact(recovery.getBytes("max-size")),
            recovery.getDuration("window")),
        mailbox.getBoolean("enabled") && hawser.getBoolean("kafka.enabled")
            ? Optional.of(
                new StreamLog.Limits(
                    mailbox.getInt("max-events"),
                    Math.toIntExact(mailbox.getBytes("max-size")),
                    mailbox.getDuration("max-age")))
            : Optional.empty());
  }
}
