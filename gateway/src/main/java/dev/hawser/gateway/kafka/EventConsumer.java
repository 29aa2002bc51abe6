package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;

import dev.hawser.gateway.connection.ConnectionId;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.session.Shards;
import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.sharding.external.ExternalShardAllocation;
import org.apache.pekko.cluster.sharding.external.javadsl.ExternalShardAllocationClient;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.kafka.CommitterSettings;
import org.apache.pekko.kafka.ConsumerMessage.Committable;
import org.apache.pekko.kafka.ConsumerMessage.CommittableMessage;
import org.apache.pekko.kafka.ConsumerSettings;
import org.apache.pekko.kafka.RestrictedConsumer;
import org.apache.pekko.kafka.Subscriptions;
import org.apache.pekko.kafka.javadsl.Committer;
import org.apache.pekko.kafka.javadsl.Consumer;
import org.apache.pekko.kafka.javadsl.PartitionAssignmentHandler;
import org.apache.pekko.pattern.Patterns;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.DelayOverflowStrategy;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.RestartSettings;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.RestartSource;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the events topic and hands each event to its user's session, one after the other per user.
 *
 * <p>The node that has a partition gets its sessions, too: the shard of the same number. Reading
 * begins once they are here, from the last commit, and commits lag {@code hawser.recovery.window}
 * behind what was handed over: so whoever gets the partition next tells its sessions the recent
 * past again. Any failure reads again from the last commit.
 */
public final class EventConsumer {

  private static final Logger log = LoggerFactory.getLogger(EventConsumer.class);
  private static final int MAX_PARTITIONS = 4_096;

  /** Records of a partition that one commit covers, and how long it waits for them. */
  private static final int COMMIT_RECORDS = 1_000;

  private static final Duration COMMIT_INTERVAL = Duration.ofSeconds(1);

  /** How often last offsets are written, and offsets committed. */
  private static final Duration KEEP_INTERVAL = Duration.ofSeconds(5);

  /** Sharding delivers at most once: what is not acknowledged in this time is handed over again. */
  private static final Duration ATTEMPT = Duration.ofSeconds(2);

  /** What was not even sent is sent again after this time. */
  private static final Duration ATTEMPT_INTERVAL = Duration.ofMillis(100);

  private static final Duration SECURE_TIMEOUT = Duration.ofSeconds(15);

  private static final Duration LOCATE_TIMEOUT = Duration.ofMillis(250);
  private static final Duration LOCATE_INTERVAL = Duration.ofMillis(50);
  private static final Duration LOCATE_WARNING = Duration.ofSeconds(15);
  private static final Duration LAG_INTERVAL = Duration.ofSeconds(5);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(5);

  private final ActorSystem<?> system;
  private final KafkaSettings settings;
  private final Duration recoveryWindow;
  private final OfflineDefaults offline;
  private final Feeds feeds;
  private final LastOffsets lastOffsets;
  private final ClusterSharding sharding;
  private final RecordPublisher publisher;
  private final Address self;
  private final ExternalShardAllocationClient shards;
  private final AtomicReference<Consumer.Control> control =
      new AtomicReference<>(Consumer.createNoopControl());
  private final Map<Integer, Assignment> assignments = new ConcurrentHashMap<>();
  private final UniqueKillSwitch restarts;
  private final CompletionStage<Done> ended;
  private final LongAdder events = new LongAdder();
  private final LongAdder deadLetters = new LongAdder();
  private final LongAdder misrouted = new LongAdder();
  private final LongAdder inFlight = new LongAdder();
  private final AtomicLong unread = new AtomicLong();
  private volatile boolean member;
  private volatile boolean settled;

