package dev.hawser.gateway.kafka;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.pekko.Done;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads this node's share of a topic with one thread and one fetch for all of its partitions. A
 * partition that has enough to do is paused, the others are not. After any failure it begins again
 * at what was committed.
 *
 * <p>Not pekko-connectors: there each partition asks for itself, and nearly every record costs a
 * poll of its own (docs/decisions/0013).
 */
final class PartitionReader {

  /** Who is told what the node has got. Called by the reader's thread. */
  interface Partitions {

    /**
     * The node has got partitions. It is told none, too, when the others have got them all.
     *
     * @param reader to be told what may be committed
     * @param ranges of each: where to read from, and where it ends now
     * @return where their records go; a partition without is not read
     */
    Map<Integer, ? extends Feed> assigned(PartitionReader reader, Map<Integer, Range> ranges);

    /** The node has left the group, or fell out of it. */
    void left();
  }

  /**
   * What is to be read of a partition at first.
   *
   * @param start offset of the next record
   * @param end offset behind the last one
   */
  record Range(long start, long end) {}

  /** One partition while this node has it. */
  interface Feed {

    /** Whether it takes records now; it still takes what has been fetched if not. */
    boolean isOpen();

    void take(ConsumerRecord<byte[], byte[]> record);

    /** Takes no more; finishes what was handed over. */
    void end();

    /**
     * Whether it has ended by itself, as what was handed over got lost: another one is to begin at
     * the last commit.
     */
    boolean isToBeReadAgain();

    /**
     * Completes when it has ended; with a failure if it must be read again from the last commit.
     */
    CompletionStage<Done> done();
  }

  private static final Logger log = LoggerFactory.getLogger(PartitionReader.class);

  /** What one poll brings at most. */
  static final int MAX_POLL_RECORDS = 500;

  /** How long a poll waits for something to come. */
  private static final Duration POLL = Duration.ofMillis(500);

  /** The same while there is a partition that is paused and may go on at any time. */
  private static final Duration SHORT_POLL = Duration.ofMillis(10);

  /**
   * From poll to poll. A record that comes alone does not wait for it; of many that come, it makes
   * one fetch, which saves both sides most of their work.
   */
  private static final Duration POLL_INTERVAL = Duration.ofMillis(2);

  private static final Duration COMMIT_INTERVAL = Duration.ofSeconds(1);

  /** From one begin of a partition to the next, should its sessions end early again and again. */
  private static final Duration READ_AGAIN = Duration.ofSeconds(1);

  private static final Duration MIN_BACKOFF = Duration.ofMillis(500);
  private static final Duration MAX_BACKOFF = Duration.ofSeconds(10);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(5);

  private final KafkaSettings settings;
  private final Partitions partitions;
  private final CompletableFuture<Done> stopping = new CompletableFuture<>();
  private final CompletableFuture<Done> stopped = new CompletableFuture<>();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  /** What may be committed: the offset of the next record. */
  private final Map<TopicPartition, Long> finished = new ConcurrentHashMap<>();

  /** The same, committed or not; where a partition began if nothing may be. */
  private final Map<TopicPartition, Long> durable = new ConcurrentHashMap<>();

  private final Map<TopicPartition, Feed> feeds = new HashMap<>();

  /** When the feed of a partition began. */
  private final Map<TopicPartition, Long> readAt = new HashMap<>();

  private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;
  private volatile long unread;

  /** Starts to read, and goes on until stopped. */
  PartitionReader(KafkaSettings settings, Partitions partitions) {
    this.settings = settings;
    this.partitions = partitions;
    Thread.ofPlatform().name("hawser-events").daemon().start(this::run);
  }

  /** All records before this offset are finished, and are not read again. For any thread. */
  void finished(int partition, long offset) {
    durable.merge(of(partition), offset, Math::max);
    finished.merge(of(partition), offset, Math::max);
  }

  private TopicPartition of(int partition) {
    return new TopicPartition(settings.events(), partition);
  }

  /** Records in the node's partitions that were not fetched yet, a second old at most. */
  long unread() {
    return unread;
  }

