package dev.hawser.deploy.standalone.check;

import dev.hawser.deploy.standalone.check.DeliveryCheck.Place;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A node in a process of its own. Whoever ends it is to start it again. */
final class NodeUnderTest implements AutoCloseable {

  private static final int HTTP_TIMEOUT_MILLISECONDS = 1_000;
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration POLL = Duration.ofMillis(100);

  /**
   * Serving is not all: a node that just came back is still given partitions, users and clients.
   */
  private static final Duration READY_TIMEOUT = Duration.ofMinutes(3);

  private final Place place;
  private final Progress progress;

  /** Held here, or the collector would close its standard input, which ends it. */
  private Process process;

  private boolean wanted = true;

  NodeUnderTest(Place place, Progress progress) {
    this.place = place;
    this.progress = progress;
    this.process = launch();
  }

  String name() {
    return "node " + place.number();
  }

  int webSocketPort() {
    return place.webSocketPort();
  }

  /** As a balancer asks. */
  boolean isReady() {
    try {
      var connection = (HttpURLConnection) place.readiness().toURL().openConnection();
      connection.setConnectTimeout(HTTP_TIMEOUT_MILLISECONDS);
      connection.setReadTimeout(HTTP_TIMEOUT_MILLISECONDS);
      boolean ready = connection.getResponseCode() == HttpURLConnection.HTTP_OK;
      connection.disconnect();
      return ready;
    } catch (IOException notNow) {
      return false;
    }
  }

  /**
   * Waits until it serves clients.
   *
   * @throws IllegalStateException if it takes too long
   */
  void awaitReady() throws InterruptedException {
    long deadline = System.nanoTime() + READY_TIMEOUT.toNanos();
    while (!isReady()) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "%s is not ready after %d s; see %s"
                .formatted(name(), READY_TIMEOUT.toSeconds(), place.log()));
      }
      Thread.sleep(POLL);
    }
  }

  /** SIGKILL: it can say nothing. */
  synchronized void kill() throws InterruptedException {
    wanted = false;
    process.destroyForcibly().waitFor();
  }

  /** SIGTERM; returns when it has ended. */
  synchronized void stop() throws InterruptedException {
    wanted = false;
    // Not Process.destroy, which closes its standard input, too: that ends it at once.
    process.toHandle().destroy();
    if (!process.waitFor(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
      progress.note(name() + " does not stop, it is killed");
      process.destroyForcibly().waitFor();
    }
  }

  synchronized void startAgain() {
    wanted = true;
    process = launch();
  }

  /** SIGSTOP. */
  void pause() throws InterruptedException {
    signal("STOP");
  }

  /** SIGCONT. */
  void goOn() throws InterruptedException {
    signal("CONT");
  }

  private synchronized void signal(String name) throws InterruptedException {
    try {
      new ProcessBuilder("sh", "-c", "kill -%s %d".formatted(name, process.pid()))
          .start()
          .waitFor();
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot run sh", failure);
    }
  }

  private Process launch() {
    try {
      Process launched =
          new ProcessBuilder(place.command())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(place.log().toFile()))
              .start();
      var unused = launched.onExit().thenAccept(this::ended);
      return launched;
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot start " + name(), failure);
    }
  }

  /** As whatever runs it in production does. */
  private synchronized void ended(Process which) {
    if (wanted && which == process) {
      progress.note(
          "%s has ended by itself with exit code %d; it is started again"
              .formatted(name(), which.exitValue()));
      process = launch();
    }
  }

  @Override
  public synchronized void close() {
    wanted = false;
    process.destroyForcibly();
  }
}
