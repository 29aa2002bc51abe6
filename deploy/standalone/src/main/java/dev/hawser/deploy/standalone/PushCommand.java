package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.presence.KafkaAccess;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.event.EventHeaders;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "push",
    description = {
      "Puts events for users on Kafka, as a business service does.",
      "Either --user ID PAYLOAD, or - for lines user<TAB>payload from standard input."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class PushCommand implements Callable<Integer> {

  private static final int TIMEOUT_MILLISECONDS = 5_000;
  private static final int MAX_COMPLAINTS = 10;

  @Spec private @Nullable CommandSpec command;
  @Mixin private Ports ports = new Ports();

  @Option(
      names = "--user",
      paramLabel = "ID",
      converter = UserConverter.class,
      description = "Whom the event is for.")
  private @Nullable String user;

  @Parameters(
      paramLabel = "PAYLOAD",
      description = "The event, JSON; or - to read many from standard input.")
  private String payload = "";

  @Option(names = "--event", paramLabel = "NAME", description = "The event's name (X-Event).")
  private @Nullable String event;

  @Option(
      names = "--topic",
      paramLabel = "TOPIC",
      defaultValue = "hawser.events",
      description = "Where to (default: ${DEFAULT-VALUE}).")
  private String topic = "hawser.events";

  @Option(
      names = "--bootstrap-servers",
      paramLabel = "HOST:PORT",
      description = "Where Kafka is (default: the one of hawser dev).")
  private @Nullable String bootstrapServers;

  @Option(
      names = "--client-properties",
      paramLabel = "FILE",
      description = "What Kafka's clients need besides, for TLS and SASL, as a node takes it.")
  private String clientProperties = "";

  @Option(names = "--raw", description = "Sends payloads that are not JSON, too.")
  private boolean raw;

  private final LongAdder sent = new LongAdder();
  private final AtomicReference<@Nullable Exception> failure = new AtomicReference<>();

  @Override
  public Integer call() throws IOException {
    boolean many = payload.equals("-");
    if (many == (user != null) && command != null) {
      throw new ParameterException(
          command.commandLine(),
          many
              ? "with - the users stand on standard input, expected no --user"
              : "expected --user ID PAYLOAD, or - to read from standard input");
    }
    if (user != null && !isSendable(payload) && command != null) {
      throw new ParameterException(
          command.commandLine(),
          "the payload is not JSON; nodes refuse that by default (--raw sends it)");
    }
    String servers = bootstrapServers == null ? "127.0.0.1:" + ports.kafka() : bootstrapServers;
    long start = System.nanoTime();
    int malformed = 0;
    try (var producer =
        new KafkaProducer<>(
            settings(KafkaAccess.of(servers, clientProperties)),
            new ByteArraySerializer(),
            new ByteArraySerializer())) {
      if (user == null) {
        malformed = sendLines(producer);
      } else {
        send(producer, user, payload);
      }
      producer.flush();
    } catch (KafkaException unusable) {
      throw cannotReach(servers, unusable);
    }
    Exception failed = failure.get();
    if (failed != null) {
      throw cannotReach(servers, failed);
    }
    Duration time = Duration.ofNanos(System.nanoTime() - start);
    System.err.printf(
        "pushed %,d event%s in %.1f s%s%n",
        sent.sum(),
        sent.sum() == 1 ? "" : "s",
        time.toMillis() / 1_000.0,
        malformed == 0 ? "" : ", skipped %,d malformed line(s)".formatted(malformed));
    return malformed == 0 ? 0 : 1;
  }

  private static Map<String, Object> settings(KafkaAccess kafka) {
    return kafka.client(
        Map.of(
            ProducerConfig.ACKS_CONFIG,
            "all",
            ProducerConfig.LINGER_MS_CONFIG,
            5,
            ProducerConfig.MAX_BLOCK_MS_CONFIG,
            TIMEOUT_MILLISECONDS,
            ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG,
            TIMEOUT_MILLISECONDS,
            ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
            2 * TIMEOUT_MILLISECONDS));
  }

  private IllegalStateException cannotReach(String servers, Exception failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String message = String.valueOf(root.getMessage());
    return new IllegalStateException(
        root instanceof TimeoutException && message.contains("not present in metadata")
            ? ("Kafka at %s does not answer, or has no topic %s; is hawser dev running"
                    + " (with another --port-offset)?")
                .formatted(servers, topic)
            : "Kafka at %s: %s".formatted(servers, message),
        failure);
  }

  private int sendLines(KafkaProducer<byte[], byte[]> producer) throws IOException {
    int malformed = 0;
    try (var progress = Boolean.getBoolean("hawser.terminal") ? progress() : null;
        var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8))) {
      int number = 0;
      for (String line = lines.readLine();
          line != null && failure.get() == null;
          line = lines.readLine()) {
        number++;
        int tab = line.indexOf('\t');
        if (tab < 1 || tab == line.length() - 1) {
          malformed++;
          complain(number, malformed, "expected user<TAB>payload");
          continue;
        }
        String text = line.substring(tab + 1);
        if (!isSendable(text)) {
          malformed++;
          complain(number, malformed, "the payload is not JSON (--raw sends it all the same)");
          continue;
        }
        send(producer, line.substring(0, tab), text);
        if (progress != null) {
          progress.step();
        }
      }
    }
    return malformed;
  }

  private static void complain(int line, int malformed, String problem) {
    if (malformed <= MAX_COMPLAINTS) {
      System.err.printf("line %,d skipped: %s%n", line, problem);
    } else if (malformed == MAX_COMPLAINTS + 1) {
      System.err.println("more lines skipped, not listed");
    }
  }

  private static ProgressBar progress() {
    return new ProgressBarBuilder()
        .setTaskName("pushing")
        .setInitialMax(-1)
        .setUnit(" events", 1)
        .showSpeed()
        .setStyle(ProgressBarStyle.ASCII)
        .build();
  }

  private boolean isSendable(String text) {
    return raw || JsonCodec.isJson(text.getBytes(UTF_8));
  }

  private void send(KafkaProducer<byte[], byte[]> producer, String to, String text) {
    var record = new ProducerRecord<>(topic, to.getBytes(UTF_8), text.getBytes(UTF_8));
    record
        .headers()
        .add(EventHeaders.ID, UUID.randomUUID().toString().getBytes(UTF_8))
        .add(EventHeaders.USER, to.getBytes(UTF_8));
    if (event != null) {
      record.headers().add(EventHeaders.EVENT, event.getBytes(UTF_8));
    }
    var unused =
        producer.send(
            record,
            (metadata, failed) -> {
              if (failed == null) {
                sent.increment();
              } else {
                failure.compareAndSet(null, failed);
              }
            });
  }
}
