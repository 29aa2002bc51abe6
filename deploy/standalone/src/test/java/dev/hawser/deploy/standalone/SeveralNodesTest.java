package dev.hawser.deploy.standalone;

import static dev.hawser.deploy.standalone.HawserTest.freePorts;
import static dev.hawser.deploy.standalone.HawserTest.leftBehind;
import static dev.hawser.deploy.standalone.HawserTest.processesOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.LocalPort;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code hawser dev --nodes}, in processes of their own. */
class SeveralNodesTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  @TempDir private Path temporary = Path.of("");

  /** The nodes' processes, in order, as the welcome text tells them. */
  private static List<ProcessHandle> nodes(HawserProcess dev) {
    return Pattern.compile("node-\\d +process (\\d+)")
        .matcher(dev.output())
        .results()
        .map(found -> ProcessHandle.of(Long.parseLong(found.group(1))).orElseThrow())
        .toList();
  }

  private HawserProcess watch(String offset, int node) throws Exception {
    return new HawserProcess(
        temporary, "watch", "--user=alice", "--count=1", offset, "--node=" + node);
  }

  private static long upMembers(Ports ports) throws Exception {
    String members = HawserTest.get(ports.management(1), "/cluster/members");
    return Pattern.compile("\"status\":\"Up\"").matcher(members).results().count();
  }

  @Test
  void threeNodesReachEveryUserHealAndStopTogether() throws Exception {
    Ports ports = freePorts(3);
    String offset = "--port-offset=" + ports.offset();
    try (var dev = new HawserProcess(temporary, "dev", "--nodes=3", offset)) {
      dev.awaitOutput("Try in a second terminal");
      dev.output().lines().filter(line -> line.startsWith("Ready")).forEach(System.out::println);
      List<ProcessHandle> nodes = nodes(dev);
      assertThat(nodes).hasSize(3).allMatch(ProcessHandle::isAlive);
      assertThat(upMembers(ports)).isEqualTo(3);

      try (var first = watch(offset, 1);
          var second = watch(offset, 2);
          var third = watch(offset, 3)) {
        for (var watch : List.of(first, second, third)) {
          watch.awaitOutput("connected as client");
        }
        try (var push = new HawserProcess(temporary, "push", "--user=alice", offset, "{\"n\":1}")) {
          assertThat(push.awaitExit()).as(push.output()).isZero();
        }
        for (var watch : List.of(first, second, third)) {
          assertThat(watch.awaitExit()).as(watch.output()).isZero();
          assertThat(watch.output()).endsWith("{\"n\":1}");
        }
      }

      long killed = nodes.get(1).pid();
      nodes.get(1).destroyForcibly();
      dev.awaitOutput("node-2 | process %d ended with exit code 137".formatted(killed))
          .awaitOutput("node-2 | started again as process ");
      await()
          .atMost(PATIENCE)
          .until(() -> dev.output().matches("(?s).*node-2 \\| \\S+ INFO +ready.*"));
      await().atMost(PATIENCE).until(() -> upMembers(ports) == 3);

      long paused = nodes.get(2).pid();
      Signals.send("STOP", paused);
      Path state = Path.of("/proc", Long.toString(paused), "stat");
      await().atMost(PATIENCE).until(() -> Files.readString(state).contains(") T "));
      dev.terminate();
      assertThat(dev.awaitExit()).isEqualTo(HawserTest.TERMINATED);
      assertThat(dev.output())
          .endsWith("Stopped.")
          .doesNotContain("is killed", "node-1 | process", "node-3 | process", "while stopping");
    }
    assertThat(ports.purposes(3).keySet()).noneMatch(LocalPort::isTaken);
    assertThat(leftBehind(temporary)).isEmpty();
  }

  @Test
  void nodesEndWithAParentThatWasKilled() throws Exception {
    Ports ports = freePorts(2);
    try (var dev =
        new HawserProcess(temporary, "dev", "--nodes=2", "--port-offset=" + ports.offset())) {
      dev.awaitOutput("Try in a second terminal");
      List<ProcessHandle> nodes = nodes(dev);
      assertThat(nodes).hasSize(2).allMatch(ProcessHandle::isAlive);
      dev.process.destroyForcibly();
      await().atMost(PATIENCE).until(() -> nodes.stream().noneMatch(ProcessHandle::isAlive));
    } finally {
      // Which the next hawser dev would end.
      for (ProcessHandle postgreSql : processesOf(temporary)) {
        postgreSql.destroy();
        postgreSql.onExit().orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
      }
    }
  }
}
