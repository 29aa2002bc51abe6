package dev.hawser.deploy.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedKafkaTest {

  private static final TopicPartition GREETINGS = new TopicPartition("greetings", 0);

  @Test
  void theSecondWayInIsForItsUserOnly() throws Exception {
    try (var kafka = EmbeddedKafka.startSecured("known", "right")) {
      assertThat(describe(kafka, "known", "right")).succeedsWithin(Duration.ofSeconds(20));
      assertThat(describe(kafka, "known", "wrong"))
          .failsWithin(Duration.ofSeconds(20))
          .withThrowableOfType(ExecutionException.class)
          .withCauseInstanceOf(SaslAuthenticationException.class);
    }
  }

  private static CompletableFuture<String> describe(
      EmbeddedKafka kafka, String user, String password) {
    try (var admin =
        Admin.create(
            Map.<String, Object>of(
                "bootstrap.servers",
                kafka.securedServers(),
                "security.protocol",
                "SASL_PLAINTEXT",
                "sasl.mechanism",
                "PLAIN",
                "sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required"
                    + " username=\"%s\" password=\"%s\";".formatted(user, password)))) {
      return admin.describeCluster().clusterId().toCompletionStage().toCompletableFuture();
    }
  }

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
