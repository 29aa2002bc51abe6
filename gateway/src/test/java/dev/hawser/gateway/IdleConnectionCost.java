package dev.hawser.gateway;

import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Measures what one idle, authenticated connection costs on each door: live heap after a full
 * collection, with its session and presence. Not run by the build (its name does not end with
 * Test); {@code docs/performance.md} has the command and the figures.
 */
class IdleConnectionCost {

  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final int CONNECTIONS = 5_000;
  private static final int ROUNDS = 3;

  @Test
  void measure() throws Exception {
    try (Parts parts = Parts.start();
        TestNode node = TestNode.ready(parts, "hawser.connection.ping-interval = 600s")) {
      for (int round = 1; round <= ROUNDS; round++) {
        for (Door door : Door.values()) {
          long bytes = cost(node, door, round);
          System.out.printf(
              Locale.ROOT,
              "round %d, %s: %.2f KB of live heap a connection (%,d connections)%n",
              round,
              door,
              bytes / 1_000.0,
              CONNECTIONS);
        }
      }
    }
  }

  private static long cost(TestNode node, Door door, int round) throws Exception {
    int port = door == Door.NETTY ? node.webSocketPort : node.httpPort;
    long before = liveHeap();
    try (var _ =
        IdleClients.open(
            IntStream.range(0, CONNECTIONS)
                .mapToObj(i -> IdleClients.client(port, "%s-%d-%d".formatted(door, round, i))))) {
      Thread.sleep(2_000);
      return (liveHeap() - before) / CONNECTIONS;
    } finally {
      await().atMost(PATIENCE).until(() -> node.metric("hawser_connections") == 0);
      Thread.sleep(2_000);
    }
  }

  private static long liveHeap() throws InterruptedException, IOException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(300);
    }
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
