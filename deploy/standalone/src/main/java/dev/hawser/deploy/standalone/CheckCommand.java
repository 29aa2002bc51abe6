package dev.hawser.deploy.standalone;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.embedded.LocalPort;
import dev.hawser.deploy.standalone.check.DeliveryCheck;
import dev.hawser.deploy.standalone.check.Track;
import dev.hawser.deploy.standalone.check.Verdict;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "check",
    description = {
      "Checks delivery: three nodes, with their own PostgreSQL and Kafka, are killed, paused,"
          + " restarted and cut off while stock clients get numbered events.",
      "Ends with 0 if nothing was lost, doubled, out of order or falsely told.",
      "Ctrl-C ends the load and the faults; what was until then is judged, within some minutes."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class CheckCommand implements Callable<Integer> {

  private static final int NODES = 3;
  private static final int PARTITIONS = 12;

  private static final Map<String, Integer> TOPICS =
      Map.of("hawser.events", PARTITIONS, "hawser.upstream", 1, "hawser.events.dlq", 1);

  private static final int LEAST_OFFSET = 1_000;
  private static final int MOST_OFFSET = 9_000;

  /** Faults are undone, all clients come, and what they got is read. */
  private static final int JUDGE_MINUTES = 10;

  private static final Duration TOKEN_LIFE = Duration.ofDays(7);

  @Option(
      names = "--minutes",
      paramLabel = "N",
      defaultValue = "2",
      description = "How long things break (default: ${DEFAULT-VALUE}).")
  private double minutes = 2;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description =
          "The same seed gives the same users, events and faults at the same times; what becomes"
              + " of them depends on the machine, too (default: any).")
  private @Nullable Long seed;

  @Option(
      names = "--faults",
      split = ",",
      paramLabel = "TRACK",
      description = "What breaks: NODES, PARTS (PostgreSQL and Kafka), NETWORK (default: all).")
  private Set<Track> tracks = EnumSet.allOf(Track.class);

  @Option(
      names = "--recovery-window",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description =
          "hawser.recovery.window of the nodes (default: ${DEFAULT-VALUE}, so that much goes"
              + " through mailboxes).")
  private int window = 10;

  @Option(
      names = "--ping-interval",
      paramLabel = "SECONDS",
      defaultValue = "5",
      description = "hawser.connection.ping-interval of the nodes (default: ${DEFAULT-VALUE}).")
  private int pingInterval = 5;

  @Option(
      names = "--directory",
      paramLabel = "DIR",
      description =
          "Where the result (result.json) and the nodes' logs go (default: a new one below the"
              + " temporary directory).")
  private @Nullable Path directory;

  /** What runs, newest first: it stops in that order. */
  private final Deque<AutoCloseable> running = new ArrayDeque<>();

  /** Null until the load begins. */
  private volatile @Nullable DeliveryCheck loaded;

  private final CountDownLatch judged = new CountDownLatch(1);

  @Override
  public Integer call() throws Exception {
    var ending = new Thread(this::end, "hawser-check-stop");
    Runtime.getRuntime().addShutdownHook(ending);
    try {
      return check();
    } finally {
      stop();
      judged.countDown();
      if (!isStopping(ending)) {
        Runtime.getRuntime().removeShutdownHook(ending);
      }
    }
  }

  private static boolean isStopping(Thread hook) {
    return hook.getState() != Thread.State.NEW;
  }

  /** The process ends when this does. */
  private void end() {
    DeliveryCheck current = loaded;
    if (current != null) {
      current.finish();
      try {
        var unused = judged.await(JUDGE_MINUTES, TimeUnit.MINUTES);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    stop();
  }

  private int check() throws Exception {
    if (!(minutes > 0)) {
      throw new IllegalArgumentException(
          "--minutes is %s, expected more than 0".formatted(minutes));
    }
    long chance = seed == null ? ThreadLocalRandom.current().nextLong(1_000_000) : seed;
    // Before threads do: SLF4J complains when several of them initialise it at once.
    var unused = LoggerFactory.getILoggerFactory();
    Path results =
        directory == null
            ? Files.createTempDirectory("hawser-check-")
            : Files.createDirectories(directory).toAbsolutePath();
    System.out.printf("Seed %d. The result and the nodes' logs go to %s.%n", chance, results);
    var data = started(DataDirectory.temporary(Path.of(System.getProperty("java.io.tmpdir"))));
    Ports ports = freePorts();
    var starting =
        CompletableFuture.supplyAsync(
            () -> EmbeddedKafka.start(ports.kafka(), ports.kafkaController(), data.kafka()));
    var postgreSql = started(EmbeddedPostgreSql.start(ports.postgreSql(), data.postgreSql()));
    postgreSql.createDatabase(Development.DATABASE);
    var kafka = started(starting.join());
    kafka.createTopics(TOPICS);
    Config settings = settings();
    var task =
        new DeliveryCheck.Task(
            chance,
            Duration.ofMillis(Math.round(minutes * 60_000)),
            tracks,
            settings.getDuration("hawser.recovery.window"),
            settings.getInt("hawser.recovery.max-events"));
    List<DeliveryCheck.Place> places = new ArrayList<>();
    for (int node = 1; node <= NODES; node++) {
      places.add(place(node, ports, settings, results));
    }
    var check =
        started(
            new DeliveryCheck(
                task,
                postgreSql,
                kafka,
                places,
                user -> Development.token(user, TOKEN_LIFE, Development.SECRET),
                System.out));
    loaded = check;
    Verdict verdict = check.run();
    verdict.write(results);
    System.out.println();
    System.out.print(verdict.text());
    return verdict.isClean() ? 0 : 1;
  }

  /** What the nodes are told, but for where they are. */
  private Config settings() {
    return ConfigFactory.parseMap(
        Map.of(
            "hawser.recovery.window",
            window + "s",
            "hawser.recovery.max-events",
            256,
            "hawser.mailbox.max-events",
            256,
            "hawser.connection.ping-interval",
            pingInterval + "s",
            "hawser.connection.pong-timeout",
            "3s",
            // Sessions end while users are away, as they do in longer lives.
            "hawser.session.idle-timeout",
            "20s"));
  }

  private static DeliveryCheck.Place place(int node, Ports ports, Config settings, Path directory)
      throws IOException {
    Path configuration = directory.resolve("node-%d.conf".formatted(node));
    Files.writeString(
        configuration,
        settings
            .withFallback(Development.settings(ports, node, NODES))
            .root()
            .render(ConfigRenderOptions.concise()));
    return new DeliveryCheck.Place(
        node,
        ThisJvm.node(List.of("-Xmx512m", "-XX:TieredStopAtLevel=1"), configuration),
        ports.webSocket(node),
        URI.create("http://127.0.0.1:%d/ready".formatted(ports.management(node))),
        directory.resolve("node-%d.log".formatted(node)));
  }

  private static Ports freePorts() {
    while (true) {
      var ports = Ports.movedBy(ThreadLocalRandom.current().nextInt(LEAST_OFFSET, MOST_OFFSET));
      if (ports.purposes(NODES).keySet().stream().noneMatch(LocalPort::isTaken)) {
        return ports;
      }
    }
  }

  private <T extends AutoCloseable> T started(T part) {
    synchronized (running) {
      running.push(part);
    }
    return part;
  }

  private void stop() {
    synchronized (running) {
      while (!running.isEmpty()) {
        try {
          running.pop().close();
        } catch (Exception failure) {
          System.err.println("hawser: while stopping: " + failure.getMessage());
        }
      }
    }
  }
}
