package dev.hawser.gateway.kafka;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * Where Kafka is and which topics carry what, from {@code hawser.kafka}.
 *
 * @param requireJson whether an event that is not JSON is a dead letter; otherwise it reaches
 *     Protobuf clients, and disconnects JSON clients with 3506
 * @param eventsInFlight events of one partition handed to sessions and not yet acknowledged
 * @param acknowledgeTimeout how long a session may take; then the partition is read again from its
 *     last commit
 * @param sendTimeout until an upstream message that the broker has not acknowledged is given up
 */
public record KafkaSettings(
    String bootstrapServers,
    String consumerGroup,
    String events,
    String upstream,
    String deadLetters,
    boolean requireJson,
    int eventsInFlight,
    Duration acknowledgeTimeout,
    Duration sendTimeout) {

  /** Reads the block {@code hawser.kafka}. */
  public static KafkaSettings from(Config config) {
    return new KafkaSettings(
        config.getString("bootstrap-servers"),
        config.getString("consumer-group"),
        config.getString("topics.events"),
        config.getString("topics.upstream"),
        config.getString("topics.dead-letters"),
        config.getBoolean("require-json"),
        config.getInt("events-in-flight"),
        config.getDuration("acknowledge-timeout"),
        config.getDuration("send-timeout"));
  }
}