  /** Completes when what was handed over is finished, or did not finish in time. */
  CompletionStage<Done> stop() {
    stopping.complete(Done.getInstance());
    wake();
    return stopped.copy();
  }

  private void fail(Throwable cause) {
    if (failure.compareAndSet(null, cause)) {
      wake();
    }
  }

  private void wake() {
    KafkaConsumer<byte[], byte[]> running = consumer;
    if (running != null) {
      running.wakeup();
    }
  }

  private void run() {
    Duration backoff = MIN_BACKOFF;
    while (!stopping.isDone()) {
      long start = System.nanoTime();
      try {
        read();
      } catch (WakeupException woken) {
        // To stop, or because a partition has failed.
      } catch (KafkaException problem) {
        fail(problem);
      } catch (RuntimeException defect) {
        log.error("events are read again from the last commit", defect);
      }
      Throwable cause = failure.getAndSet(null);
      if (cause != null && !stopping.isDone()) {
        log.warn("events are read again from the last commit: {}", cause.toString());
      }
      if (System.nanoTime() - start > 2 * MAX_BACKOFF.toNanos()) {
        backoff = MIN_BACKOFF;
      }
      long jitter = ThreadLocalRandom.current().nextLong(backoff.toMillis() / 5);
      var unused =
          stopping
              .copy()
              .completeOnTimeout(
                  Done.getInstance(), backoff.toMillis() + jitter, TimeUnit.MILLISECONDS)
              .join();
      Duration longer = backoff.multipliedBy(2);
      backoff = longer.compareTo(MAX_BACKOFF) < 0 ? longer : MAX_BACKOFF;
    }
    stopped.complete(Done.getInstance());
  }

  private void read() {
    var opened = open();
    consumer = opened;
    try {
      opened.subscribe(List.of(settings.events()), new Rebalance(opened));
      long commitAt = System.nanoTime() + COMMIT_INTERVAL.toNanos();
      while (!stopping.isDone() && failure.get() == null) {
        long begin = System.nanoTime();
        boolean all = opened.paused().isEmpty();
        hand(opened.poll(all ? POLL : SHORT_POLL));
        readAgain(opened);
        pauseAndResume(opened);
        if (System.nanoTime() - commitAt >= 0) {
          commit(opened);
          unread = unread(opened);
          commitAt = System.nanoTime() + COMMIT_INTERVAL.toNanos();
        }
        LockSupport.parkNanos(POLL_INTERVAL.toNanos() - (System.nanoTime() - begin));
      }
    } finally {
      consumer = null;
      leave(opened);
    }
  }

  private KafkaConsumer<byte[], byte[]> open() {
    long sessionTimeout = settings.sessionTimeout().toMillis();
    return new KafkaConsumer<>(
        settings.client(
            Map.of(
                ConsumerConfig.GROUP_ID_CONFIG,
                settings.consumerGroup(),
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
                false,
                ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG,
                false,
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                "earliest",
                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                "read_committed",
                ConsumerConfig.MAX_POLL_RECORDS_CONFIG,
                MAX_POLL_RECORDS,
                // A node that comes or goes moves few partitions, and stops no other.
                ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
                CooperativeStickyAssignor.class.getName(),
                // How long the partitions of a node that was killed belong to nobody.
                ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
                Math.toIntExact(sessionTimeout),
                // How long it takes the others to hear that they are to share them.
                ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG,
                Math.toIntExact(sessionTimeout / 12))),
        new ByteArrayDeserializer(),
        new ByteArrayDeserializer());
  }

  private void hand(ConsumerRecords<byte[], byte[]> polled) {
    for (TopicPartition partition : polled.partitions()) {
      Feed feed = feeds.get(partition);
      if (feed != null) {
        polled.records(partition).forEach(feed::take);
      }
    }
  }

