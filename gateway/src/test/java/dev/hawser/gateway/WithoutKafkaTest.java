package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.gateway.Node.Door;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A node whose only events are those of the server API. */
class WithoutKafkaTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private static Parts parts;
  private static TestNode node;
  private static Balancer balancer;

  @BeforeAll
  static void start() throws Exception {
    parts = Parts.start();
    node = TestNode.ready(parts, "hawser.kafka.enabled = off");
    balancer = new Balancer(List.of(node));
  }

  @AfterAll
  static void stop() throws Exception {
    balancer.close();
    node.close();
    parts.close();
  }

  private static JsonNode publish(String user, String more) throws Exception {
    String body = "{\"channel\":\"#%s\",%s}".formatted(user, more);
    return new ObjectMapper().readTree(node.post("/api/publish", body).body()).path("result");
  }

  @Test
  void whatIsPublishedArrivesInOrderAtEveryTab() throws Exception {
    try (Tab one = Tab.open(node.url(Door.NETTY), Node.token("alone")).awaitConnected();
        Tab two = Tab.open(node.url(Door.PEKKO_HTTP), Node.token("alone")).awaitConnected()) {
      JsonNode first = publish("alone", "\"data\":1,\"tags\":{\"lang\":\"en\"}");
      JsonNode second = publish("alone", "\"data\":2,\"idempotency_key\":\"k\"");
      JsonNode again = publish("alone", "\"data\":2,\"idempotency_key\":\"k\"");
      JsonNode third = publish("alone", "\"data\":3");

      for (Tab tab : List.of(one, two)) {
        await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
        assertThat(tab.received).containsExactly("1", "2", "3");
        assertThat(tab.offsets)
            .containsExactly(
                first.path("offset").asLong(),
                second.path("offset").asLong(),
                third.path("offset").asLong());
        assertThat(tab.tags.getFirst()).containsEntry("lang", "en");
      }
      assertThat(again).isEqualTo(second);
      assertThat(third.path("epoch").asText()).isNotEmpty().isEqualTo(first.path("epoch").asText());
    }
  }

  @Test
  void severalNodesServeTheTabsOfAUserAndNobodyIsCutOff() throws Exception {
    String off = "hawser.kafka.enabled = off";
    try (Parts others = Parts.start()) {
      List<TestNode> nodes = TestNode.startCluster(others, List.of(off, off));
      try (TestNode first = nodes.get(0).awaitReady();
          TestNode second = nodes.get(1).awaitReady();
          Tab here = Tab.open(first.url(Door.NETTY), Node.token("both")).awaitConnected();
          Tab there = Tab.open(second.url(Door.NETTY), Node.token("both")).awaitConnected()) {
        // Nodes tell each other what they have twice a second or so.
        for (int n = 0; n < 10; n++) {
          String event = "{\"channel\":\"#both\",\"data\":%d}".formatted(n);
          assertThat(first.post("/api/publish", event).statusCode()).isEqualTo(200);
          int soFar = n + 1;
          await().atMost(PATIENCE).until(() -> here.received.size() == soFar);
          await().atMost(PATIENCE).until(() -> there.received.size() == soFar);
          Thread.sleep(200);
        }
        assertThat(here.interruptions).hasValue(0);
        assertThat(there.interruptions).hasValue(0);
        assertThat(first.connectionUrl("both")).isEqualTo(first.url(Door.NETTY));
        assertThat(second.connectionUrl("both")).isEqualTo(second.url(Door.NETTY));
      }
    }
  }

  @Test
  void whoWasAwayForAMomentGetsWhatItMissed() throws Exception {
    try (Tab tab = Tab.open(balancer.url(), Node.token("blinking")).awaitConnected()) {
      publish("blinking", "\"data\":1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      publish("blinking", "\"data\":2");
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }
}
