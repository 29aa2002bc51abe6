package dev.hawser.gateway.kafka;

import dev.hawser.gateway.kafka.LateCommits.HandedOver;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.stream.LastOffsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.stream.BoundedSourceQueue;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.QueueOfferResult;
import org.apache.pekko.stream.SharedKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.jspecify.annotations.Nullable;

/**
 * The events of one partition on their way to sessions, one after the other per user, and what
 * makes it safe to commit them: after the recovery window what no client has acknowledged goes to
 * mailboxes, and users' last offsets are written down.
 */
final class PartitionFeed implements PartitionReader.Feed {

  /** What all partitions of a node share. */
  record Parts(
      ActorSystem<?> system,
      KafkaSettings settings,
      OfflineDefaults offline,
      Duration recoveryWindow,
      Feeds feeds,
      LastOffsets lastOffsets,
      EventHandover handover) {}

  /** Records that wait; what one poll brings comes on top. */
  private static final int WAITING = 500;

  /** How often last offsets are written, and offsets committed. */
  private static final Duration KEEP_INTERVAL = Duration.ofSeconds(5);

  private static final int TURNS = 16;

  private static final Duration SECURE_TIMEOUT = Duration.ofSeconds(15);

  private final Parts parts;
  private final ClusterSharding sharding;
  private final int partition;
  private final PartitionReader.Range range;
  private final long handedOverBefore;
  private final LongConsumer finished;
  private final LateCommits late;
  private final SharedKillSwitch intake;
  private final BoundedSourceQueue<ConsumerRecord<byte[], byte[]>> queue;
  private final CompletionStage<Done> done;
  private volatile boolean open;
  private volatile long generation;
  private volatile boolean ended;
  private volatile boolean toReadAgain;

  /** The last one that was handed over, of its stream. */
  private volatile long reached;

  /** What could not be committed yet, though it has waited for long enough. */
  private @Nullable HandedOver due;

  private boolean keeping;

  /**
   * A closed one.
   *
   * @param before what ended early, null for nothing: what that had handed over has waited for its
   *     commit, or a partition whose sessions often end early would never be committed
   * @param finished told the offset of the next record that is to be read after a failure
   */
  PartitionFeed(
      Parts parts,
      int partition,
      PartitionReader.Range range,
      @Nullable PartitionFeed before,
      LongConsumer finished) {
    this.parts = parts;
    this.sharding = ClusterSharding.get(parts.system());
    this.partition = partition;
    this.range = range;
    this.handedOverBefore = before == null ? 0 : Math.max(before.reached, before.handedOverBefore);
    this.finished = finished;
    this.late =
        new LateCommits(parts.recoveryWindow().toNanos(), parts.settings().maxUncommitted());
    this.intake = KillSwitches.shared("partition-" + partition);
    var running =
        Source.<ConsumerRecord<byte[], byte[]>>queue(WAITING + PartitionReader.MAX_POLL_RECORDS)
            .via(intake.flow())
            .map(this::read)
            .mapAsyncPartitioned(
                parts.settings().eventsInFlight(), Read::order, (read, user) -> handOver(read))
            .toMat(Sink.foreach(this::reached), Keep.both())
            .run(parts.system());
    this.queue = running.first();
    this.done = running.second();
    var commits =
        parts
            .system()
            .scheduler()
            .scheduleWithFixedDelay(
                // Partitions that came together take turns.
                KEEP_INTERVAL.multipliedBy(partition % TURNS).dividedBy(TURNS),
                KEEP_INTERVAL,
                this::commitDue,
                parts.system().executionContext());
    var unused = done.whenComplete((ended, failure) -> commits.cancel());
  }

  /** The partition's sessions are on this node. */
  synchronized void open() {
    if (!ended) {
      generation =
          parts.feeds().started(partition, range.start(), range.end(), this::sessionsLostEvents);
      open = true;
    }
  }

  /** Nothing that they knew of may be committed by this feed any more. */
  private synchronized void sessionsLostEvents() {
    if (!ended) {
      end();
      toReadAgain = true;
    }
  }

  int partition() {
    return partition;
  }

