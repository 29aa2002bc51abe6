package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.MILLISECONDS;

import dev.hawser.deploy.embedded.Directories;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * A node of {@code hawser dev} in a process of its own, which ends with this process, however this
 * one ends. All that it says is in its log; what matters is on the console, too. When it ends by
 * itself after all have started, it is started again.
 */
final class NodeProcess {

  private static final Duration RESTART_DELAY = Duration.ofSeconds(5);
  private static final int HTTP_TIMEOUT_MILLISECONDS = 1_000;

  private final int number;
  private final String name;
  private final Path configuration;
  private final Path logFile;
  private final Path temporary;
  private final URI readiness;
  private final PrintWriter log;
  private final NodeConsole console;
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread supervisor;

  /** Held here, or the collector would close its standard input, which ends it. */
  private Process process;

  private volatile boolean allStarted;

  /**
   * Starts a node.
   *
   * @param number from 1
   * @param settings HOCON
   * @param directory where its settings and its log, of which an earlier one is overwritten, are
   * @param readiness what answers 200 when it is ready
   */
  NodeProcess(int number, String settings, Path directory, URI readiness) throws IOException {
    this.number = number;
    this.name = "node-" + number;
    this.configuration = Files.writeString(directory.resolve(name + ".conf"), settings);
    this.logFile = directory.resolve(name + ".log");
    this.temporary = directory.resolve(name + "-temporary");
    this.readiness = readiness;
    this.log = new PrintWriter(Files.newBufferedWriter(logFile), true);
    this.console = new NodeConsole(number, name);
    this.process = launch();
    this.supervisor = Thread.ofPlatform().daemon().name(name).start(this::supervise);
  }

  int number() {
    return number;
  }

  String name() {
    return name;
  }

  Path log() {
    return logFile;
  }

  synchronized long pid() {
    return process.pid();
  }

  /**
   * Whether it serves clients.
   *
   * @throws IllegalStateException if it has ended, and not when all had started
   */
  boolean isReady() {
    if (!supervisor.isAlive()) {
      throw new IllegalStateException(name + " ended; its lines tell why");
    }
    try {
      var connection = (HttpURLConnection) readiness.toURL().openConnection();
      connection.setConnectTimeout(HTTP_TIMEOUT_MILLISECONDS);
      connection.setReadTimeout(HTTP_TIMEOUT_MILLISECONDS);
      boolean ready = connection.getResponseCode() == HttpURLConnection.HTTP_OK;
      connection.disconnect();
      return ready;
    } catch (IOException notYet) {
      return false;
    }
  }

  /** All nodes serve clients: from now on, this one is started again when it ends. */
  void allStarted() {
    allStarted = true;
  }

  /** Asks it to stop, and returns at once. */
  synchronized void stop() {
    stopping.countDown();
    // Not Process.destroy, which closes its output, too: its last words would be lost.
    process.toHandle().destroy();
    // One that was paused stops only when it goes on.
    Signals.send("CONT", process.pid());
  }

  /** Waits until it has stopped; if that takes too long, it is killed. */
  void awaitEnd(Duration timeout) {
    try {
      if (!supervisor.join(timeout)) {
        console.say("does not stop; it is killed");
        process.toHandle().destroyForcibly();
        supervisor.join();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private Process launch() throws IOException {
    List<String> command =
        ThisJvm.node(List.of("-Djava.io.tmpdir=" + emptied(temporary)), configuration);
    // Several JVMs start at once: the quicker compiler alone saves a third of the time. What this
    // process was given comes later and wins.
    command.add(1, "-XX:TieredStopAtLevel=1");
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** One that was killed could not remove what it had there. */
  private static Path emptied(Path directory) throws IOException {
    if (Files.exists(directory)) {
      Directories.delete(directory);
    }
    return Files.createDirectories(directory);
  }

  private void supervise() {
    try (log) {
      while (true) {
        copyOutput();
        int exit = process.waitFor();
        // Ctrl-C reaches all processes of a terminal, and the end of this one may be seen first.
        if (stopping.await(DevCommand.SIGNAL_GRACE.toMillis(), MILLISECONDS)) {
          return;
        }
        console.say(
            "process %d ended with exit code %d%s"
                .formatted(
                    process.pid(),
                    exit,
                    allStarted
                        ? "; it is started again in %d s".formatted(RESTART_DELAY.toSeconds())
                        : ""));
        if (!allStarted
            || stopping.await(RESTART_DELAY.toMillis(), MILLISECONDS)
            || !startAgain()) {
          return;
        }
        console.say("started again as process %d".formatted(process.pid()));
      }
    } catch (IOException failure) {
      console.say("cannot be started again: " + failure.getMessage());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** False when there was just asked for a stop. */
  private synchronized boolean startAgain() throws IOException {
    if (isStopping()) {
      return false;
    }
    process = launch();
    return true;
  }

  private NodeConsole.Phase phase() {
    if (isStopping()) {
      return NodeConsole.Phase.STOPPING;
    }
    return allStarted ? NodeConsole.Phase.RUNNING : NodeConsole.Phase.STARTING;
  }

  private boolean isStopping() {
    return stopping.getCount() == 0;
  }

  private void copyOutput() throws IOException {
    BufferedReader output = process.inputReader(UTF_8);
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      log.println(line);
      console.show(line, phase());
    }
  }
}
