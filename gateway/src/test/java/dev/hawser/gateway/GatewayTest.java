package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import io.github.centrifugal.centrifuge.ClientState;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How a node begins and ends. */
class GatewayTest {

  private static Parts parts;

  @BeforeAll
  static void start() {
    parts = Parts.start();
  }

  @AfterAll
  static void stop() {
    parts.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"hawser.websocket.port", "hawser.http.port", "hawser.management.port"})
  void aTakenPortEndsTheNodeAndIsNamed(String setting) throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      var node = TestNode.start(parts, setting + " = " + taken.getLocalPort());
      assertThatThrownBy(() -> node.gateway.ready().toCompletableFuture().get(30, TimeUnit.SECONDS))
          .hasMessageContaining(setting)
          .hasMessageContaining(Integer.toString(taken.getLocalPort()));
      node.gateway.terminated().toCompletableFuture().get(30, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aClientOfANodeThatStopsComesBackToTheNextOne(Door door) throws Exception {
    var first = TestNode.ready(parts);
    try (Tab tab = Tab.open(first.url(door), Node.token("loyal"))) {
      tab.awaitConnected();
      first.close();
      await().until(() -> tab.client.getState() == ClientState.CONNECTING);
      assertThat(tab.disconnected).isNotDone();
      try (var second = TestNode.ready(parts, sameDoors(first))) {
        await()
            .atMost(30, TimeUnit.SECONDS)
            .until(() -> tab.client.getState() == ClientState.CONNECTED);
        assertThat(second.management("/ready").statusCode()).isEqualTo(200);
        parts.push("loyal", "\"%s\"".formatted(door));
        await().until(() -> tab.received.contains("\"%s\"".formatted(door)));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aNodeThatStopsSendsItsClientsAwayOneAfterTheOther(Door door) throws Exception {
    int clients = 30;
    var node = TestNode.ready(parts, "hawser.drain.rate = 10");
    List<Tab> tabs = new ArrayList<>();
    try (var producer = parts.producer()) {
      // Later there is no time to look for it.
      assertThat(producer.partitionsFor("hawser.broadcast")).isNotEmpty();
      for (int i = 0; i < clients; i++) {
        tabs.add(Tab.open(node.url(door), Node.token("drained-" + i)));
      }
      for (Tab tab : tabs) {
        tab.awaitConnected();
      }
      var stopped = node.gateway.stop();
      await()
          .untilAsserted(
              () -> assertThat(node.management("/ready").body()).contains("the node is stopping"));
      var unused =
          producer.send(new ProducerRecord<>("hawser.broadcast", "\"bye\"".getBytes(UTF_8)));
      List<Long> times = new ArrayList<>();
      for (Tab tab : tabs) {
        assertThat(tab.sentAwayWith.get(20, TimeUnit.SECONDS)).isEqualTo(3001);
        times.add(tab.sentAwayAt.join());
      }
      // Who is still there gets what there is.
      assertThat(tabs).anyMatch(tab -> tab.messages.contains("\"bye\""));
      Collections.sort(times);
      assertThat(Duration.ofNanos(times.getLast() - times.getFirst()))
          .isGreaterThan(Duration.ofSeconds(1));
      stopped.toCompletableFuture().get(30, TimeUnit.SECONDS);
    } finally {
      tabs.forEach(Tab::close);
      node.close();
    }
  }

  @Test
  void aSecondNodeWaitsWhileThereIsNoClusterToJoin() throws Exception {
    var first = TestNode.ready(parts);
    try (var second = TestNode.start(parts, "");
        Tab tab = Tab.open(first.url(Door.NETTY), Node.token("only"))) {
      tab.awaitConnected();
      await()
          .atMost(20, TimeUnit.SECONDS)
          .ignoreExceptions()
          .untilAsserted(
              () ->
                  assertThat(second.management("/ready").body())
                      .contains("other nodes are running"));
      parts.push("only", "\"still here\"");
      await().until(() -> tab.received.contains("\"still here\""));
      first.close();
      second.gateway.ready().toCompletableFuture().get(30, TimeUnit.SECONDS);
    } finally {
      first.close();
    }
  }

  private static String sameDoors(TestNode node) {
    return "hawser.websocket.port = %d\nhawser.http.port = %d"
        .formatted(node.webSocketPort, node.httpPort);
  }
}