  /** Starts to read, and goes on until stopped. */
  public EventConsumer(
      ActorSystem<?> system,
      KafkaSettings settings,
      OfflineDefaults offline,
      Duration recoveryWindow,
      Feeds feeds,
      LastOffsets lastOffsets,
      RecordPublisher publisher) {
    this.system = system;
    this.settings = settings;
    this.recoveryWindow = recoveryWindow;
    this.offline = offline;
    this.feeds = feeds;
    this.lastOffsets = lastOffsets;
    this.sharding = ClusterSharding.get(system);
    this.publisher = publisher;
    this.self = Cluster.get(system).selfMember().address();
    this.shards = ExternalShardAllocation.get(system).getClient(Session.KEY.name());
    var backoff = RestartSettings.create(Duration.ofMillis(500), Duration.ofSeconds(10), 0.2);
    var running =
        RestartSource.onFailuresWithBackoff(backoff, this::source)
            .viaMat(KillSwitches.single(), Keep.right())
            .toMat(Sink.ignore(), Keep.both())
            .run(system);
    this.restarts = running.first();
    this.ended = running.second();
    var lag =
        system
            .scheduler()
            .scheduleAtFixedRate(
                LAG_INTERVAL, LAG_INTERVAL, this::measureLag, system.executionContext());
    var unused = ended.whenComplete((done, failure) -> lag.cancel());
  }

