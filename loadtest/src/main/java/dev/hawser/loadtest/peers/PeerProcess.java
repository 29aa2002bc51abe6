package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.client.WorkerPlan.Speech;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A server that is not Hawser, as a child process with what it starts. What it says is in a log.
 */
final class PeerProcess implements Server {

  private static final String VERSIONS = "versions: ";
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final int STOP_SECONDS = 5;

  private final Peer peer;
  private final int port;
  private final Process process;
  private final Path log;

  /**
   * Starts it, and waits until it takes connections.
   *
   * @param port it listens on, of 127.0.0.1
   */
  PeerProcess(Peer peer, int port, List<String> command, Path directory)
      throws IOException, InterruptedException {
    this.peer = peer;
    this.port = port;
    this.log = directory.resolve(peer.text() + ".log");
    this.process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try {
      awaitListening();
    } catch (InterruptedException | RuntimeException failure) {
      close();
      throw failure;
    }
  }

  @Override
  public URI url() {
    return address(peer.subscribePath());
  }

  @Override
  public Speech speech() {
    return peer.speech();
  }

  /** The first line that tells, or the whole of a short log. */
  @Override
  public String versions() throws IOException {
    String nginx = peer == Peer.NCHAN ? Peer.nchanVersions() : "";
    try (Stream<String> lines = Files.lines(log)) {
      return lines
          .filter(line -> line.startsWith(VERSIONS))
          .map(line -> line.substring(VERSIONS.length()))
          .findFirst()
          .orElse(nginx);
    }
  }

  @Override
  public List<Long> processes() {
    return Stream.concat(Stream.of(process.toHandle()), process.descendants())
        .map(ProcessHandle::pid)
        .toList();
  }

  @Override
  public boolean isJvm() {
    return peer.isJvm();
  }

  @Override
  public Publisher publisher(int payloadBytes) throws InterruptedException {
    return new WebSocketPublisher(address(peer.publishPath()), peer.speech(), payloadBytes);
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    } catch (InterruptedException interrupted) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private URI address(String path) {
    return URI.create("ws://127.0.0.1:%d%s".formatted(port, path));
  }

  private void awaitListening() throws InterruptedException {
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (true) {
      try (var _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
        return;
      } catch (IOException notYet) {
        if (!process.isAlive() || System.nanoTime() - deadline > 0) {
          throw new IllegalStateException("did not start; see " + log, notYet);
        }
        Thread.sleep(50);
      }
    }
  }
}
