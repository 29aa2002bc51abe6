package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.gateway.Node.Door;
import dev.hawser.protocol.event.EventHeaders;
import io.github.centrifugal.centrifuge.ReplyError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Records nobody can deliver, restarts, and Kafka going away. */
class KafkaTest {

  private static Parts parts;

  @BeforeAll
  static void start() {
    parts = Parts.start(() -> EmbeddedKafka.startSecured("hawser", "its-password"));
  }

  @AfterAll
  static void stop() {
    parts.close();
  }

  @Test
  void whatCannotBeDeliveredIsSetAsideWithTheReasonAndTheRestGoesOn() throws Exception {
    try (TestNode node = TestNode.ready(parts);
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("careful"))) {
      tab.awaitConnected();
      byte[] key = "careful".getBytes(UTF_8);
      parts.push(
          new ProducerRecord<>("hawser.events", key, "{\"for\":\"nobody\"}".getBytes(UTF_8)));
      parts.push("careful", "not JSON at all");
      var notText = Parts.event("careful", "{}");
      notText.headers().remove(EventHeaders.USER).add(EventHeaders.USER, new byte[] {(byte) 0xFF});
      parts.push(notText);
      parts.push(new ProducerRecord<>("hawser.events", key, null));
      parts.push("careful", "\"still here\"");

      await().until(() -> !tab.received.isEmpty());
      assertThat(tab.received).containsExactly("\"still here\"");
      assertThat(parts.records("hawser.events.dlq", record -> Arrays.equals(record.key(), key), 4))
          .hasSize(4)
          .allSatisfy(
              record -> {
                assertThat(record.key()).isEqualTo(key);
                assertThat(Parts.headers(record))
                    .extractingByKey(EventHeaders.DEAD_LETTER_SOURCE)
                    .asString()
                    .startsWith("hawser.events-");
              })
          .extracting(record -> Parts.headers(record).get(EventHeaders.DEAD_LETTER_REASON))
          .containsExactly(
              "no target, expected header X-Uid",
              "the value is not JSON, and hawser.kafka.require-json is on",
              "a header is not UTF-8",
              "no target, expected header X-Uid");
    }
  }

  @Test
  void aRecordTooLargeForTheDeadLettersDoesNotStopThePartition() throws Exception {
    try (TestNode node = TestNode.ready(parts);
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("large"))) {
      tab.awaitConnected();
      parts.push("large", "x".repeat(1_048_440));
      parts.push("large", "\"next\"");
      await().atMost(Duration.ofMinutes(2)).until(() -> !tab.received.isEmpty());
      assertThat(tab.received).containsExactly("\"next\"");
    }
  }

  @Test
  void broadcastsReachEverybodyWhoIsConnectedAndNobodyWhoComesLater() throws Exception {
    try (TestNode node = TestNode.ready(parts);
        Tab here = Tab.open(node.url(Door.NETTY), Node.token("here"));
        Tab there = Tab.open(node.url(Door.PEKKO_HTTP), Node.token("there"))) {
      here.awaitConnected();
      there.awaitConnected();
      broadcast("{\"n\":1}");
      broadcast("not JSON");
      broadcast("{\"n\":2}");
      await().until(() -> here.messages.size() == 2 && there.messages.size() == 2);
      // The topic has two partitions.
      assertThat(here.messages).containsExactlyInAnyOrder("{\"n\":1}", "{\"n\":2}");
      assertThat(here.received).isEmpty();
      assertThat(node.metric("hawser_broadcasts_total")).isEqualTo(2);
    }
    try (TestNode node = TestNode.ready(parts);
        Tab late = Tab.open(node.url(Door.NETTY), Node.token("late"))) {
      late.awaitConnected();
      broadcast("{\"n\":3}");
      await().until(() -> !late.messages.isEmpty());
      assertThat(late.messages).containsExactly("{\"n\":3}");
    }
  }

  private static void broadcast(String payload) throws Exception {
    parts.push(new ProducerRecord<>("hawser.broadcast", payload.getBytes(UTF_8)));
  }

  @Test
  void everyClientOfKafkaGetsWhatTheFileOfPropertiesSays(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("kafka.properties");
    Files.writeString(
        file,
        """
        security.protocol=SASL_PLAINTEXT
        sasl.mechanism=PLAIN
        sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
          username="hawser" password="its-password";
        """);
    String settings =
        """
        hawser.kafka.bootstrap-servers = "%s"
        hawser.kafka.client-properties = "%s"
        hawser.presence.events.enabled = on
        """
            .formatted(parts.kafka.securedServers(), file);
    Predicate<ConsumerRecord<byte[], byte[]>> of =
        record -> Arrays.equals(record.key(), "known".getBytes(UTF_8));
    try (TestNode node = TestNode.ready(parts, settings);
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("known"))) {
      tab.awaitConnected();
      parts.push("known", "\"event\"");
      broadcast("\"broadcast\"");
      tab.client.send("\"upstream\"".getBytes(UTF_8), failure -> {});
      await().until(() -> tab.received.contains("\"event\""));
      await().until(() -> tab.messages.contains("\"broadcast\""));
      assertThat(parts.records("hawser.upstream", of, 1)).hasSize(1);
      assertThat(parts.records("hawser.presence", of, 1)).hasSize(1);
    }
  }

  @Test
  void aNodeThatStartsAgainGoesOnWhereTheLastOneStopped() throws Exception {
    try (TestNode node = TestNode.ready(parts);
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("returning"))) {
      tab.awaitConnected();
      parts.push("returning", "\"first\"");
      await().until(() -> tab.received.contains("\"first\""));
      // Lag on purpose, and none that is not.
      await().until(() -> node.metric("hawser_events_uncommitted") >= 1);
      assertThat(node.metric("hawser_events_unread")).isZero();
    }
    try (TestNode node = TestNode.ready(parts);
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("returning"))) {
      tab.awaitConnected();
      parts.push("returning", "\"second\"");
      await().until(() -> tab.received.contains("\"second\""));
      // Nobody has acknowledged the first one: this is another client, without a position.
      assertThat(tab.received).containsExactly("\"first\"", "\"second\"");
    }
  }

  @Test
  void whileKafkaIsAwayClientsStayAndAreToldToTryAgain() throws Exception {
    try (TestNode node = TestNode.ready(parts, "hawser.kafka.send-timeout = 1s");
        Tab tab = Tab.open(node.url(Door.NETTY), Node.token("patient"))) {
      tab.awaitConnected();
      parts.kafka.stop();
      try {
        var answer = new CompletableFuture<ReplyError>();
        publish(tab, answer);
        ReplyError error = answer.get(20, TimeUnit.SECONDS);
        assertThat(error.getCode()).isEqualTo(100);
        assertThat(error.isTemporary()).isTrue();
        assertThat(node.post("/api/publish", "{\"channel\":\"#patient\",\"data\":1}").body())
            .isEqualTo("{\"error\":{\"code\":100,\"message\":\"internal server error\"}}");
        await()
            .atMost(Duration.ofMinutes(2))
            .until(() -> node.metric("hawser_kafka_reachable") == 0);
        // It is away from all nodes: no other would serve the clients better.
        assertThat(node.management("/ready").statusCode()).isEqualTo(200);
        assertThat(node.management("/alive").statusCode()).isEqualTo(200);
      } finally {
        parts.kafka.restart();
      }
      await().atMost(Duration.ofMinutes(2)).until(() -> node.metric("hawser_kafka_reachable") == 1);
      parts.push("patient", "\"back\"");
      await().atMost(Duration.ofMinutes(2)).until(() -> tab.received.contains("\"back\""));
      assertThat(tab.disconnected).isNotDone();
    }
  }

  private static void publish(Tab tab, CompletableFuture<ReplyError> answer) {
    tab.client.publish(
        "#patient",
        "{}".getBytes(UTF_8),
        (failure, result) -> {
          if (failure instanceof ReplyError error) {
            answer.complete(error);
          } else {
            answer.completeExceptionally(
                new AssertionError("expected an error reply, got " + failure));
          }
        });
  }

  @Test
  void aNodeWhoseEventsTopicIsAnotherOneSaysSo() throws Exception {
    try (Parts own = Parts.start();
        TestNode node = TestNode.ready(own)) {
      try (var admin =
          Admin.create(Map.<String, Object>of("bootstrap.servers", own.kafka.bootstrapServers()))) {
        admin
            .createPartitions(
                Map.of("hawser.events", NewPartitions.increaseTo(2 * Parts.PARTITIONS)))
            .all()
            .get();
      }
      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> node.management("/ready").body().contains("restart all nodes"));
      assertThat(node.management("/ready").statusCode()).isEqualTo(503);
    }
  }

  @Test
  void aNodeThatStartsWithoutKafkaWaitsForIt() throws Exception {
    parts.kafka.stop();
    try (TestNode node = TestNode.start(parts, "")) {
      await()
          .atMost(Duration.ofMinutes(2))
          .ignoreExceptions()
          .untilAsserted(
              () ->
                  assertThat(node.management("/ready").body()).contains("Kafka is not reachable"));
      assertThat(node.gateway.ready().toCompletableFuture()).isNotDone();
      parts.kafka.restart();
      node.gateway.ready().toCompletableFuture().get(60, TimeUnit.SECONDS);
      try (Tab tab = Tab.open(node.url(Door.NETTY), Node.token("early"))) {
        tab.awaitConnected();
        parts.push("early", "\"works\"");
        await().atMost(Duration.ofMinutes(2)).until(() -> tab.received.contains("\"works\""));
      }
    }
  }
}