  /** Begins behind all that may be committed. */
  private void readAgain(KafkaConsumer<byte[], byte[]> from) {
    long now = System.nanoTime();
    Set<TopicPartition> again =
        feeds.entrySet().stream()
            .filter(entry -> entry.getValue().isToBeReadAgain())
            .map(Map.Entry::getKey)
            .filter(partition -> now - readAt.getOrDefault(partition, 0L) > READ_AGAIN.toNanos())
            .collect(Collectors.toSet());
    if (!again.isEmpty()) {
      log.warn("sessions of {} have ended early; it is read again from the last commit", again);
      again.forEach(partition -> from.seek(partition, durable.getOrDefault(partition, 0L)));
      begin(from, again);
    }
  }

  /** Begins to read partitions where the consumer stands. */
  private void begin(KafkaConsumer<byte[], byte[]> from, Collection<TopicPartition> gained) {
    // Read once their feeds are open.
    from.pause(gained);
    Map<TopicPartition, Long> ends = from.endOffsets(gained);
    var ranges = new HashMap<Integer, Range>();
    for (TopicPartition partition : gained) {
      end(partition);
      long start = from.position(partition);
      durable.put(partition, start);
      readAt.put(partition, System.nanoTime());
      ranges.put(partition.partition(), new Range(start, ends.getOrDefault(partition, start)));
    }
    partitions.assigned(this, ranges).forEach((partition, feed) -> begin(of(partition), feed));
  }

  private void begin(TopicPartition partition, Feed feed) {
    feeds.put(partition, feed);
    var unused =
        feed.done()
            .whenComplete(
                (done, cause) -> {
                  if (cause != null) {
                    fail(cause);
                  }
                });
  }

  private void end(TopicPartition partition) {
    Feed feed = feeds.remove(partition);
    if (feed != null) {
      feed.end();
    }
  }

  private void pauseAndResume(KafkaConsumer<byte[], byte[]> from) {
    Set<TopicPartition> paused = from.paused();
    feeds.forEach(
        (partition, feed) -> {
          boolean isOpen = feed.isOpen();
          if (isOpen && paused.contains(partition)) {
            from.resume(Set.of(partition));
          } else if (!isOpen && !paused.contains(partition)) {
            from.pause(Set.of(partition));
          }
        });
  }

  private void commit(KafkaConsumer<byte[], byte[]> from) {
    var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
    for (TopicPartition partition : feeds.keySet()) {
      Long offset = finished.remove(partition);
      if (offset != null) {
        offsets.put(partition, new OffsetAndMetadata(offset));
      }
    }
    if (!offsets.isEmpty()) {
      from.commitAsync(
          offsets,
          (committed, problem) -> {
            if (problem != null) {
              log.debug("offsets are committed later", problem);
              committed.forEach(
                  (partition, offset) -> finished.merge(partition, offset.offset(), Math::max));
            }
          });
    }
  }

  private static long unread(KafkaConsumer<byte[], byte[]> from) {
    return from.assignment().stream()
        .mapToLong(partition -> from.currentLag(partition).orElse(0))
        .sum();
  }

  private void leave(KafkaConsumer<byte[], byte[]> left) {
    feeds.values().forEach(Feed::end);
    partitions.left();
    if (stopping.isDone()) {
      var unused =
          CompletableFuture.allOf(
                  feeds.values().stream()
                      .map(feed -> feed.done().exceptionally(failed -> Done.getInstance()))
                      .map(CompletionStage::toCompletableFuture)
                      .toArray(CompletableFuture<?>[]::new))
              .completeOnTimeout(null, STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
              .join();
    }
    feeds.clear();
    // What the next owner of a partition has to read again must not be committed by this one.
    finished.clear();
    unread = 0;
    try {
      left.close(CloseOptions.timeout(CLOSE_TIMEOUT));
    } catch (KafkaException unclean) {
      log.debug("the group finds out by itself", unclean);
    }
  }

  private final class Rebalance implements ConsumerRebalanceListener {
    private final KafkaConsumer<byte[], byte[]> assigned;

    Rebalance(KafkaConsumer<byte[], byte[]> assigned) {
      this.assigned = assigned;
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> gained) {
      gained.forEach(
          partition -> {
            end(partition);
            finished.remove(partition);
          });
      begin(assigned, gained);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> lost) {
      lost.forEach(PartitionReader.this::end);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> lost) {
      onPartitionsRevoked(lost);
      partitions.left();
    }
  }
}
