package dev.hawser.presence;

import com.typesafe.config.Config;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The block {@code hawser.presence}; reference.conf tells what each key means.
 *
 * @param linger how long a user without connections still counts as online
 * @param flushInterval between two writes
 * @param batchSize users in one statement, at least 1
 * @param heartbeatInterval between two renewals of the lease
 * @param nodeTimeout after which a node that did not renew its lease is taken for dead
 * @param archiveAfter how long ago a stay must have ended to be moved to the archive
 * @param retention how long stays are kept; empty for ever
 * @param events where presence events are published; empty for nowhere
 */
public record PresenceSettings(
    Database database,
    List<String> apiKeys,
    Duration linger,
    Duration flushInterval,
    int batchSize,
    Duration heartbeatInterval,
    Duration nodeTimeout,
    Duration archiveAfter,
    Optional<Duration> retention,
    Optional<Events> events) {

  /**
   * Presence events on Kafka.
   *
   * @param kafka where it is
   */
  public record Events(KafkaAccess kafka, String topic) {

    /** Checks that both are there. */
    public Events {
      if (kafka.bootstrapServers().isBlank() || topic.isBlank()) {
        throw new IllegalArgumentException(
            "hawser.presence.events is enabled, expected bootstrap-servers and topic");
      }
    }
  }

  /** A node that missed so many may be dead. */
  static final int HEARTBEATS_TO_MISS = 3;

  /** What is told later than this begins no earlier than what is in the archive (V7). */
  private static final Duration LEAST_ARCHIVE_AFTER = Duration.ofMinutes(1);

  private static final Duration LEAST_RETENTION = Duration.ofDays(1);

  /** Where PostgreSQL is. */
  public record Database(
      String host,
      int port,
      String name,
      String user,
      String password,
      boolean ssl,
      int maxConnections) {

    /** Checks that there is a connection for each purpose. */
    public Database {
      if (maxConnections < PresenceDatabase.LEAST_CONNECTIONS) {
        throw new IllegalArgumentException(
            "hawser.presence.database.max-connections is %d, expected at least %d"
                .formatted(maxConnections, PresenceDatabase.LEAST_CONNECTIONS));
      }
    }

    /** Without the password. */
    @Override
    public String toString() {
      return "%s:%d/%s".formatted(host, port, name);
    }
  }

  /** Checks how the values relate. */
  public PresenceSettings {
    apiKeys = List.copyOf(apiKeys);
    requirePositive("flush-interval", flushInterval);
    requirePositive("heartbeat-interval", heartbeatInterval);
    if (linger.isNegative()) {
      throw new IllegalArgumentException(
          "hawser.presence.linger is %s, expected zero or more".formatted(linger));
    }
    if (batchSize < 1) {
      throw new IllegalArgumentException(
          "hawser.presence.batch-size is %d, expected at least 1".formatted(batchSize));
    }
    if (nodeTimeout.compareTo(heartbeatInterval.multipliedBy(HEARTBEATS_TO_MISS)) <= 0) {
      throw new IllegalArgumentException(
          "hawser.presence.node-timeout is %s, expected more than %d times heartbeat-interval (%s)"
              .formatted(nodeTimeout, HEARTBEATS_TO_MISS, heartbeatInterval));
    }
    if (archiveAfter.compareTo(nodeTimeout) < 0
        || archiveAfter.compareTo(LEAST_ARCHIVE_AFTER) < 0) {
      throw new IllegalArgumentException(
          "hawser.presence.archive-after is %s, expected at least %s, and node-timeout (%s)"
              .formatted(archiveAfter, LEAST_ARCHIVE_AFTER, nodeTimeout));
    }
    if (retention.isPresent() && retention.get().compareTo(LEAST_RETENTION) < 0) {
      throw new IllegalArgumentException(
          "hawser.presence.retention is %s, expected at least %s, or forever"
              .formatted(retention.get(), LEAST_RETENTION));
    }
  }

  private static void requirePositive(String key, Duration value) {
    if (value.toMillis() < 1) {
      throw new IllegalArgumentException(
          "hawser.presence.%s is %s, expected at least 1 ms".formatted(key, value));
    }
  }

  /** Reads the block {@code hawser.presence}. */
  public static PresenceSettings from(Config config) {
    List<String> apiKeys = new ArrayList<>(config.getStringList("api-keys"));
    apiKeys.add(config.getString("api-key"));
    apiKeys.removeIf(String::isBlank);
    Config database = config.getConfig("database");
    return new PresenceSettings(
        new Database(
            database.getString("host"),
            database.getInt("port"),
            database.getString("name"),
            database.getString("user"),
            database.getString("password"),
            database.getBoolean("ssl"),
            database.getInt("max-connections")),
        apiKeys,
        config.getDuration("linger"),
        config.getDuration("flush-interval"),
        config.getInt("batch-size"),
        config.getDuration("heartbeat-interval"),
        config.getDuration("node-timeout"),
        config.getDuration("archive-after"),
        config.getString("retention").equals("forever")
            ? Optional.empty()
            : Optional.of(config.getDuration("retention")),
        config.getBoolean("events.enabled")
            ? Optional.of(
                new Events(
                    KafkaAccess.of(
                        config.getString("events.bootstrap-servers"),
                        config.getString("events.client-properties")),
                    config.getString("events.topic")))
            : Optional.empty());
  }

  /** Without passwords and keys. */
  @Override
  public String toString() {
    return "PresenceSettings[database=%s, linger=%s, heartbeatInterval=%s, nodeTimeout=%s]"
        .formatted(database, linger, heartbeatInterval, nodeTimeout);
  }
}
