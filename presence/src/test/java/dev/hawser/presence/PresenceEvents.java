package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** The presence events of a test, as a consumer reads them. */
final class PresenceEvents {

  static final String TOPIC = "hawser.presence";

  private static final int PARTITIONS = 3;
  private static final ObjectMapper JSON = new ObjectMapper();

  /** As PostgreSQL writes instants. */
  private static final DateTimeFormatter MICROSECONDS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS").withZone(ZoneOffset.UTC);

  private PresenceEvents() {}

  /** A broker with the topic. */
  static EmbeddedKafka kafka() {
    var kafka = EmbeddedKafka.start();
    create(kafka, TOPIC);
    return kafka;
  }

  static void create(EmbeddedKafka kafka, String topic) {
    kafka.createTopics(Map.of(topic, PARTITIONS));
  }

  /** The block {@code hawser.presence.events}. */
  static String settings(EmbeddedKafka kafka, String topic) {
    return "{ enabled = on, bootstrap-servers = \"%s\", topic = %s }"
        .formatted(kafka.bootstrapServers(), topic);
  }

  /** All there are, in the order of each partition. */
  static List<JsonNode> all(EmbeddedKafka kafka, String topic) {
    return records(kafka, topic).stream().map(PresenceEvents::read).toList();
  }

  private static JsonNode read(ConsumerRecord<String, byte[]> record) {
    try {
      JsonNode event = JSON.readTree(record.value());
      assertThat(record.key()).isEqualTo(event.get("user").asText());
      return event;
    } catch (IOException notJson) {
      throw new UncheckedIOException(notJson);
    }
  }

  private static List<ConsumerRecord<String, byte[]>> records(EmbeddedKafka kafka, String topic) {
    List<ConsumerRecord<String, byte[]>> records = new ArrayList<>();
    try (var consumer =
        new KafkaConsumer<>(
            Map.of(
                "bootstrap.servers", kafka.bootstrapServers(), "isolation.level", "read_committed"),
            new StringDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          IntStream.range(0, PARTITIONS).mapToObj(n -> new TopicPartition(topic, n)).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      var ends = consumer.endOffsets(partitions);
      while (partitions.stream()
          .anyMatch(one -> consumer.position(one) < ends.getOrDefault(one, 0L))) {
        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      }
    }
    return records;
  }

  /**
   * Everything in the tables is over, and was told: begin and end of each stay and of each view,
   * once and in order.
   */
  static void assertTold(EmbeddedKafka kafka, TestDatabase database) {
    List<String> told = new ArrayList<>();
    for (JsonNode event : all(kafka, TOPIC)) {
      String line = event.get("user").asText() + "|" + event.path("resource").asText("-");
      switch (event.get("event").asText()) {
        case "online", "view-began" -> told.add(line + "|began");
        case "offline", "view-ended" ->
            told.add(line + "|" + MICROSECONDS.format(Instant.parse(event.get("at").asText())));
        case "was-online", "viewed" -> {
          told.add(line + "|began");
          told.add(line + "|" + MICROSECONDS.format(Instant.parse(event.get("at").asText())));
        }
        default -> {}
      }
    }
    List<String> recorded =
        database.rows(
            """
            SELECT user_id, resource, what FROM (
              SELECT user_id, '-' AS resource, join_at, terminate_at FROM presence_stays
              UNION ALL
              SELECT user_id, resource, join_at, terminate_at FROM viewing_stays) AS stays
            CROSS JOIN LATERAL (VALUES
              (1, 'began'),
              (2, to_char(terminate_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')))
              AS told (place, what)
            ORDER BY user_id, resource, join_at, place
            """);
    // Of each user and view in order; told goes by partition.
    assertThat(inOrder(told)).isEqualTo(inOrder(recorded));
    System.out.printf("%d begins and ends told%n", told.size());
  }

  private static Map<String, List<String>> inOrder(List<String> lines) {
    var ordered = new TreeMap<String, List<String>>();
    for (String line : lines) {
      int end = line.lastIndexOf('|');
      ordered
          .computeIfAbsent(line.substring(0, end), key -> new ArrayList<>())
          .add(line.substring(end + 1));
    }
    return ordered;
  }
}
