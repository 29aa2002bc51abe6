package dev.hawser.deploy.standalone;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.embedded.LocalPort;
import dev.hawser.gateway.Gateway;
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
      "Runs a node with its own PostgreSQL and Kafka, on loopback, until Ctrl-C.",
      "For development only: its secret and its API key are public."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class DevCommand implements Callable<Integer> {

  private static final String DATABASE = "hawser";
  private static final int PARTITIONS = 16;

  private static final Map<String, Integer> TOPICS =
      Map.of(
          "hawser.events", PARTITIONS,
          "hawser.upstream", PARTITIONS,
          "hawser.events.dlq", 1);

  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);

  /** What a part that is starting when we stop gets for coming up, which ends it best. */
  private static final Duration START_GRACE = Duration.ofSeconds(6);

  /** Ctrl-C reaches PostgreSQL's tools as well, and their failure may be here before the signal. */
  private static final Duration SIGNAL_GRACE = Duration.ofMillis(300);

  @Mixin private Ports ports = new Ports();

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
    System.out.println("Starting Hawser for development (public secret and API key).");
    // Before threads do: SLF4J complains when several of them initialise it at once.
    var unused = LoggerFactory.getILoggerFactory();
    if (dataDirectory != null && dataDirectory.toString().isEmpty()) {
      throw new IllegalArgumentException("--data-dir is empty, expected a directory");
    }
    DataDirectory data =
        dataDirectory == null
            ? DataDirectory.temporary(Path.of(System.getProperty("java.io.tmpdir")))
            : DataDirectory.at(dataDirectory);
    onStop(data::close);
    requireFreePorts();
    System.out.println(
        "Starting PostgreSQL (unpacked at the first start) and Kafka, then the node.");
    var kafka = part("Kafka", () -> startKafka(data));
    var postgreSql = part("PostgreSQL", () -> startPostgreSql(data));
    CompletableFuture.allOf(kafka, postgreSql).join();
    part("node", this::startGateway).join();
    if (!stopping) {
      System.out.println(welcome());
    }
  }

  private void onStop(Runnable stop) {
    synchronized (running) {
      running.push(stop);
    }
  }

  /** Starts a part beside the others and says how long it took. */
  private CompletableFuture<Void> part(String name, Supplier<Runnable> start) {
    synchronized (starting) {
      if (stopping) {
        return CompletableFuture.completedFuture(null);
      }
      var part = CompletableFuture.runAsync(() -> run(name, start), this::inThread);
      starting.add(part);
      return part;
    }
  }

  private void inThread(Runnable task) {
    starters.add(Thread.ofPlatform().name("hawser-dev").start(task));
  }

  private void run(String name, Supplier<Runnable> start) {
    long begin = System.nanoTime();
    Runnable stop = start.get();
    onStop(stop);
    if (!stopping) {
      System.out.printf(Locale.ROOT, "  %-11s up after %.1f s%n", name, secondsSince(begin));
    }
  }

  private Runnable startPostgreSql(DataDirectory data) {
    var postgreSql = EmbeddedPostgreSql.start(ports.postgreSql(), data.postgreSql());
    return orElse(
        postgreSql::close,
        () -> {
          if (!postgreSql.hasDatabase(DATABASE)) {
            postgreSql.createDatabase(DATABASE);
          }
        });
  }

  private Runnable startKafka(DataDirectory data) {
    var kafka = EmbeddedKafka.start(ports.kafka(), ports.kafkaController(), data.kafka());
    return orElse(kafka::close, () -> kafka.createTopics(TOPICS));
  }

  /** What stops a part, after it is prepared; if that fails, it is stopped at once. */
  private static Runnable orElse(Runnable stop, Runnable prepare) {
    try {
      prepare.run();
    } catch (RuntimeException failure) {
      stop.run();
      throw failure;
    }
    return stop;
  }

  private Runnable startGateway() {
    var gateway = Gateway.start(configuration());
    Runnable stop =
        () ->
            gateway
                .stop()
                .thenCompose(stopped -> gateway.terminated())
                .toCompletableFuture()
                .orTimeout(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                .join();
    var unused = gateway.terminated().thenRun(ended::countDown);
    return orElse(stop, () -> gateway.ready().toCompletableFuture().join());
  }

  private Config configuration() {
    return ConfigFactory.parseMap(
        Map.ofEntries(
            Map.entry("hawser.environment", "development"),
            Map.entry("hawser.websocket.host", "127.0.0.1"),
            Map.entry("hawser.websocket.port", ports.webSocket()),
            Map.entry("hawser.http.host", "127.0.0.1"),
            Map.entry("hawser.http.port", ports.http()),
            Map.entry("hawser.management.host", "127.0.0.1"),
            Map.entry("hawser.management.port", ports.management()),
            Map.entry("hawser.cluster.host", "127.0.0.1"),
            Map.entry("hawser.cluster.port", ports.cluster()),
            Map.entry("hawser.cluster.formation", "alone"),
            Map.entry("hawser.connection.allowed-origins", List.of("*")),
            Map.entry("hawser.auth.hmac-secret", Development.SECRET),
            Map.entry("hawser.kafka.bootstrap-servers", "127.0.0.1:" + ports.kafka()),
            // The shortest the broker allows: for the start after a run that was killed.
            Map.entry("hawser.kafka.session-timeout", "6s"),
            Map.entry("hawser.presence.database.host", "127.0.0.1"),
            Map.entry("hawser.presence.database.port", ports.postgreSql()),
            Map.entry("hawser.presence.database.name", DATABASE),
            Map.entry("hawser.presence.database.user", EmbeddedPostgreSql.USER),
            Map.entry("hawser.presence.api-keys", List.of(Development.API_KEY)),
            // This command stops everything itself, and in order.
            Map.entry("pekko.coordinated-shutdown.run-by-jvm-shutdown-hook", false)));
  }

  private void requireFreePorts() {
    ports
        .purposes()
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
    return String.format(
        Locale.ROOT,
        """

        Ready after %1$.1f s. Ctrl-C stops it.

          clients     ws://127.0.0.1:%2$d/connection/websocket
          HTTP API    http://127.0.0.1:%3$d/api/openapi.json   (X-API-Key: %4$s)
          management  http://127.0.0.1:%5$d/ready and /metrics
          PostgreSQL  psql -h 127.0.0.1 -p %6$d -U postgres %7$s -c 'SELECT * FROM watching_times'
          Kafka       127.0.0.1:%8$d

        Try in a second terminal:

          %9$s watch%10$s --user alice
          %9$s push%10$s --user alice '{"text":"hello"}'
          curl -H 'X-API-Key: %4$s' localhost:%3$d/api/presence/alice
          %9$s token --user alice    # for a client of your own
        """,
        secondsSince(startedAt),
        ports.webSocket(),
        ports.http(),
        Development.API_KEY,
        ports.management(),
        ports.postgreSql(),
        DATABASE,
        ports.kafka(),
        command,
        offset);
  }
}
