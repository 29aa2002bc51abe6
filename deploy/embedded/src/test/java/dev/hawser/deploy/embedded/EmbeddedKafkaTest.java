package dev.hawser.deploy.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedKafkaTest {

  private static final TopicPartition GREETINGS = new TopicPartition("greetings", 0);

  @Test
  void keepsRecordsOverAStop(@TempDir Path directory) throws Exception {
    try (var kafka = EmbeddedKafka.start(LocalPort.free(), LocalPort.free(), directory)) {
      kafka.createTopics(Map.of("greetings", 1));
      kafka.createTopics(Map.of("greetings", 1));
      Map<String, Object> client = Map.of("bootstrap.servers", kafka.bootstrapServers());
      try (var producer =
          new KafkaProducer<>(client, new StringSerializer(), new StringSerializer())) {
        producer.send(new ProducerRecord<>("greetings", "hello")).get();
      }
      kafka.restart();
      try (var consumer =
          new KafkaConsumer<>(client, new StringDeserializer(), new StringDeserializer())) {
        consumer.assign(List.of(GREETINGS));
        consumer.seekToBeginning(List.of(GREETINGS));
        var records = consumer.poll(Duration.ofSeconds(20));
        assertThat(records).extracting(record -> record.value()).containsExactly("hello");
      }
    }
  }
}
