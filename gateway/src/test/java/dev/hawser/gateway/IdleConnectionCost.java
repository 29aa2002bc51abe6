package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.Node.Door;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/**
 * Measures what one idle, authenticated connection costs on each door: live heap after a full
 * collection, with its session and presence. Not run by the build (its name does not end with
 * Test); {@code docs/performance.md} has the command and the figures.
 */
class IdleConnectionCost {

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
    Process clients =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                "target/test-classes",
                IdleClients.class.getName(),
                Integer.toString(port))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var out = clients.outputWriter(UTF_8);
        var in = clients.inputReader(UTF_8)) {
      for (int i = 0; i < CONNECTIONS; i++) {
        out.write(Node.token("%s-%d-%d".formatted(door, round, i)));
        out.newLine();
      }
      out.newLine();
      out.flush();
      assertThat(in.readLine()).isEqualTo("connected " + CONNECTIONS);
      Thread.sleep(2_000);
      return (liveHeap() - before) / CONNECTIONS;
    } finally {
      clients.waitFor();
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
