package dev.hawser.presence;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;

/**
 * How Kafka is reached, the same for all its clients in the node.
 *
 * @param bootstrapServers {@code host:port}, several with commas
 * @param properties what they need besides, such as {@code security.protocol}; may hold secrets
 */
public record KafkaAccess(String bootstrapServers, Map<String, String> properties) {

  /** Copies the properties. */
  public KafkaAccess {
    properties = Map.copyOf(properties);
  }

  /**
   * Reads the properties.
   *
   * @param file in the form that Kafka's own tools take as {@code --command-config}; empty for none
   * @throws IllegalArgumentException if the file cannot be read
   */
  public static KafkaAccess of(String bootstrapServers, String file) {
    var properties = new Properties();
    if (!file.isBlank()) {
      try (var reader = Files.newBufferedReader(Path.of(file))) {
        properties.load(reader);
      } catch (IOException | IllegalArgumentException unreadable) {
        throw new IllegalArgumentException(
            "hawser.kafka.client-properties is %s, expected a readable file of properties: %s"
                .formatted(file, unreadable),
            unreadable);
      }
    }
    return new KafkaAccess(
        bootstrapServers,
        properties.stringPropertyNames().stream()
            .collect(Collectors.toMap(name -> name, properties::getProperty)));
  }

  /** The configuration of one client. What the client itself asks for wins. */
  public Map<String, Object> client(Map<String, Object> own) {
    Map<String, Object> all = new HashMap<>(properties);
    all.putAll(own);
    all.put("bootstrap.servers", bootstrapServers);
    return all;
  }

  /** Without secrets. */
  @Override
  public String toString() {
    return bootstrapServers;
  }
}
