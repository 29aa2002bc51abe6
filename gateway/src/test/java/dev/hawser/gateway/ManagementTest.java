package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.LocalPort;
import dev.hawser.gateway.Node.Door;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class ManagementTest {

  @Test
  void whileANodeStartsNobodyIsToldThatItIsReadyBeforeItTakesClients() throws Exception {
    int management = LocalPort.free();
    int webSocket = LocalPort.free();
    try (Parts parts = Parts.start()) {
      var takesClients =
          CompletableFuture.supplyAsync(
              () -> {
                awaitReady(management);
                return LocalPort.isTaken(webSocket);
              },
              task -> Thread.ofPlatform().daemon().start(task));
      try (TestNode node =
          TestNode.start(
              parts,
              "hawser { management.port = %d, websocket.port = %d }"
                  .formatted(management, webSocket))) {
        assertThat(node.gateway.ready()).succeedsWithin(Duration.ofSeconds(30));
        assertThat(takesClients).succeedsWithin(Duration.ofSeconds(5)).isEqualTo(true);
      }
    }
  }

  /** Asks all the time, from before there is somebody who answers. */
  private static void awaitReady(int management) {
    while (true) {
      try {
        var asked =
            (HttpURLConnection)
                URI.create("http://127.0.0.1:%d/ready".formatted(management))
                    .toURL()
                    .openConnection();
        int status = asked.getResponseCode();
        asked.disconnect();
        if (status == 200) {
          return;
        }
      } catch (IOException notYet) {
        // It has not bound its port.
      }
    }
  }

  @Test
  void theFiguresFollowWhatClientsDo() throws Exception {
    try (Parts parts = Parts.start();
        TestNode node = TestNode.ready(parts)) {
      assertThat(node.management("/ready").statusCode()).isEqualTo(200);
      assertThat(node.management("/alive").statusCode()).isEqualTo(200);
      try (Tab tab = Tab.open(node.url(Door.NETTY), Node.token("counted"))) {
        tab.awaitConnected();
        parts.push("counted", "1");
        await().until(() -> tab.received.size() == 1);
        System.gc();
        assertThat(figure(node, "hawser_connections")).isEqualTo(1);
        assertThat(figure(node, "hawser_connects_total")).isEqualTo(1);
        assertThat(figure(node, "hawser_pushes_total")).isEqualTo(1);
        assertThat(figure(node, "hawser_events_total{to=\"user\"}")).isEqualTo(1);
        assertThat(figure(node, "hawser_presence_lag_seconds")).isGreaterThanOrEqualTo(0);
      }
      await().until(() -> figure(node, "hawser_connections") == 0);
      assertThat(figure(node, "hawser_disconnects_total{code=\"3000\"}")).isEqualTo(1);
      try (Tab tab = Tab.open(node.url(Door.NETTY), "not a token")) {
        await().until(tab.disconnected::isDone);
      }
      assertThat(figure(node, "hawser_disconnects_total{code=\"3500\"}")).isEqualTo(1);
    }
  }

  @Test
  void aNodeThatIsFullSaysSoToBalancers() throws Exception {
    try (Parts parts = Parts.start();
        TestNode node = TestNode.ready(parts, "hawser.admission.max-connections = 1");
        Tab first = Tab.open(node.url(Door.NETTY), Node.token("first"))) {
      first.awaitConnected();
      assertThat(node.management("/ready").statusCode()).isEqualTo(200);
      try (Tab second = Tab.open(node.url(Door.NETTY), Node.token("second"))) {
        await().until(() -> node.management("/ready").statusCode() == 503);
        assertThat(node.management("/ready").body()).contains("as many connections");
        assertThat(figure(node, "hawser_refused_total{reason=\"connections\"}")).isPositive();
        assertThat(second.isConnected()).isFalse();
        first.client.disconnect();
        await().atMost(Duration.ofMinutes(2)).until(second::isConnected);
      }
      await().until(() -> node.management("/ready").statusCode() == 200);
      assertThat(node.management("/alive").statusCode()).isEqualTo(200);
    }
  }

  private static double figure(TestNode node, String name) throws Exception {
    String body = node.management("/metrics").body();
    var line =
        Pattern.compile("^" + Pattern.quote(name) + " (.*)$", Pattern.MULTILINE).matcher(body);
    assertThat(line.find()).as("%s in %s", name, body).isTrue();
    return Double.parseDouble(line.group(1));
  }
}
