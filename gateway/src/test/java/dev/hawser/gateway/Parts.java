package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.protocol.event.EventHeaders;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Real PostgreSQL and Kafka, with the topics that a node needs. */
final class Parts implements AutoCloseable {

  static final String DATABASE = "hawser";
  static final int PARTITIONS = 4;

  final EmbeddedPostgreSql postgreSql;
  final EmbeddedKafka kafka;

  static Parts start() {
    return start(EmbeddedKafka::start);
  }

  static Parts start(Supplier<EmbeddedKafka> broker) {
    var starting = CompletableFuture.supplyAsync(broker);
    var postgreSql = EmbeddedPostgreSql.start();
    postgreSql.createDatabase(DATABASE);
    var kafka = starting.join();
    kafka.createTopics(
        Map.of(
            "hawser.events",
            PARTITIONS,
            "hawser.upstream",
            1,
            "hawser.presence",
            1,
            "hawser.broadcast",
            2,
            "hawser.events.dlq",
            1));
    return new Parts(postgreSql, kafka);
  }

  private Parts(EmbeddedPostgreSql postgreSql, EmbeddedKafka kafka) {
    this.postgreSql = postgreSql;
    this.kafka = kafka;
  }

  /** A producer for events; close it. */
  KafkaProducer<byte[], byte[]> producer() {
    return new KafkaProducer<>(
        Map.of("bootstrap.servers", kafka.bootstrapServers(), "linger.ms", 5),
        new ByteArraySerializer(),
        new ByteArraySerializer());
  }

  /** An event as a business service writes it. */
  static ProducerRecord<byte[], byte[]> event(String user, String payload) {
    var event =
        new ProducerRecord<>("hawser.events", user.getBytes(UTF_8), payload.getBytes(UTF_8));
    event.headers().add(EventHeaders.USER, user.getBytes(UTF_8));
    return event;
  }

  /** Writes one event and waits for the broker. */
  void push(String user, String payload) throws Exception {
    push(event(user, payload));
  }

  /**
   * Pushes {@code {"n":0}}, {@code {"n":1}}, … to each of the users, in turns.
   *
   * @return what each user should get
   */
  List<String> pushNumbered(List<String> users, int perUser) {
    List<String> payloads = IntStream.range(0, perUser).mapToObj(n -> "{\"n\":" + n + "}").toList();
    try (var producer = producer()) {
      for (String payload : payloads) {
        for (String user : users) {
          var unused = producer.send(event(user, payload));
        }
      }
    }
    return payloads;
  }

  /** Waits until all that is in the topic was committed: another node will not hear of it. */
  void awaitCommitted() throws Exception {
    try (var admin =
        Admin.create(Map.<String, Object>of("bootstrap.servers", kafka.bootstrapServers()))) {
      await()
          .atMost(Duration.ofMinutes(2))
          .until(
              () -> {
                Map<TopicPartition, OffsetAndMetadata> committed =
                    admin.listConsumerGroupOffsets("hawser").partitionsToOffsetAndMetadata().get();
                for (int i = 0; i < PARTITIONS; i++) {
                  var partition = new TopicPartition("hawser.events", i);
                  long end =
                      admin
                          .listOffsets(Map.of(partition, OffsetSpec.latest()))
                          .partitionResult(partition)
                          .get()
                          .offset();
                  var known = committed.get(partition);
                  if (end > (known == null ? 0 : known.offset())) {
                    return false;
                  }
                }
                return true;
              });
    }
  }

  void push(ProducerRecord<byte[], byte[]> record) throws Exception {
    try (var producer = producer()) {
      producer.send(record).get();
    }
  }

  /** Waits for {@code count} records of a topic with one partition, from its beginning. */
  List<ConsumerRecord<byte[], byte[]>> records(String topic, int count) {
    return records(topic, record -> true, count);
  }

  /** The same, of those records that are wanted. */
  List<ConsumerRecord<byte[], byte[]>> records(
      String topic, Predicate<ConsumerRecord<byte[], byte[]>> wanted, int count) {
    var records = new java.util.ArrayList<ConsumerRecord<byte[], byte[]>>();
    var partition = new TopicPartition(topic, 0);
    long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    try (var consumer =
        new KafkaConsumer<>(
            Map.<String, Object>of(
                "bootstrap.servers", kafka.bootstrapServers(), "isolation.level", "read_committed"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      while (records.size() < count && System.nanoTime() < deadline) {
        consumer
            .poll(Duration.ofMillis(200))
            .forEach(
                record -> {
                  if (wanted.test(record)) {
                    records.add(record);
                  }
                });
      }
    }
    return records;
  }

  /** All headers of a record as text. */
  static Map<String, String> headers(ConsumerRecord<byte[], byte[]> record) {
    var headers = new HashMap<String, String>();
    record
        .headers()
        .forEach(header -> headers.put(header.key(), new String(header.value(), UTF_8)));
    return headers;
  }

  @Override
  public void close() {
    kafka.close();
    postgreSql.close();
  }
}
