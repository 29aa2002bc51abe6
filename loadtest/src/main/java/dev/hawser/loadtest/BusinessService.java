package dev.hawser.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.client.Counts;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.HdrHistogram.Histogram;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads what clients say ({@code hawser.upstream}), as the services behind a cluster do: counts it,
 * and passes on what is for another user.
 */
final class BusinessService implements AutoCloseable {

  private static final String UPSTREAM = "hawser.upstream";
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Pattern TIME = Pattern.compile("\"t\":(\\d+)");
  private static final Pattern RECEIVER = Pattern.compile("\"to\":\"([^\"]+)\"");

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final BiConsumer<String, Long> forward;
  private final String prefix;
  private final Thread thread;
  private final Histogram times = Counts.histogram();
  private long read;
  private volatile boolean closing;

  /**
   * Reads from now on.
   *
   * @param prefix of the users who count; others may be those of another run
   * @param forward gets user and intended time of each message that is for somebody
   */
  BusinessService(String kafka, String prefix, BiConsumer<String, Long> forward) {
    this.forward = forward;
    this.prefix = prefix;
    var deserializer = new ByteArrayDeserializer();
    this.consumer =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG,
                50),
            deserializer,
            deserializer);
    List<TopicPartition> partitions =
        consumer.partitionsFor(UPSTREAM).stream()
            .map(partition -> new TopicPartition(UPSTREAM, partition.partition()))
            .toList();
    consumer.assign(partitions);
    consumer.seekToEnd(partitions);
    // It seeks only now.
    partitions.forEach(consumer::position);
    thread = Thread.ofPlatform().daemon().name("business-service").start(this::run);
  }

  /** How many it has read. */
  synchronized long read() {
    return read;
  }

  /** From the intended send time to here, microseconds. */
  synchronized Histogram times() {
    return times.copy();
  }

  @Override
  public void close() {
    closing = true;
    consumer.wakeup();
    try {
      thread.join();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try (consumer) {
      readAll();
    } catch (WakeupException closed) {
      // By close().
    }
  }

  private void readAll() {
    while (!closing) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        if (record.key() == null || !new String(record.key(), UTF_8).startsWith(prefix)) {
          continue;
        }
        String value = new String(record.value(), UTF_8);
        Matcher time = TIME.matcher(value);
        if (!time.find()) {
          continue;
        }
        long intended = Long.parseLong(time.group(1));
        synchronized (this) {
          read++;
          Counts.record(times, System.nanoTime() - intended);
        }
        Matcher receiver = RECEIVER.matcher(value);
        if (receiver.find()) {
          forward.accept(receiver.group(1), intended);
        }
      }
    }
  }
}
