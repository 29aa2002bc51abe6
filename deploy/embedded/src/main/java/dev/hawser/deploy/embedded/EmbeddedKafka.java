package dev.hawser.deploy.embedded;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.utils.Time;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One Kafka broker with its controller (KRaft) inside this process, on loopback. It can be stopped
 * and started again on its ports with its data, so that tests can take it away. Not thread-safe.
 */
public final class EmbeddedKafka implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(EmbeddedKafka.class);

  private final int port;
  private final int controllerPort;
  private final Path directory;
  private final boolean temporary;

  /** A second way in, by SASL PLAIN only; null for none. */
  private final @Nullable Secured secured;

  private @Nullable KafkaRaftServer server;

  private record Secured(int port, String user, String password) {}

  /** Starts a broker on free ports, with data that are removed when it is closed. */
  public static EmbeddedKafka start() {
    return start(LocalPort.free(), LocalPort.free(), null);
  }

  /** Starts one that has a second way in, {@link #securedServers}, for this user only. */
  public static EmbeddedKafka startSecured(String user, String password) {
    return start(
        LocalPort.free(), LocalPort.free(), null, new Secured(LocalPort.free(), user, password));
  }

  /**
   * Starts a broker; takes about 3 s.
   *
   * @param directory where data are kept; null for a temporary directory that is removed at the end
   * @throws UncheckedIOException if the directory cannot be used
   */
  public static EmbeddedKafka start(int port, int controllerPort, @Nullable Path directory) {
    return start(port, controllerPort, directory, null);
  }

  private static EmbeddedKafka start(
      int port, int controllerPort, @Nullable Path directory, @Nullable Secured secured) {
    try {
      Path data = directory == null ? Files.createTempDirectory("hawser-kafka-") : directory;
      Files.createDirectories(data);
      var kafka = new EmbeddedKafka(port, controllerPort, data, directory == null, secured);
      boolean started = false;
      try {
        kafka.format();
        kafka.boot();
        started = true;
        return kafka;
      } finally {
        if (!started) {
          kafka.close();
        }
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("Kafka cannot use its data directory", failure);
    }
  }

  private EmbeddedKafka(
      int port, int controllerPort, Path directory, boolean temporary, @Nullable Secured secured) {
    this.port = port;
    this.controllerPort = controllerPort;
    this.directory = directory;
    this.temporary = temporary;
    this.secured = secured;
  }

  /** What clients connect to, {@code host:port}. */
  public String bootstrapServers() {
    return "127.0.0.1:" + port;
  }

  /**
   * The second way in, {@code host:port}.
   *
   * @throws IllegalStateException if there is none
   */
  public String securedServers() {
    if (secured == null) {
      throw new IllegalStateException("no second way in, expected startSecured");
    }
    return "127.0.0.1:" + secured.port;
  }

  /** Creates topics that are not there yet; name to number of partitions. */
  public void createTopics(Map<String, Integer> partitions) {
    Map<String, Object> client =
        Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers());
    try (Admin admin = Admin.create(client)) {
      for (var topic : partitions.entrySet()) {
        createTopic(admin, new NewTopic(topic.getKey(), topic.getValue(), (short) 1));
      }
    }
  }

  private static void createTopic(Admin admin, NewTopic topic) {
    try {
      admin.createTopics(List.of(topic)).all().get();
    } catch (ExecutionException failure) {
      if (!(failure.getCause() instanceof TopicExistsException)) {
        throw new IllegalStateException("cannot create topic " + topic.name(), failure);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", interrupted);
    }
  }

  /** Takes the broker away; data stay. */
  public void stop() {
    if (server != null) {
      server.shutdown();
      server.awaitShutdown();
      server = null;
    }
  }

  /** Brings a stopped broker back, on the same ports with the same data. */
  public void restart() {
    stop();
    boot();
  }

  /** Stops the broker; temporary data are removed. */
  @Override
  public void close() {
    stop();
    if (temporary) {
      Directories.delete(directory);
    }
  }

  private void format() throws IOException {
    // Log4j, which the broker brings along, would complain when the process is just ending.
    System.setProperty("log4j.shutdownHookEnabled", "false");
    Path log = directory.resolve("log");
    if (Files.exists(log.resolve("meta.properties"))) {
      return;
    }
    Path configuration = directory.resolve("server.properties");
    try (var writer = Files.newBufferedWriter(configuration)) {
      properties().store(writer, null);
    }
    var output = new ByteArrayOutputStream();
    String[] command = {
      "format", "--config", configuration.toString(), "--cluster-id", Uuid.randomUuid().toString()
    };
    int exit = StorageTool.execute(command, new PrintStream(output, true, StandardCharsets.UTF_8));
    if (exit != 0) {
      throw new IOException("formatting failed: " + output.toString(StandardCharsets.UTF_8));
    }
  }

  private void boot() {
    long startedAt = System.nanoTime();
    server = new KafkaRaftServer(KafkaConfig.fromProps(properties()), Time.SYSTEM);
    server.startup();
    log.info(
        "Kafka listens on port {} after {} ms",
        port,
        Duration.ofNanos(System.nanoTime() - startedAt).toMillis());
  }

  private Properties properties() {
    var properties = new Properties();
    properties.putAll(
        Map.ofEntries(
            Map.entry("process.roles", "broker,controller"),
            Map.entry("node.id", "1"),
            Map.entry("controller.quorum.voters", "1@127.0.0.1:" + controllerPort),
            Map.entry("controller.listener.names", "CONTROLLER"),
            Map.entry(
                "listeners",
                "BROKER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d".formatted(port, controllerPort)
                    + (secured == null ? "" : ",SECURED://127.0.0.1:" + secured.port)),
            Map.entry("inter.broker.listener.name", "BROKER"),
            Map.entry(
                "listener.security.protocol.map",
                "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT"),
            Map.entry("log.dirs", directory.resolve("log").toString()),
            Map.entry("auto.create.topics.enable", "false"),
            Map.entry("num.partitions", "1"),
            Map.entry("default.replication.factor", "1"),
            Map.entry("offsets.topic.num.partitions", "1"),
            Map.entry("offsets.topic.replication.factor", "1"),
            Map.entry("transaction.state.log.num.partitions", "1"),
            Map.entry("transaction.state.log.replication.factor", "1"),
            Map.entry("transaction.state.log.min.isr", "1"),
            Map.entry("share.coordinator.state.topic.num.partitions", "1"),
            Map.entry("share.coordinator.state.topic.replication.factor", "1"),
            Map.entry("share.coordinator.state.topic.min.isr", "1"),
            Map.entry("group.initial.rebalance.delay.ms", "0"),
            // A broker that was killed is waited for this long when it starts again.
            Map.entry("broker.heartbeat.interval.ms", "500"),
            Map.entry("broker.session.timeout.ms", "3000"),
            Map.entry("log.cleaner.dedupe.buffer.size", "2097152")));
    if (secured != null) {
      properties.put("listener.name.secured.sasl.enabled.mechanisms", "PLAIN");
      properties.put(
          "listener.name.secured.plain.sasl.jaas.config",
          "org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\";"
              .formatted(secured.user, secured.password));
    }
    return properties;
  }
}
