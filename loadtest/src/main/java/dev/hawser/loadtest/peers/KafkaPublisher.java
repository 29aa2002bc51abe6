package dev.hawser.loadtest.peers;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.server.Broadcasts;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/** Hawser's way to everyone: a record on hawser.broadcast, which Kafka acknowledges. */
final class KafkaPublisher implements Publisher {

  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  private final KafkaProducer<byte[], byte[]> producer;
  private final int payloadBytes;
  private volatile @Nullable Exception failure;

  KafkaPublisher(String kafka, int payloadBytes) {
    this.payloadBytes = payloadBytes;
    this.producer =
        new KafkaProducer<>(
            Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ProducerConfig.ACKS_CONFIG,
                "all",
                ProducerConfig.LINGER_MS_CONFIG,
                0,
                ProducerConfig.MAX_BLOCK_MS_CONFIG,
                TIMEOUT.toMillis()),
            new ByteArraySerializer(),
            new ByteArraySerializer());
  }

  @Override
  public void publish(long intended) {
    if (failure != null) {
      throw new IllegalStateException("Kafka refused a broadcast", failure);
    }
    byte[] value = Publisher.content(intended, payloadBytes).getBytes(UTF_8);
    var unused =
        producer.send(
            new ProducerRecord<>(Broadcasts.TOPIC, value),
            (metadata, refused) -> {
              if (refused != null) {
                failure = refused;
              }
            });
  }

  @Override
  public void close() {
    producer.close(TIMEOUT);
  }
}
