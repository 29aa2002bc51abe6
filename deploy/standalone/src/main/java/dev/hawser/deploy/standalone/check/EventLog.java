package dev.hawser.deploy.standalone.check;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.deploy.standalone.check.History.Event;
import dev.hawser.protocol.event.EventHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes numbered events to Kafka, as a business service does, and reads them all at the end. */
final class EventLog implements AutoCloseable {

  static final String TOPIC = "hawser.events";

  private static final Duration POLL = Duration.ofMillis(500);

  /** Longer than any outage: an event that was given up would be of unknown fate. */
  private static final int DELIVERY_MILLISECONDS = 120_000;

  private static final int REQUEST_MILLISECONDS = 5_000;

  private final String servers;
  private final Progress progress;
  private final KafkaProducer<byte[], byte[]> producer;
  private final AtomicLong sent = new AtomicLong();
  private final Set<Long> acknowledged = ConcurrentHashMap.newKeySet();

  EventLog(String servers, Progress progress) {
    this.servers = servers;
    this.progress = progress;
    this.producer =
        new KafkaProducer<>(
            Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                servers,
                ProducerConfig.ACKS_CONFIG,
                "all",
                ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
                true,
                ProducerConfig.LINGER_MS_CONFIG,
                5,
                ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG,
                REQUEST_MILLISECONDS,
                ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                DELIVERY_MILLISECONDS,
                ProducerConfig.MAX_BLOCK_MS_CONFIG,
                DELIVERY_MILLISECONDS),
            new ByteArraySerializer(),
            new ByteArraySerializer());
  }

  /** Writes one; returns its number. */
  long send(String user, boolean kept) {
    return send(user, kept, 1);
  }

  /** The same, by a producer that does not know whether Kafka has it, and writes it again. */
  long send(String user, boolean kept, int times) {
    long number = sent.getAndIncrement();
    byte[] payload = new EventPayload(number, user, progress.now()).json();
    var record = new ProducerRecord<>(TOPIC, user.getBytes(UTF_8), payload);
    record
        .headers()
        .add(EventHeaders.USER, user.getBytes(UTF_8))
        .add(EventHeaders.ID, Long.toString(number).getBytes(UTF_8))
        .add(EventHeaders.OFFLINE, (kept ? "keep" : "drop").getBytes(UTF_8));
    for (int i = 0; i < times; i++) {
      var unused =
          producer.send(
              record,
              (metadata, failure) -> {
                if (failure == null) {
                  acknowledged.add(number);
                }
              });
    }
    return number;
  }

  long sent() {
    return sent.get();
  }

  int acknowledged() {
    return acknowledged.size();
  }

  /** Waits until Kafka has answered for all. */
  void flush() {
    producer.flush();
  }

  /**
   * Each user's events, in the order of the stream.
   *
   * @throws IllegalStateException if Kafka has lost some that it has acknowledged: then nothing can
   *     be judged
   */
  Map<String, List<Event>> read() {
    Map<String, List<Event>> events = new HashMap<>();
    Set<Long> known = new HashSet<>();
    Set<Long> missing = new HashSet<>(acknowledged);
    var deserializer = new ByteArrayDeserializer();
    Map<String, Object> settings = Map.of(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
    try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(TOPIC).stream()
              .map(partition -> new TopicPartition(TOPIC, partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          var payload = EventPayload.of(record.value());
          missing.remove(payload.number());
          if (known.add(payload.number())) {
            String offline =
                new String(record.headers().lastHeader(EventHeaders.OFFLINE).value(), UTF_8);
            events
                .computeIfAbsent(payload.user(), user -> new ArrayList<>())
                .add(
                    new Event(
                        record.offset() + 1,
                        payload.number(),
                        offline.equals("keep"),
                        payload.sentAt()));
          }
        }
      }
    }
    if (!missing.isEmpty()) {
      throw new IllegalStateException(
          "Kafka has lost %d events that it had acknowledged".formatted(missing.size()));
    }
    return events;
  }

  @Override
  public void close() {
    producer.close(Duration.ofSeconds(10));
  }
}