  private Source<Done, ?> source() {
    var consumer =
        ConsumerSettings.create(system, new ByteArrayDeserializer(), new ByteArrayDeserializer())
            .withBootstrapServers(settings.bootstrapServers())
            .withGroupId(settings.consumerGroup())
            .withProperty(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest")
            .withProperty(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed")
            // A node that comes or goes moves few partitions, and stops no other.
            .withProperty(
                ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
                CooperativeStickyAssignor.class.getName())
            // How long the partitions of a node that was killed belong to nobody.
            .withProperty(
                ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
                Long.toString(settings.sessionTimeout().toMillis()))
            // How long it takes the others to hear that they are to share them.
            .withProperty(
                ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG,
                Long.toString(settings.sessionTimeout().toMillis() / 12))
            // Draining knows when it is done; this would be waited out on top.
            .withStopTimeout(Duration.ZERO);
    return Consumer.committablePartitionedSource(
            consumer,
            Subscriptions.topics(settings.events())
                .withPartitionAssignmentHandler(new Assignments()))
        .mapMaterializedValue(
            started -> {
              control.set(started);
              return started;
            })
        .flatMapMerge(
            MAX_PARTITIONS, partition -> feed(partition.first().partition(), partition.second()))
        .via(Committer.flow(CommitterSettings.create(system)));
  }

  /** A partition of this node. */
  private static final class Assignment {
    final int partition;

    /** Offset of the next record. */
    final long start;

    /** Behind the last record there was. */
    final long end;

    /** True once its sessions are on this node, false if the partition goes before. */
    final CompletableFuture<Boolean> here = new CompletableFuture<>();

    volatile boolean revoked;
    long warnAt = System.nanoTime() + LOCATE_WARNING.toNanos();

    Assignment(int partition, long start, long end) {
      this.partition = partition;
      this.start = start;
      this.end = end;
    }
  }

  private final class Assignments implements PartitionAssignmentHandler {
    @Override
    public void onAssign(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      var locations = new HashMap<String, Address>();
      var starts = new HashMap<Integer, Long>();
      if (!partitions.isEmpty()) {
        log.info("gets partitions {}", numbers(partitions));
      }
      for (TopicPartition partition : partitions) {
        long start = consumer.position(partition);
        long end = ends.getOrDefault(partition, start);
        var assignment = new Assignment(partition.partition(), start, end);
        revoke(partition.partition());
        assignments.put(partition.partition(), assignment);
        locations.put(Integer.toString(partition.partition()), self);
        starts.put(partition.partition(), start);
        locate(assignment);
      }
      if (!locations.isEmpty()) {
        place(locations);
        open(starts);
      }
      member = true;
    }

    @Override
    public void onRevoke(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      if (!partitions.isEmpty()) {
        log.info("gives partitions {}", numbers(partitions));
      }
      partitions.forEach(partition -> revoke(partition.partition()));
    }

    @Override
    public void onLost(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      onStop(partitions, consumer);
    }

    @Override
    public void onStop(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      member = false;
      settled = false;
      onRevoke(partitions, consumer);
    }

    private static List<Integer> numbers(Set<TopicPartition> partitions) {
      return partitions.stream().map(TopicPartition::partition).sorted().toList();
    }
  }

  private void revoke(int partition) {
    Assignment gone = assignments.remove(partition);
    feeds.stopped(partition);
    if (gone != null) {
      gone.revoked = true;
      gone.here.complete(false);
    }
  }

  /** Asks for the shards; until sharding has taken note, and as long as it is so. */
  private void place(Map<String, Address> locations) {
    var unused =
        shards
            .setShardLocations(locations)
            .whenComplete(
                (done, failure) -> {
                  if (failure != null) {
                    log.warn("cannot place shards {}: {}", locations.keySet(), failure.toString());
                    locations.keySet().removeIf(shard -> !isAssigned(Integer.parseInt(shard)));
                    if (!locations.isEmpty()) {
                      later(LOCATE_INTERVAL, () -> place(locations));
                    }
                  }
                });
  }

  /** Tells from where on last offsets are kept; until PostgreSQL has taken note. */
  private void open(Map<Integer, Long> starts) {
    var unused =
        lastOffsets
            .open(starts)
            .whenComplete(
                (done, failure) -> {
                  starts.keySet().removeIf(partition -> !isAssigned(partition));
                  if (failure != null && !starts.isEmpty()) {
                    later(KEEP_INTERVAL, () -> open(starts));
                  }
                });
  }

  private boolean isAssigned(int partition) {
    return assignments.containsKey(partition);
  }

  /** Waits until the partition's sessions are here. */
  private void locate(Assignment assignment) {
    if (assignment.revoked) {
      return;
    }
    var unused =
        Session.isHere(system, assignment.partition, LOCATE_TIMEOUT)
            .thenAccept(
                here -> {
                  if (here) {
                    onHere(assignment);
                  } else {
                    if (System.nanoTime() > assignment.warnAt) {
                      assignment.warnAt = System.nanoTime() + LOCATE_WARNING.toNanos();
                      log.warn(
                          "partition {} is read once its sessions are here, and they are not yet",
                          assignment.partition);
                    }
                    later(LOCATE_INTERVAL, () -> locate(assignment));
                  }
                });
  }

  private void onHere(Assignment assignment) {
    if (assignments.get(assignment.partition) == assignment) {
      log.debug("reads partition {} from offset {}", assignment.partition, assignment.start);
      feeds.started(assignment.partition, assignment.start, assignment.end);
      assignment.here.complete(true);
    }
  }

  private void later(Duration delay, Runnable task) {
    var unused = system.scheduler().scheduleOnce(delay, task, system.executionContext());
  }

  /**
   * Whether this node is a member of the consumer group, and reads its share of the partitions, or
   * did once: partitions that move later do not make it useless to clients.
   */
  public boolean assigned() {
    settled =
        member
            && (settled
                || assignments.values().stream().allMatch(assignment -> assignment.here.isDone()));
    return settled;
  }

  /** Events read for a user since the start, repeated ones included. */
  public long events() {
    return events.sum();
  }

  /** Records sent to the dead-letter topic since the start. */
  public long deadLetters() {
    return deadLetters.sum();
  }

  /** Records that were in another partition than their user's, and were written to that one. */
  public long misrouted() {
    return misrouted.sum();
  }

  /** Records handed over and not yet acknowledged. */
  public long inFlight() {
    return inFlight.sum();
  }

  /** Records in this node's partitions that it has not read; some seconds old. */
  public long unread() {
    return unread.get();
  }

  private void measureLag() {
    var unused =
        control
            .get()
            .getMetrics()
            .thenAccept(
                metrics ->
                    unread.set(
                        metrics.entrySet().stream()
                            .filter(metric -> metric.getKey().name().equals("records-lag"))
                            .mapToLong(metric -> (long) (double) metric.getValue().metricValue())
                            .sum()));
  }

  /** Records handed over and not committed on purpose: the next owner reads them again. */
  public long uncommitted() {
    return assignments.keySet().stream()
        .mapToLong(partition -> Math.max(0, feeds.reached(partition) - feeds.kept(partition)))
        .sum();
  }

  /** Finishes what was handed over. Commits no more: the next owner reads the recent past again. */
  public CompletionStage<Done> stop() {
    return control
        .get()
        .drainAndShutdown(ended, system.executionContext())
        .toCompletableFuture()
        .completeOnTimeout(Done.getInstance(), STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
        .whenComplete((drained, failure) -> restarts.shutdown());
  }

  /** A record, and what it is. */
  private record Read(CommittableMessage<byte[], byte[]> message, EventRecord event) {
    /** What is for one user goes one after the other, and so does what is for nobody. */
    String order() {
      return event instanceof EventRecord.ToUser toUser ? toUser.event().user() : "";
    }

    /** Its place in its user's stream. */
    long streamOffset() {
      return message.record().offset() + 1;
    }
  }

  private Source<Committable, NotUsed> feed(
      int partition, Source<CommittableMessage<byte[], byte[]>, NotUsed> records) {
    Assignment assignment = assignments.get(partition);
    if (assignment == null) {
      // Revoked again already.
      return records.take(0).map(CommittableMessage::committableOffset);
    }
    var end = KillSwitches.shared("partition-" + partition);
    int batches = Math.max(1, settings.maxUncommitted() / COMMIT_RECORDS);
    var lateCommit =
        Flow.<HandedOver>create()
            .delay(recoveryWindow, DelayOverflowStrategy.emitEarly())
            .withAttributes(Attributes.inputBuffer(batches, batches))
            .conflate(HandedOver::and)
            .throttle(1, KEEP_INTERVAL)
            .mapAsync(1, handedOver -> keep(assignment, handedOver));
    return records
        .mapAsync(
            1,
            message ->
                assignment.here.thenApply(
                    here ->
                        here ? List.of(message) : List.<CommittableMessage<byte[], byte[]>>of()))
        .mapConcat(message -> message)
        .map(
            message ->
                new Read(
                    message, EventRecord.of(message.record(), settings.requireJson(), offline)))
        .mapAsyncPartitioned(
            settings.eventsInFlight(), Read::order, (read, user) -> handOver(assignment, read))
        .map(
            read -> {
              if (!assignment.revoked) {
                feeds.reached(partition, read.streamOffset());
              }
              return read;
            })
        .groupedWithin(COMMIT_RECORDS, COMMIT_INTERVAL)
        .map(EventConsumer::handedOver)
        .watchTermination(
            (materialized, done) -> {
              var unused = done.whenComplete((completed, failure) -> end.shutdown());
              return materialized;
            })
        .via(lateCommit)
        .via(end.flow());
  }

  /**
   * Records that are handed over and not committed.
   *
   * @param last the last of them
   * @param offsets of each user's last event in the stream
   */
  private record HandedOver(Read last, Map<String, Long> offsets) {

    HandedOver and(HandedOver later) {
      offsets.putAll(later.offsets);
      return new HandedOver(later.last, offsets);
    }
  }

  private static HandedOver handedOver(List<Read> reads) {
    var offsets = new HashMap<String, Long>();
    for (Read read : reads) {
      if (read.event() instanceof EventRecord.ToUser toUser) {
        offsets.put(toUser.event().user(), read.streamOffset());
      }
    }
    return new HandedOver(reads.getLast(), offsets);
  }

  /** What clients have not acknowledged goes to their mailboxes. */
  private CompletionStage<?> secure(HandedOver handedOver) {
    long upTo = handedOver.last().streamOffset();
    return CompletableFuture.allOf(
        handedOver.offsets().keySet().stream()
            .map(
                user ->
                    sharding
                        .entityRefFor(Session.KEY, user)
                        .<Done>ask(replyTo -> new Session.Secure(upTo, replyTo), SECURE_TIMEOUT)
                        .toCompletableFuture())
            .toArray(CompletableFuture<?>[]::new));
  }

  /** Keeps the last offsets before the commit: what is committed is never read again. */
  private CompletionStage<Committable> keep(Assignment assignment, HandedOver handedOver) {
    return secure(handedOver)
        .thenCompose(secured -> lastOffsets.keep(handedOver.offsets()))
        .handle(
            (kept, failure) -> {
              if (failure == null) {
                if (!assignment.revoked) {
                  feeds.kept(assignment.partition, handedOver.last().streamOffset());
                }
                return CompletableFuture.<Committable>completedFuture(
                    handedOver.last().message().committableOffset());
              }
              // PostgreSQL is away; nothing is lost, but more will have to be read again.
              return assignment.revoked
                  ? CompletableFuture.<Committable>failedFuture(failure)
                  : Patterns.after(KEEP_INTERVAL, system, () -> keep(assignment, handedOver));
            })
        .thenCompose(committable -> committable);
  }

  private CompletionStage<Read> handOver(Assignment assignment, Read read) {
    var record = read.message().record();
    inFlight.increment();
    CompletionStage<?> done =
        switch (read.event()) {
          case EventRecord.ToUser toUser ->
              Shards.of(toUser.event().user(), feeds.shards()) == record.partition()
                  ? push(assignment, record, toUser.event())
                  : reroute(record, toUser.event().user());
          case EventRecord.Inner inner -> CompletableFuture.completedFuture(Done.getInstance());
          case EventRecord.Undeliverable undeliverable ->
              deadLetter(record, undeliverable.reason());
        };
    return done.whenComplete((handedOver, failure) -> inFlight.decrement())
        .thenApply(handedOver -> read);
  }

  private CompletionStage<Done> push(
      Assignment assignment, ConsumerRecord<byte[], byte[]> record, PushEvent event) {
    events.increment();
    String client = event.excludedClient();
    long excluded = client == null ? 0 : ConnectionId.fromText(client);
    long giveUpAt = System.nanoTime() + settings.acknowledgeTimeout().toNanos();
    return push(assignment, event, record.offset() + 1, excluded, giveUpAt);
  }

  private CompletionStage<Done> push(
      Assignment assignment, PushEvent event, long offset, long excluded, long giveUpAt) {
    return sharding
        .entityRefFor(Session.KEY, event.user())
        .<Done>ask(replyTo -> new Session.Push(event, offset, excluded, replyTo), ATTEMPT)
        .exceptionallyCompose(
            failure -> {
              if (assignment.revoked) {
                // The next owner hands it over, and nothing of this partition is committed here.
                return CompletableFuture.completedFuture(Done.getInstance());
              }
              return failure instanceof TimeoutException && System.nanoTime() < giveUpAt
                  ? Patterns.after(
                      ATTEMPT_INTERVAL,
                      system,
                      () -> push(assignment, event, offset, excluded, giveUpAt))
                  : CompletableFuture.failedFuture(failure);
            });
  }

  /** Written by a producer with another partitioner: its user's session is somewhere else. */
  private CompletionStage<RecordMetadata> reroute(
      ConsumerRecord<byte[], byte[]> record, String user) {
    misrouted.increment();
    return publisher.send(
        new ProducerRecord<>(
            record.topic(),
            Shards.of(user, feeds.shards()),
            user.getBytes(StandardCharsets.UTF_8),
            record.value(),
            record.headers()));
  }

  private CompletionStage<RecordMetadata> deadLetter(
      ConsumerRecord<byte[], byte[]> record, String reason) {
    String source = "%s-%d@%d".formatted(record.topic(), record.partition(), record.offset());
    log.warn("{} goes to {}: {}", source, settings.deadLetters(), reason);
    deadLetters.increment();
    var headers = new RecordHeaders(record.headers());
    addHeader(headers, EventHeaders.DEAD_LETTER_REASON, reason);
    addHeader(headers, EventHeaders.DEAD_LETTER_SOURCE, source);
    return publisher
        .send(deadLetter(record, record.value(), headers))
        .exceptionallyCompose(
            failure ->
                // With its new headers it is larger than Kafka allows: better without its value
                // than the end of the partition.
                failure instanceof RecordTooLargeException
                    ? publisher.send(deadLetter(record, null, headers))
                    : CompletableFuture.failedFuture(failure));
  }

  private ProducerRecord<byte[], byte[]> deadLetter(
      ConsumerRecord<byte[], byte[]> record, byte @Nullable [] value, RecordHeaders headers) {
    return new ProducerRecord<>(settings.deadLetters(), null, null, record.key(), value, headers);
  }
}
