package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigRenderOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** A node in a process of its own, which can be killed, paused and stopped. */
final class NodeProcess extends Node implements AutoCloseable {

  private static final Duration PATIENCE = Duration.ofSeconds(90);

  private final Path configuration;
  private final Path log;
  private Process process;

  /**
   * Starts several nodes that find each other; does not wait. Settings and logs go to the
   * directory.
   */
  static List<NodeProcess> startCluster(Parts parts, int count, Path directory) {
    List<Node> places = IntStream.range(0, count).mapToObj(i -> new Node()).toList();
    String cluster = cluster(places.stream().map(place -> place.managementPort).toList());
    return IntStream.range(0, count)
        .mapToObj(
            i -> new NodeProcess(places.get(i), parts, cluster, directory.resolve("node" + i)))
        .toList();
  }

  private NodeProcess(Node place, Parts parts, String settings, Path files) {
    super(place);
    this.configuration = Path.of(files + ".conf");
    this.log = Path.of(files + ".log");
    try {
      Files.deleteIfExists(log);
      Files.writeString(
          configuration, settings(parts, settings).root().render(ConfigRenderOptions.concise()));
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    this.process = launch();
    // A build that is stopped leaves nothing behind.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> process.destroyForcibly()));
  }

  private Process launch() {
    try {
      return new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "@" + Path.of("..", "bin", "jvm.options"),
              "-Xmx512m",
              "-XX:TieredStopAtLevel=1",
              "-Dconfig.file=" + configuration,
              "-cp",
              System.getProperty("java.class.path"),
              Main.class.getName())
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
          .start();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  NodeProcess awaitReady() {
    await()
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(100))
        .until(
            () -> {
              assertThat(process.isAlive()).as("the node runs, see " + log).isTrue();
              return isReady();
            });
    return this;
  }

  void startAgain() {
    process = launch();
  }

  /** As the kernel does when memory is short: the node can say nothing. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** Stops as Kubernetes stops a pod; returns when it has ended. */
  void terminate() throws InterruptedException {
    process.destroy();
    assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).as("ended").isTrue();
  }

  void pause() throws Exception {
    signal("STOP");
  }

  void goOn() throws Exception {
    signal("CONT");
  }

  private void signal(String name) throws Exception {
    var kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()));
    assertThat(kill.inheritIO().start().waitFor()).isZero();
  }

  /** Its log, all of it. */
  String log() {
    try {
      return Files.readString(log);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }
}
