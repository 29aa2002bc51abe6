package dev.hawser.gateway.kafka;

import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.EventHeaders;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.pekko.Done;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the broadcast topic, all of it on every node, from its end on, and hands the records to all
 * clients of the node. At most once: nothing is committed, and who is not connected misses it.
 *
 * <p>A thread of its own, since a consumer without a group has nobody to share with. It reads on
 * only when the last batch was written to all clients, so what is in memory is bounded by one
 * fetch.
 */
public final class BroadcastConsumer {

  private static final Logger log = LoggerFactory.getLogger(BroadcastConsumer.class);

  /** Bytes that are written to one client at once; larger records go alone. */
  private static final int BATCH_BYTES = 64 * 1_024;

  /** And messages: what waits for a client is counted in frames, too. */
  private static final int BATCH_MESSAGES = 256;

  private static final int FETCH_BYTES = 1_024 * 1_024;
  private static final Duration POLL = Duration.ofSeconds(1);
  private static final Duration RETRY = Duration.ofSeconds(1);

  /** How often new partitions are looked for. */
  private static final Duration LOOK = Duration.ofSeconds(30);

  private static final Duration WRITE_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(5);

  private final KafkaSettings settings;
  private final Function<Broadcast, CompletionStage<Void>> everybody;
  private final CompletableFuture<Done> stopping = new CompletableFuture<>();
  private final CompletableFuture<Done> stopped = new CompletableFuture<>();
  private final LongAdder records = new LongAdder();
  private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;
  private volatile boolean reading;
  private Set<TopicPartition> partitions = Set.of();
  private boolean warned;

  /**
   * Starts to read, and goes on until stopped.
   *
   * @param everybody completes when the broadcast was written to all clients
   */
  public BroadcastConsumer(
      KafkaSettings settings, Function<Broadcast, CompletionStage<Void>> everybody) {
    this.settings = settings;
    this.everybody = everybody;
    Thread.ofPlatform().name("hawser-broadcast").daemon().start(this::run);
  }

  /** Whether what is written to the topic from now on is read; true if there is no such topic. */
  public boolean reading() {
    return reading;
  }

  /** Records that were written to all clients since the start. */
  public long records() {
    return records.sum();
  }

  /** Ends behind the batch that is being written. */
  public CompletionStage<Done> stop() {
    stopping.complete(Done.getInstance());
    KafkaConsumer<byte[], byte[]> running = consumer;
    if (running != null) {
      running.wakeup();
    }
    return stopped
        .copy()
        .completeOnTimeout(Done.getInstance(), STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void run() {
    while (!stopping.isDone()) {
      try (var opened = open()) {
        consumer = opened;
        partitions = Set.of();
        read(opened);
      } catch (WakeupException wokenToStop) {
        // The condition of the loop knows.
      } catch (KafkaException failure) {
        log.warn("broadcasts are not read, trying again: {}", failure.toString());
      } catch (RuntimeException failure) {
        log.error("broadcasts are not read, trying again", failure);
      }
      consumer = null;
      pause();
    }
    stopped.complete(Done.getInstance());
  }

  private KafkaConsumer<byte[], byte[]> open() {
    return new KafkaConsumer<>(
        settings.client(
            Map.of(
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
                false,
                ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG,
                false,
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                "latest",
                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                "read_committed",
                ConsumerConfig.FETCH_MAX_BYTES_CONFIG,
                FETCH_BYTES,
                ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG,
                FETCH_BYTES)),
        new ByteArrayDeserializer(),
        new ByteArrayDeserializer());
  }

  private void read(KafkaConsumer<byte[], byte[]> from) {
    look(from, true);
    long lookAt = System.nanoTime() + RETRY.toNanos();
    while (!stopping.isDone()) {
      if (System.nanoTime() - lookAt >= 0) {
        look(from, false);
        lookAt = System.nanoTime() + (partitions.isEmpty() ? RETRY : LOOK).toNanos();
      }
      if (partitions.isEmpty()) {
        pause();
      } else {
        send(from.poll(POLL));
      }
    }
  }

  /** Reads what there is of the topic from its end; what is added later, from its beginning. */
  private void look(KafkaConsumer<byte[], byte[]> from, boolean first) {
    var found = new HashSet<TopicPartition>();
    from.partitionsFor(settings.broadcast())
        .forEach(
            partition -> found.add(new TopicPartition(partition.topic(), partition.partition())));
    if (!found.equals(partitions)) {
      var added = new HashSet<>(found);
      added.removeAll(partitions);
      from.assign(found);
      if (first) {
        from.seekToEnd(added);
      } else {
        from.seekToBeginning(added);
      }
      // Asks the broker now, not when something comes.
      added.forEach(from::position);
      partitions = found;
    }
    if (found.isEmpty() && !warned) {
      warned = true;
      log.warn("there is no topic {}, so there are no broadcasts", settings.broadcast());
    }
    reading = true;
  }

  private void send(Iterable<ConsumerRecord<byte[], byte[]>> polled) {
    var batch = new ArrayList<Payload>();
    int bytes = 0;
    for (ConsumerRecord<byte[], byte[]> record : polled) {
      if (isForClients(record)) {
        if (batch.size() == BATCH_MESSAGES || bytes + record.value().length > BATCH_BYTES) {
          send(batch);
          batch = new ArrayList<>();
          bytes = 0;
        }
        batch.add(new Payload(record.value()));
        bytes += record.value().length;
      }
    }
    send(batch);
  }

  private boolean isForClients(ConsumerRecord<byte[], byte[]> record) {
    Header inner = record.headers().lastHeader(EventHeaders.INNER);
    if (inner != null
        && (inner.value() == null
            || !new String(inner.value(), StandardCharsets.UTF_8).equals("false"))) {
      return false;
    }
    byte[] value = record.value();
    if (value == null
        || value.length == 0
        || (settings.requireJson() && !JsonCodec.isJson(value))) {
      // Every node would write it to the dead letters.
      log.warn(
          "{}-{}@{} is not JSON, and is not broadcast",
          record.topic(),
          record.partition(),
          record.offset());
      return false;
    }
    return true;
  }

  private void send(List<Payload> batch) {
    if (batch.isEmpty()) {
      return;
    }
    try {
      everybody
          .apply(new Broadcast(batch))
          .toCompletableFuture()
          .get(WRITE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      records.add(batch.size());
    } catch (TimeoutException stuck) {
      log.warn("a broadcast has not reached all clients for {}", WRITE_TIMEOUT);
    } catch (ExecutionException failure) {
      throw new IllegalStateException(failure.getCause());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void pause() {
    var unused =
        stopping
            .copy()
            .completeOnTimeout(Done.getInstance(), RETRY.toMillis(), TimeUnit.MILLISECONDS)
            .join();
  }
}
