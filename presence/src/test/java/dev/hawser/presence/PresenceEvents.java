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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
   * once. In order, but for what was over when it was written: that is told as such.
   */
  static void assertTold(EmbeddedKafka kafka, TestDatabase database) {
    List<String> told = new ArrayList<>();
    Set<String> late = new HashSet<>();
    for (JsonNode event : all(kafka, TOPIC)) {
      String stay =
          "%s|%s|%d"
              .formatted(
                  event.get("user").asText(),
                  event.path("resource").asText("-"),
                  event.get("stay").asLong());
      String end = stay + "|" + MICROSECONDS.format(Instant.parse(event.get("at").asText()));
      switch (event.get("event").asText()) {
        case "online", "view-began" -> told.add(stay + "|began");
        case "offline", "view-ended" -> told.add(end);
        case "was-online", "viewed" -> {
          late.add(stay);
          told.add(stay + "|began");
          told.add(end);
        }
        default -> {}
      }
    }
    List<String> recorded =
        database.rows(
            """
            SELECT user_id, resource, id, what FROM (
              SELECT id, user_id, '-' AS resource, join_at, terminate_at FROM presence_stays
              UNION ALL
              SELECT id, user_id, resource, join_at, terminate_at FROM viewing_stays) AS stays
            CROSS JOIN LATERAL (VALUES
              (1, 'began'),
              (2, to_char(terminate_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')))
              AS told (place, what)
            ORDER BY user_id, resource, join_at, place
            """);
    assertThat(told).containsExactlyInAnyOrderElementsOf(recorded);
    Predicate<String> inTime = line -> !late.contains(line.substring(0, line.lastIndexOf('|')));
    // Of each user and view; told goes by partition.
    assertThat(byUserAndView(told.stream().filter(inTime)))
        .isEqualTo(byUserAndView(recorded.stream().filter(inTime)));
    System.out.printf("%d begins and ends told, of %d late%n", told.size(), late.size());
  }

  private static Map<String, List<String>> byUserAndView(Stream<String> lines) {
    return lines.collect(
        Collectors.groupingBy(
            line -> line.substring(0, line.indexOf('|', line.indexOf('|') + 1)),
            TreeMap::new,
            Collectors.toList()));
  }
}
