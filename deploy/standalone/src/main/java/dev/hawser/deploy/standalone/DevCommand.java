package dev.hawser.deploy.standalone;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.embedded.LocalPort;
import dev.hawser.gateway.Gateway;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration STRAY_TIMEOUT = Duration.ofSeconds(10);

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
  private volatile boolean stopping;

  /** Held here, or the collector would let go of it. */
  private @Nullable FileLock lock;

  @Override
  public Integer call() throws Exception {
    Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "hawser-dev-stop"));
    try {
      start();
    } catch (Exception failure) {
      if (!stopping) {
        throw failure;
      }
    }
    // The end is a signal; the process ends when stop() has run.
    new CountDownLatch(1).await();
    return 0;
  }

  private void start() throws Exception {
    System.out.println("Starting Hawser for development (public secret and API key).");
    // Before threads do: SLF4J complains when several of them initialise it at once.
    var unused = LoggerFactory.getILoggerFactory();
    Path directory = dataDirectory;
    if (directory != null) {
      Files.createDirectories(directory);
      lock(directory);
      endStray(directory.resolve("postgresql"));
    }
    requireFreePorts();
    var kafka = part("Kafka", this::startKafka);
    var postgreSql = part("PostgreSQL", this::startPostgreSql);
    CompletableFuture.allOf(kafka, postgreSql).join();
    part("node", this::startGateway).join();
    if (!stopping) {
      System.out.println(welcome());
    }
  }

  /** Starts a part beside the others and says how long it took. */
  private CompletableFuture<Void> part(String name, Supplier<Runnable> start) {
    synchronized (starting) {
      if (stopping) {
        return CompletableFuture.completedFuture(null);
      }
      var part = CompletableFuture.runAsync(() -> run(name, start), DevCommand::inThread);
      starting.add(part);
      return part;
    }
  }

  private static void inThread(Runnable task) {
    var unused = Thread.ofPlatform().name("hawser-dev").start(task);
  }

  private void run(String name, Supplier<Runnable> start) {
    long begin = System.nanoTime();
    Runnable stop = start.get();
    synchronized (running) {
      running.push(stop);
    }
    if (!stopping) {
      System.out.printf(Locale.ROOT, "  %-11s up after %.1f s%n", name, secondsSince(begin));
    }
  }

  private Runnable startPostgreSql() {
    var postgreSql = EmbeddedPostgreSql.start(ports.postgreSql(), below("postgresql"));
    if (!postgreSql.hasDatabase(DATABASE)) {
      postgreSql.createDatabase(DATABASE);
    }
    return postgreSql::close;
  }

  private Runnable startKafka() {
    var kafka = EmbeddedKafka.start(ports.kafka(), ports.kafkaController(), below("kafka"));
    kafka.createTopics(
        Map.of(
            "hawser.events", PARTITIONS,
            "hawser.upstream", PARTITIONS,
            "hawser.events.dlq", 1));
    return kafka::close;
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
    try {
      gateway.ready().toCompletableFuture().join();
    } catch (RuntimeException failure) {
      stop.run();
      throw failure;
    }
    return stop;
  }

  private @Nullable Path below(String name) {
    return dataDirectory == null ? null : dataDirectory.toAbsolutePath().resolve(name);
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

  /** The lock goes with the process, however it ends. */
  private void lock(Path directory) throws IOException {
    FileChannel channel =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    lock = channel.tryLock();
    if (lock == null) {
      channel.close();
      throw new IllegalStateException(directory + " is in use by another hawser dev");
    }
  }

  /** A hawser dev that was killed leaves its PostgreSQL behind. The lock says that it is ours. */
  private static void endStray(Path directory) throws IOException {
    Path pidFile = directory.resolve("data").resolve("postmaster.pid");
    if (!Files.exists(pidFile)) {
      return;
    }
    long pid = Long.parseLong(Files.readAllLines(pidFile).getFirst().strip());
    var process =
        ProcessHandle.of(pid)
            .filter(found -> found.info().command().orElse("").endsWith("postgres"));
    if (process.isPresent()) {
      System.out.printf("Ending the PostgreSQL (process %d) of a run that was killed.%n", pid);
      process.get().destroy();
      process.get().onExit().orTimeout(STRAY_TIMEOUT.toSeconds(), TimeUnit.SECONDS).join();
    }
  }

  private void stop() {
    CompletableFuture<?>[] parts;
    synchronized (starting) {
      stopping = true;
      parts = starting.toArray(CompletableFuture<?>[]::new);
    }
    System.out.println("Stopping.");
    // A part that is just starting is waited for: only then can it be stopped.
    var unused =
        CompletableFuture.allOf(parts)
            .handle((started, failure) -> "whatever became of it")
            .completeOnTimeout("", STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
            .join();
    synchronized (running) {
      while (!running.isEmpty()) {
        try {
          running.pop().run();
        } catch (RuntimeException failure) {
          System.err.println("hawser: while stopping: " + failure.getMessage());
        }
      }
    }
    System.out.println("Stopped.");
  }

  private double secondsSince(long begin) {
    return (System.nanoTime() - begin) / 1e9;
  }

  private String welcome() {
    String offset = ports.offset() == 0 ? "" : " --port-offset " + ports.offset();
    return """

        Ready after %.1f s. Ctrl-C stops it.

          clients     ws://127.0.0.1:%d/connection/websocket
          HTTP API    http://127.0.0.1:%d/api/openapi.json   (X-API-Key: %s)
          management  http://127.0.0.1:%d/ready and /metrics
          PostgreSQL  psql -h 127.0.0.1 -p %d -U postgres %s -c 'SELECT * FROM watching_times'
          Kafka       127.0.0.1:%d

        Try in a second terminal:

          bin/hawser watch%s --user alice
          bin/hawser push%s --user alice '{"text":"hello"}'
          curl -H 'X-API-Key: %s' localhost:%d/api/presence/alice
        """
        .formatted(
            secondsSince(startedAt),
            ports.webSocket(),
            ports.http(),
            Development.API_KEY,
            ports.management(),
            ports.postgreSql(),
            DATABASE,
            ports.kafka(),
            offset,
            offset,
            Development.API_KEY,
            ports.http());
  }
}
