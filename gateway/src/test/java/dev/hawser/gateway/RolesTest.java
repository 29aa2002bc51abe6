package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A cluster in which one node serves clients, and another one tells who is there. */
class RolesTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @Test
  void eachNodeServesWhatItsRoleSays() throws Exception {
    try (Parts parts = Parts.start()) {
      List<TestNode> nodes =
          TestNode.startCluster(
              parts, List.of("hawser.roles = [gateway]", "hawser.roles = [presence]"));
      try (TestNode gateway = nodes.get(0).awaitReady();
          TestNode presence = nodes.get(1).awaitReady();
          Tab tab = Tab.open(gateway.url(Door.NETTY), Node.token("seen")).awaitConnected()) {
        parts.push("seen", "1");
        await().atMost(PATIENCE).until(() -> tab.received.contains("1"));
        await()
            .atMost(PATIENCE)
            .untilAsserted(
                () ->
                    assertThat(presence.api("/api/presence/seen").body())
                        .contains("\"online\":true"));

        assertThat(gateway.api("/api/presence/seen").statusCode()).isEqualTo(404);
        assertThat(gateway.connectionUrl("seen")).isEqualTo(gateway.url(Door.NETTY));
        assertThat(presence.api("/api/connection-url?user=seen").statusCode()).isEqualTo(404);
        assertThatThrownBy(
                () -> new Socket(InetAddress.getLoopbackAddress(), presence.webSocketPort).close())
            .isInstanceOf(ConnectException.class);
        assertThat(gateway.management("/ready").statusCode()).isEqualTo(200);
        assertThat(presence.management("/ready").statusCode()).isEqualTo(200);
        assertThat(presence.metric("hawser_postgresql_reachable")).isEqualTo(1);
      }
    }
  }
}
