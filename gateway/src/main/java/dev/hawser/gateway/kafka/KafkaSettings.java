package dev.hawser.gateway.kafka;

import com.typesafe.config.Config;
import dev.hawser.presence.KafkaAccess;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Where Kafka is and which topics carry what, from {@code hawser.kafka}.
 *
 * @param enabled whether events come from Kafka, and messages of clients go there
 * @param access how it is reached
 * @param broadcast topic of messages for everybody, empty for none
 * @param requireJson whether an event that is not JSON is a dead letter; otherwise it reaches
 *     Protobuf clients, and disconnects JSON clients with 3506
 * @param eventsInFlight events of one partition handed to sessions and not yet acknowledged
 * @param maxUncommitted records of one partition that are read again at most
 * @param acknowledgeTimeout how long a session may take; then the partition is read again from its
 *     last commit
 * @param sessionTimeout after which a silent node loses its partitions
 * @param sendTimeout until an upstream message that the broker has not acknowledged is given up
 */
public record KafkaSettings(
    boolean enabled,
    KafkaAccess access,
    String consumerGroup,
    String events,
    String upstream,
    String deadLetters,
    String broadcast,
    boolean requireJson,
    int eventsInFlight,
    int maxUncommitted,
    Duration acknowledgeTimeout,
    Duration sessionTimeout,
    Duration sendTimeout) {

  private static final Pattern TOPIC = Pattern.compile("[A-Za-z0-9._-]{1,249}");
  private static final Duration MIN_TIMEOUT = Duration.ofMillis(100);
  private static final Duration MAX_TIMEOUT = Duration.ofHours(1);

  /** Checks the values. */
  public KafkaSettings {
    String servers = access.bootstrapServers();
    if (!servers.matches("\\s*[^\\s,]+:\\d{1,5}\\s*(,\\s*[^\\s,]+:\\d{1,5}\\s*)*")) {
      throw new IllegalArgumentException(
          "hawser.kafka.bootstrap-servers is \"%s\", expected host:port, several with commas"
              .formatted(servers));
    }
    if (consumerGroup.isBlank()) {
      throw new IllegalArgumentException(
          "hawser.kafka.consumer-group is empty, expected a name that all nodes share");
    }
    requireTopic("topics.events", events);
    requireTopic("topics.upstream", upstream);
    requireTopic("topics.dead-letters", deadLetters);
    if (!broadcast.isEmpty()) {
      requireTopic("broadcast", broadcast);
      if (List.of(events, upstream, deadLetters).contains(broadcast)) {
        throw new IllegalArgumentException(
            "hawser.kafka.broadcast is %s, expected a topic that is nothing else, or nothing"
                .formatted(broadcast));
      }
    }
    if (events.equals(upstream) || events.equals(deadLetters)) {
      throw new IllegalArgumentException(
          "hawser.kafka.topics.events is %s, expected another topic than upstream and dead-letters"
              .formatted(events));
    }
    if (eventsInFlight < 1) {
      throw new IllegalArgumentException(
          "hawser.kafka.events-in-flight is %d, expected at least 1".formatted(eventsInFlight));
    }
    if (maxUncommitted < 1) {
      throw new IllegalArgumentException(
          "hawser.kafka.max-uncommitted is %d, expected at least 1".formatted(maxUncommitted));
    }
    requireTimeout("acknowledge-timeout", acknowledgeTimeout);
    requireTimeout("session-timeout", sessionTimeout);
    requireTimeout("send-timeout", sendTimeout);
  }

  /** The configuration of one client of Kafka; what it asks for itself wins. */
  Map<String, Object> client(Map<String, Object> own) {
    return access.client(own);
  }

  private static void requireTopic(String key, String topic) {
    if (!TOPIC.matcher(topic).matches()) {
      throw new IllegalArgumentException(
          "hawser.kafka.%s is \"%s\", expected 1 to 249 of letters, digits, '.', '_' and '-'"
              .formatted(key, topic));
    }
  }

  private static void requireTimeout(String key, Duration timeout) {
    if (timeout.compareTo(MIN_TIMEOUT) < 0 || timeout.compareTo(MAX_TIMEOUT) > 0) {
      throw new IllegalArgumentException(
          "hawser.kafka.%s is %s, expected 100ms to 1h".formatted(key, timeout));
    }
  }

  /** Reads the block {@code hawser.kafka}. */
  public static KafkaSettings from(Config config) {
    return new KafkaSettings(
        config.getBoolean("enabled"),
        KafkaAccess.of(
            config.getString("bootstrap-servers"), config.getString("client-properties")),
        config.getString("consumer-group"),
        config.getString("topics.events"),
        config.getString("topics.upstream"),
        config.getString("topics.dead-letters"),
        config.getString("broadcast"),
        config.getBoolean("require-json"),
        config.getInt("events-in-flight"),
        config.getInt("max-uncommitted"),
        config.getDuration("acknowledge-timeout"),
        config.getDuration("session-timeout"),
        config.getDuration("send-timeout"));
  }
}
