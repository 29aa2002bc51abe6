package dev.hawser.deploy.standalone;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.embedded.LocalPort;
import dev.hawser.gateway.Gateway;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "dev",
    description = {
      "Runs nodes with their own PostgreSQL and Kafka, on loopback, until Ctrl-C.",
      "For development only: its secret and its API key are public."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class DevCommand implements Callable<Integer> {

  private static final int PARTITIONS = 16;

  private static final Map<String, Integer> TOPICS =
      Map.of(
          "hawser.events",
          PARTITIONS,
          "hawser.broadcast",
          1,
          "hawser.upstream",
          PARTITIONS,
          "hawser.presence",
          PARTITIONS,
          "hawser.events.dlq",
          1);

  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);

  /** What a part that is starting when we stop gets for coming up, which ends it best. */
  private static final Duration START_GRACE = Duration.ofSeconds(6);

  /** Ctrl-C reaches PostgreSQL's tools as well, and their failure may be here before the signal. */
  static final Duration SIGNAL_GRACE = Duration.ofMillis(300);

  private static final Duration READY_POLL = Duration.ofMillis(100);

  @Mixin private Ports ports = new Ports();

  @Option(
      names = "--nodes",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Nodes, 1 to 9 (default: ${DEFAULT-VALUE}). Several form a cluster, each in a process of"
              + " its own, on ports next to each other; one that is killed is started again.")
  private int nodes = 1;

  /** For hawser load: to measure a node, it must not share its process with Kafka. */
  @Option(names = "--separate", hidden = true)
  private boolean separate;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description =
          "Keeps the data of PostgreSQL and Kafka there between runs"
              + " (default: a temporary directory, removed at the end).")
  private @Nullable Path dataDirectory;

  private final long startedAt = System.nanoTime();

  /** What runs, newest first: it stops in that order. */
  private final Deque<Runnable> running = new ArrayDeque<>();

  private final List<CompletableFuture<Void>> starting = new ArrayList<>();
  private final List<Thread> starters = new ArrayList<>();
  private final List<NodeProcess> processes = new ArrayList<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean stopping;

  @Override
  public Integer call() throws Exception {
    Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "hawser-dev-stop"));
    try {
      start();
    } catch (Exception failure) {
      Thread.sleep(SIGNAL_GRACE);
      if (!stopping) {
        throw failure;
      }
    }
    // Either the process is told to stop, and stop() does it; or the node gives up.
    ended.await();
    if (!stopping) {
      throw new IllegalStateException("the node ended by itself; its last lines tell why");
    }
    return 0;
  }

  private void start() throws Exception {
    if (nodes < 1 || nodes > Ports.MAX_NODES) {
      throw new IllegalArgumentException(
          "--nodes is %d, expected 1 to %d".formatted(nodes, Ports.MAX_NODES));
    }
    if (dataDirectory != null && dataDirectory.toString().isEmpty()) {
      throw new IllegalArgumentException("--data-dir is empty, expected a directory");
    }
    System.out.println("Starting Hawser for development (public secret and API key).");
    // Before threads do: SLF4J complains when several of them initialise it at once.
    var unused = LoggerFactory.getILoggerFactory();
    DataDirectory data =
        dataDirectory == null
            ? DataDirectory.temporary(Path.of(System.getProperty("java.io.tmpdir")))
            : DataDirectory.at(dataDirectory);
    onStop(data::close);
    requireFreePorts();
    System.out.println(
        "Starting PostgreSQL (unpacked at the first start) and Kafka, then %s."
            .formatted(
                isHere()
                    ? "the node"
                    : "%d nodes, whose logs are in %s".formatted(nodes, data.nodes())));
    var kafka = part("Kafka", () -> startKafka(data));
    var postgreSql = part("PostgreSQL", () -> startPostgreSql(data));
    CompletableFuture.allOf(kafka, postgreSql).join();
    if (isHere()) {
      part("node", this::startGateway).join();
    } else {
      long begin = System.nanoTime();
      silently(() -> launchProcesses(data)).join();
      awaitReady(begin);
    }
    if (!stopping) {
      System.out.println(welcome());
    }
  }

  /** Whether the node runs in this process. */
  private boolean isHere() {
    return nodes == 1 && !separate;
  }

  private void onStop(Runnable stop) {
    synchronized (running) {
      running.push(stop);
    }
  }

  /** Starts a part beside the others and says how long it took. */
  private CompletableFuture<Void> part(String name, Supplier<Runnable> start) {
    long begin = System.nanoTime();
    return silently(start).thenRun(() -> sayUp(name, begin));
  }

  /** Starts a part, of which nothing is said; {@code start} returns what stops it. */
  private CompletableFuture<Void> silently(Supplier<Runnable> start) {
    synchronized (starting) {
      if (stopping) {
        return CompletableFuture.completedFuture(null);
      }
      var part = CompletableFuture.runAsync(() -> onStop(start.get()), this::inThread);
      starting.add(part);
      return part;
    }
  }

  private void inThread(Runnable task) {
    starters.add(Thread.ofPlatform().name("hawser-dev").start(task));
  }

  private void sayUp(String name, long begin) {
    if (!stopping) {
      System.out.printf(Locale.ROOT, "  %-11s up after %.1f s%n", name, secondsSince(begin));
    }
  }

  private Runnable startPostgreSql(DataDirectory data) {
    var postgreSql = EmbeddedPostgreSql.start(ports.postgreSql(), data.postgreSql());
    return prepared(
        postgreSql::close,
        () -> {
          if (!postgreSql.hasDatabase(Development.DATABASE)) {
            postgreSql.createDatabase(Development.DATABASE);
          }
        });
  }

  private Runnable startKafka(DataDirectory data) {
    var kafka = EmbeddedKafka.start(ports.kafka(), ports.kafkaController(), data.kafka());
    return prepared(kafka::close, () -> kafka.createTopics(TOPICS));
  }

  /** What stops a part, after it is prepared; if that fails, it is stopped at once. */
  private static Runnable prepared(Runnable stop, Runnable prepare) {
    try {
      prepare.run();
    } catch (RuntimeException failure) {
      stop.run();
      throw failure;
    }
    return stop;
  }

  private Runnable startGateway() {
    // This command stops everything itself, and in order.
    var byHand =
        ConfigFactory.parseMap(
            Map.of("pekko.coordinated-shutdown.run-by-jvm-shutdown-hook", false));
    var gateway = Gateway.start(byHand.withFallback(Development.settings(ports, 1, 1)));
    Runnable stop =
        () ->
            gateway
                .stop()
                .thenCompose(stopped -> gateway.terminated())
                .toCompletableFuture()
                .orTimeout(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                .join();
    var unused = gateway.terminated().thenRun(ended::countDown);
    return prepared(stop, () -> gateway.ready().toCompletableFuture().join());
  }

  private Runnable launchProcesses(DataDirectory data) {
    try {
      for (int node = 1; node <= nodes; node++) {
        String settings =
            Development.settings(ports, node, nodes).root().render(ConfigRenderOptions.concise());
        var readiness = URI.create("http://127.0.0.1:%d/ready".formatted(ports.management(node)));
        processes.add(new NodeProcess(node, settings, data.nodes(), readiness));
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot start nodes", failure);
    }
    return () -> {
      processes.forEach(NodeProcess::stop);
      processes.forEach(process -> process.awaitEnd(STOP_TIMEOUT));
    };
  }

  private void awaitReady(long begin) throws InterruptedException {
    var waiting = new ArrayList<>(processes);
    while (!waiting.isEmpty() && !stopping) {
      for (NodeProcess process : processes) {
        if (process.isReady() && waiting.remove(process)) {
          sayUp(process.name(), begin);
        }
      }
      Thread.sleep(READY_POLL);
    }
    processes.forEach(NodeProcess::allStarted);
  }

  private void requireFreePorts() {
    ports
        .purposes(nodes)
        .forEach(
            (port, purpose) -> {
              if (LocalPort.isTaken(port)) {
                throw new IllegalStateException(
                    "port %d (%s) is taken; free it or use --port-offset".formatted(port, purpose));
              }
            });
  }

  private void stop() {
    CompletableFuture<?>[] parts;
    synchronized (starting) {
      stopping = true;
      parts = starting.toArray(CompletableFuture<?>[]::new);
    }
    // When nothing was started, such as with a taken port, there is nothing to tell.
    boolean telling = parts.length > 0;
    if (telling) {
      System.out.println("Stopping.");
    }
    awaitStarted(CompletableFuture.allOf(parts).handle((started, failure) -> true));
    synchronized (running) {
      while (!running.isEmpty()) {
        try {
          running.pop().run();
        } catch (RuntimeException failure) {
          System.err.println("hawser: while stopping: " + failure.getMessage());
        }
      }
    }
    if (telling) {
      System.out.println("Stopped.");
    }
  }

  /**
   * A part that is starting is waited for: only then can it be stopped. But PostgreSQL, if Ctrl-C
   * hit it while it booted, is waited for by its library in vain.
   */
  private void awaitStarted(CompletableFuture<Boolean> settled) {
    if (settled.copy().completeOnTimeout(false, START_GRACE.toMillis(), MILLISECONDS).join()) {
      return;
    }
    ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
    if (settled.copy().completeOnTimeout(false, SIGNAL_GRACE.toMillis(), MILLISECONDS).join()) {
      return;
    }
    synchronized (starting) {
      starters.forEach(Thread::interrupt);
    }
    var unused =
        settled.copy().completeOnTimeout(false, STOP_TIMEOUT.toMillis(), MILLISECONDS).join();
  }

  private double secondsSince(long begin) {
    return (System.nanoTime() - begin) / 1e9;
  }

  private String welcome() {
    String command = System.getProperty("hawser.command", "bin/hawser");
    String offset = ports.offset() == 0 ? "" : " --port-offset " + ports.offset();
    var text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT, "%nReady after %.1f s. Ctrl-C stops it.%n%n", secondsSince(startedAt)));
    if (isHere()) {
      text.append(addresses(1));
    }
    for (NodeProcess process : processes) {
      text.append("  %s      process %d%n".formatted(process.name(), process.pid()))
          .append(addresses(process.number()))
          .append("  log         %s%n%n".formatted(process.log()));
    }
    return text.append(
            """
              PostgreSQL  psql -h 127.0.0.1 -p %1$d -U postgres %2$s -c 'SELECT * FROM watching_times'
              Kafka       127.0.0.1:%3$d

            Try in a second terminal:

              %4$s watch%5$s --user alice%6$s
              %4$s push%5$s --user alice '{"text":"hello"}'
              curl -H 'X-API-Key: %7$s' localhost:%8$d/api/presence/alice
              %4$s token --user alice    # for a client of your own
            %9$s"""
                .formatted(
                    ports.postgreSql(),
                    Development.DATABASE,
                    ports.kafka(),
                    command,
                    offset,
                    nodes == 1 ? "" : " --node " + nodes,
                    Development.API_KEY,
                    ports.http(1),
                    processes.isEmpty()
                        ? ""
                        : "  kill -9 %d    # then see the others take over%n"
                            .formatted(processes.getFirst().pid())))
        .toString();
  }

  private String addresses(int node) {
    return """
      clients     ws://127.0.0.1:%d/connection/websocket
      HTTP API    http://127.0.0.1:%d/api/openapi.json   (X-API-Key: %s)
      management  http://127.0.0.1:%d/ready and /metrics
    """
        .formatted(
            ports.webSocket(node), ports.http(node), Development.API_KEY, ports.management(node));
  }
}