  /** Whether its sessions are here, or it has ended before. */
  boolean isSettled() {
    return open || ended;
  }

  boolean isEnded() {
    return ended;
  }

  @Override
  public boolean isOpen() {
    return open && !ended && queue.size() < WAITING;
  }

  @Override
  public void take(ConsumerRecord<byte[], byte[]> record) {
    // One that has failed takes no more, and is read again.
    if (queue.offer(record) == QueueOfferResult.dropped()) {
      throw new IllegalStateException("partition %d got more than it may".formatted(partition));
    }
  }

  @Override
  public synchronized void end() {
    ended = true;
    parts.feeds().stopped(partition);
    intake.shutdown();
  }

  @Override
  public boolean isToBeReadAgain() {
    return toReadAgain;
  }

  @Override
  public CompletionStage<Done> done() {
    return done;
  }

  /** Records handed over and not committed on purpose: the next owner reads them again. */
  long uncommitted() {
    return Math.max(0, parts.feeds().reached(partition) - parts.feeds().kept(partition));
  }

  /** Records that were fetched and wait. */
  int waiting() {
    return queue.size();
  }

  /**
   * A record, and what it is.
   *
   * @param user in whose stream it is, null for nobody's
   */
  private record Read(
      ConsumerRecord<byte[], byte[]> record, EventRecord event, @Nullable String user) {

    /** What is for one user goes one after the other, and so does what is for nobody. */
    String order() {
      return event instanceof EventRecord.ToUser toUser ? toUser.event().user() : "";
    }

    /** Its place in its user's stream. */
    long streamOffset() {
      return record.offset() + 1;
    }
  }

  private Read read(ConsumerRecord<byte[], byte[]> record) {
    var event = EventRecord.of(record, parts.settings().requireJson(), parts.offline());
    return new Read(record, event, parts.handover().userAtHome(record, event));
  }

  private CompletionStage<Read> handOver(Read read) {
    return parts
        .handover()
        .handOver(read.record(), read.event(), generation, this::isEnded)
        .thenApply(done -> read);
  }

  private synchronized void reached(Read read) {
    if (!ended) {
      reached = read.streamOffset();
      parts.feeds().reached(partition, reached);
      long waited = reached <= handedOverBefore ? parts.recoveryWindow().toNanos() : 0;
      late.add(read.user(), reached, System.nanoTime() - waited);
    }
  }

  /** What has waited for long enough is kept, and then committed; one after the other. */
  private synchronized void commitDue() {
    if (ended) {
      return;
    }
    due = late.takeDue(due, System.nanoTime());
    HandedOver next = due;
    if (next != null && !keeping) {
      keeping = true;
      due = null;
      var unused =
          keep(next)
              .whenComplete(
                  (kept, failure) -> {
                    if (failure == null) {
                      kept(next.upTo());
                    } else {
                      // PostgreSQL is away; nothing is lost, but more will have to be read again.
                      notKept(next);
                    }
                  });
    }
  }

  private synchronized void kept(long upTo) {
    keeping = false;
    if (!ended) {
      parts.feeds().kept(partition, upTo);
      finished.accept(upTo);
    }
  }

  private synchronized void notKept(HandedOver handedOver) {
    keeping = false;
    due = due == null ? handedOver : handedOver.and(due);
  }

  /** Keeps the last offsets before the commit: what is committed is never read again. */
  private CompletionStage<Done> keep(HandedOver handedOver) {
    return secure(handedOver)
        .thenCompose(
            secured ->
                ended
                    ? CompletableFuture.completedFuture(Done.getInstance())
                    : parts.lastOffsets().keep(handedOver.offsets()));
  }

  /** What clients have not acknowledged goes to their mailboxes. */
  private CompletionStage<?> secure(HandedOver handedOver) {
    return CompletableFuture.allOf(
        handedOver.offsets().keySet().stream()
            .map(
                user ->
                    sharding
                        .entityRefFor(Session.KEY, user)
                        .<Done>ask(
                            replyTo -> new Session.Secure(handedOver.upTo(), replyTo),
                            SECURE_TIMEOUT)
                        .toCompletableFuture())
            .toArray(CompletableFuture<?>[]::new));
  }
}
