package dev.hawser.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The node's one Kafka producer. Never blocks its caller: what cannot be buffered now, fails. */
public final class RecordPublisher implements AutoCloseable {

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration LONG = Duration.ofDays(7);

  private final KafkaProducer<byte[], byte[]> producer;

  public RecordPublisher(KafkaSettings settings) {
    int sendTimeout = Math.toIntExact(settings.sendTimeout().toMillis());
    producer =
        new KafkaProducer<>(
            settings.client(
                Map.of(
                    ProducerConfig.ACKS_CONFIG,
                    "all",
                    ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
                    true,
                    ProducerConfig.LINGER_MS_CONFIG,
                    1,
                    ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG,
                    sendTimeout - 2,
                    ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                    sendTimeout,
                    // Called on event loops, which must not wait for metadata or for buffer space;
                    // the metadata of a topic is fetched by the first call and kept.
                    ProducerConfig.MAX_BLOCK_MS_CONFIG,
                    0,
                    ProducerConfig.METADATA_MAX_IDLE_CONFIG,
                    LONG.toMillis())),
            new ByteArraySerializer(),
            new ByteArraySerializer());
  }

  /**
   * Whether a record to this topic can be taken: its partitions are known. If they are not, they
   * are asked for, and known a little later.
   */
  boolean knows(String topic) {
    try {
      return !producer.partitionsFor(topic).isEmpty();
    } catch (KafkaException notYet) {
      return false;
    }
  }

  /** Completes once the broker has acknowledged the record. */
  public CompletionStage<RecordMetadata> send(ProducerRecord<byte[], byte[]> record) {
    var acknowledged = new CompletableFuture<RecordMetadata>();
    try {
      var unused =
          producer.send(
              record,
              (metadata, failure) -> {
                if (failure == null) {
                  acknowledged.complete(metadata);
                } else {
                  acknowledged.completeExceptionally(failure);
                }
              });
    } catch (KafkaException | IllegalStateException failure) {
      acknowledged.completeExceptionally(failure);
    }
    return acknowledged;
  }

  /** Adds a header, unless it has no value. */
  static void addHeader(Headers headers, String name, String value) {
    if (!value.isEmpty()) {
      headers.add(name, value.getBytes(UTF_8));
    }
  }

  @Override
  public void close() {
    producer.close(CLOSE_TIMEOUT);
  }
}
