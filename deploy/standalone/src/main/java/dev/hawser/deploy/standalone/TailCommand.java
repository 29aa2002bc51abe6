package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "tail",
    description = {
      "Prints the records of a topic of hawser dev as they come, until Ctrl-C.",
      "One line each: key, headers (NAME=VALUE, with spaces) and value, with tabs between them."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class TailCommand implements Callable<Integer> {

  private static final Map<String, String> TOPICS =
      Map.of(
          "upstream", "hawser.upstream",
          "presence", "hawser.presence",
          "dlq", "hawser.events.dlq",
          "events", "hawser.events");

  private static final int TIMEOUT_MILLISECONDS = 5_000;
  private static final Duration POLL = Duration.ofSeconds(1);

  @Mixin private Ports ports = new Ports();

  @Parameters(
      paramLabel = "TOPIC",
      arity = "0..1",
      defaultValue = "upstream",
      description =
          "upstream (what clients say; the default), presence (who comes and goes, and looks at"
              + " what), events (what is for clients), dlq (events that could not be delivered), or"
              + " any topic's name.")
  private String topic = "upstream";

  @Option(names = "--from-beginning", description = "Prints what is there already, too.")
  private boolean fromBeginning;

  @Override
  public Integer call() {
    String name = TOPICS.getOrDefault(topic, topic);
    String servers = "127.0.0.1:" + ports.kafka();
    Map<String, Object> settings =
        Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
            servers,
            ConsumerConfig.ISOLATION_LEVEL_CONFIG,
            "read_committed",
            ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
            TIMEOUT_MILLISECONDS);
    var deserializer = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(name).stream()
              .map(partition -> new TopicPartition(name, partition.partition()))
              .toList();
      if (partitions.isEmpty()) {
        throw new TimeoutException("no partitions");
      }
      consumer.assign(partitions);
      if (fromBeginning) {
        consumer.seekToBeginning(partitions);
      } else {
        consumer.seekToEnd(partitions);
      }
      // It seeks only now.
      partitions.forEach(consumer::position);
      System.err.println("reading " + name);
      while (!System.out.checkError()) {
        consumer.poll(POLL).forEach(TailCommand::print);
      }
      return 0;
    } catch (TimeoutException absent) {
      throw new IllegalStateException(
          ("Kafka at %s does not answer, or has no topic %s; is hawser dev running"
                  + " (with another --port-offset)?")
              .formatted(servers, name),
          absent);
    }
  }

  /** As bytes: what arrived is shown as it is, whatever the terminal's encoding. */
  private static void print(ConsumerRecord<byte[], byte[]> record) {
    var line = new ByteArrayOutputStream();
    append(line, record.key());
    line.write('\t');
    String separator = "";
    for (Header header : record.headers()) {
      line.writeBytes((separator + header.key() + "=").getBytes(UTF_8));
      append(line, header.value());
      separator = " ";
    }
    line.write('\t');
    append(line, record.value());
    line.write('\n');
    System.out.writeBytes(line.toByteArray());
  }

  private static void append(ByteArrayOutputStream line, byte @Nullable [] bytes) {
    if (bytes != null) {
      for (byte each : bytes) {
        // One line for each record: in JSON, a line break can only stand between tokens.
        line.write(each == '\n' ? ' ' : each);
      }
    }
  }
}
