package dev.hawser.presence;

import com.typesafe.config.ConfigFactory;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Presence of one node in a process of its own, which can be killed and paused as real ones are. As
 * a gateway does, it drops all clients and starts anew when its lease is lost.
 */
final class NodeProcess {

  /** What all clients view as long as they are connected. */
  static final String RESOURCE = "lesson";

  private static final String REGISTERED = "registered";
  private static final String LOST = "lost";

  private final Process process;
  private final Writer commands;
  private final CountDownLatch registered = new CountDownLatch(1);

  /** How often the node has lost its lease; clients of before are gone. */
  private int generation;

  private volatile Consumer<NodeProcess> lost = NodeProcess::forgetClients;

  /**
   * Starts it.
   *
   * @param settings of {@code hawser.presence}, on one line or more
   */
  NodeProcess(String settings, String node) throws IOException {
    process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                NodeProcess.class.getName(),
                settings,
                node)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    commands = process.outputWriter(StandardCharsets.UTF_8);
    Thread.ofVirtual().start(this::listen);
  }

  private void listen() {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.equals(REGISTERED)) {
          registered.countDown();
        } else if (line.equals(LOST)) {
          lost.accept(this);
        }
      }
    } catch (IOException killed) {
      // As the test wants it.
    }
  }

  /** Called when the node has lost its lease and dropped all its clients; to forget them, too. */
  void onLost(Consumer<NodeProcess> listener) {
    lost = listener;
  }

  /** What is said from now on is about clients that came after the lease was lost. */
  synchronized void forgetClients() {
    generation++;
  }

  void awaitRegistered() throws InterruptedException {
    if (!registered.await(60, TimeUnit.SECONDS)) {
      throw new AssertionError("the node did not register");
    }
  }

  void connected(String user) {
    command("+", user);
  }

  void disconnected(String user) {
    command("-", user);
  }

  private synchronized void command(String sign, String user) {
    try {
      commands.write(sign + generation + " " + user + "\n");
      commands.flush();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** {@code STOP} or {@code CONT}. */
  void signal(String signal) throws IOException, InterruptedException {
    var unused =
        new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
  }

  /** As {@code kill -9} does. */
  void kill() throws InterruptedException {
    var unused = process.destroyForcibly().waitFor();
  }

  /** Stops it as a node is stopped. */
  void stop() throws IOException, InterruptedException {
    commands.close();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      kill();
      throw new AssertionError("the node did not stop");
    }
  }

  /** The node. */
  public static void main(String[] arguments) throws Exception {
    var settings =
        PresenceSettings.from(
            ConfigFactory.parseString(arguments[0])
                .withFallback(ConfigFactory.load().getConfig("hawser.presence")));
    PrintStream out = System.out;
    var current =
        new Object() {
          final AtomicInteger generation = new AtomicInteger();
          volatile PresenceService service = PresenceService.start(settings, arguments[1]);

          void follow() {
            PresenceService followed = service;
            followed.onLeaseLost(
                () -> {
                  var unused =
                      followed
                          .stop()
                          .thenRun(
                              () -> {
                                service = PresenceService.start(settings, arguments[1]);
                                generation.incrementAndGet();
                                out.println(LOST);
                                follow();
                              });
                });
            var unused = followed.registered().thenAccept(lease -> out.println(REGISTERED));
          }
        };
    current.follow();
    var commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      List<String> words = List.of(line.substring(1).split(" ", 2));
      if (Integer.parseInt(words.getFirst()) != current.generation.get()) {
        continue;
      }
      PresenceRecorder recorder = current.service.recorder();
      if (line.charAt(0) == '+') {
        recorder.connected(words.getLast());
        recorder.viewing(words.getLast(), RESOURCE, false);
      } else {
        recorder.disconnected(words.getLast());
        recorder.viewed(words.getLast(), RESOURCE, false, false);
      }
    }
    var unused = current.service.stop().toCompletableFuture().get();
  }
}
