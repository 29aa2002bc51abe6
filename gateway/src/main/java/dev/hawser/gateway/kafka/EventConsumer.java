package dev.hawser.gateway.kafka;

import dev.hawser.gateway.kafka.PartitionReader.Range;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.stream.LastOffsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.Done;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.sharding.external.ExternalShardAllocation;
import org.apache.pekko.cluster.sharding.external.javadsl.ExternalShardAllocationClient;
import org.apache.pekko.cluster.typed.Cluster;
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

  private static final Duration OPEN_INTERVAL = Duration.ofSeconds(5);
  private static final Duration LOCATE_TIMEOUT = Duration.ofMillis(250);
  private static final Duration LOCATE_INTERVAL = Duration.ofMillis(50);
  private static final Duration LOCATE_WARNING = Duration.ofSeconds(15);

  private final ActorSystem<?> system;
  private final Feeds feeds;
  private final LastOffsets lastOffsets;
  private final PartitionFeed.Parts parts;
  private final Address self;
  private final ExternalShardAllocationClient shards;

  /** By partition; the last one of each. */
  private final Map<Integer, PartitionFeed> running = new ConcurrentHashMap<>();

  private final EventHandover handover;
  private final PartitionReader reader;
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
    this.feeds = feeds;
    this.lastOffsets = lastOffsets;
    this.handover = new EventHandover(system, settings, feeds.shards(), feeds.epoch(), publisher);
    this.parts =
        new PartitionFeed.Parts(
            system, settings, offline, recoveryWindow, feeds, lastOffsets, handover);
    this.self = Cluster.get(system).selfMember().address();
    this.shards = ExternalShardAllocation.get(system).getClient(Session.KEY.name());
    this.reader = new PartitionReader(settings, new Partitions());
  }

  private final class Partitions implements PartitionReader.Partitions {
    @Override
    public Map<Integer, PartitionFeed> assigned(PartitionReader by, Map<Integer, Range> ranges) {
      var gained = new HashMap<Integer, PartitionFeed>();
      var starts = new HashMap<Integer, Long>();
      ranges.forEach(
          (partition, range) -> {
            // The topic may have got more since: KafkaHealth says so.
            if (partition < feeds.shards()) {
              PartitionFeed last = running.get(partition);
              var feed =
                  new PartitionFeed(
                      parts,
                      partition,
                      range,
                      last != null && last.isToBeReadAgain() ? last : null,
                      offset -> by.finished(partition, offset));
              gained.put(partition, feed);
              starts.put(partition, range.start());
            }
          });
      running.putAll(gained);
      if (!gained.isEmpty()) {
        log.info("gets partitions {}", gained.keySet().stream().sorted().toList());
        place(gained);
        keepOffsets(starts);
        gained.values().forEach(feed -> locate(feed, System.nanoTime()));
      }
      member = true;
      return gained;
    }

    @Override
    public void left() {
      member = false;
      settled = false;
    }
  }

  /** Asks for the shards; until sharding has taken note, and as long as it is so. */
  private void place(Map<Integer, PartitionFeed> gained) {
    gained.values().removeIf(PartitionFeed::isEnded);
    if (gained.isEmpty()) {
      return;
    }
    var locations = new HashMap<String, Address>();
    gained.keySet().forEach(partition -> locations.put(Integer.toString(partition), self));
    var unused =
        shards
            .setShardLocations(locations)
            .whenComplete(
                (done, failure) -> {
                  if (failure != null) {
                    log.warn("cannot place shards {}: {}", gained.keySet(), failure.toString());
                    later(LOCATE_INTERVAL, () -> place(gained));
                  }
                });
  }

  /** Tells from where on last offsets are kept; until PostgreSQL has taken note. */
  private void keepOffsets(Map<Integer, Long> starts) {
    var unused =
        lastOffsets
            .open(starts)
            .whenComplete(
                (done, failure) -> {
                  starts.keySet().removeIf(partition -> !isAssigned(partition));
                  if (failure != null && !starts.isEmpty()) {
                    later(OPEN_INTERVAL, () -> keepOffsets(starts));
                  }
                });
  }

  private boolean isAssigned(int partition) {
    PartitionFeed feed = running.get(partition);
    return feed != null && !feed.isEnded();
  }

  /** Waits until the partition's sessions are here. */
  private void locate(PartitionFeed feed, long since) {
    if (feed.isEnded()) {
      return;
    }
    var unused =
        Session.isHere(system, feed.partition(), LOCATE_TIMEOUT)
            .thenAccept(
                here -> {
                  if (here) {
                    feed.open();
                  } else {
                    later(LOCATE_INTERVAL, () -> locate(feed, warn(feed, since)));
                  }
                });
  }

  private static long warn(PartitionFeed feed, long since) {
    long now = System.nanoTime();
    if (now - since < LOCATE_WARNING.toNanos()) {
      return since;
    }
    log.warn(
        "partition {} is read once its sessions are here, and they are not yet", feed.partition());
    return now;
  }

  private void later(Duration delay, Runnable task) {
    var unused = system.scheduler().scheduleOnce(delay, task, system.executionContext());
  }

  /**
   * Whether this node is a member of the consumer group, and reads its share of the partitions, or
   * did once: partitions that move later do not make it useless to clients.
   */
  public boolean assigned() {
    settled = member && (settled || running.values().stream().allMatch(PartitionFeed::isSettled));
    return settled;
  }

  /** Events read for a user since the start, repeated ones included. */
  public long events() {
    return handover.events();
  }

  /** Records sent to the dead-letter topic since the start. */
  public long deadLetters() {
    return handover.deadLetters();
  }

  /** Records that were in another partition than their user's, and were written to that one. */
  public long misrouted() {
    return handover.misrouted();
  }

  /** Records handed over and not yet acknowledged. */
  public long inFlight() {
    return handover.inFlight();
  }

  /** Records in this node's partitions that it has not read; a second old. */
  public long unread() {
    return reader.unread()
        + running.values().stream()
            .filter(feed -> !feed.isEnded())
            .mapToInt(PartitionFeed::waiting)
            .sum();
  }

  /** Records handed over and not committed on purpose: the next owner reads them again. */
  public long uncommitted() {
    return running.values().stream()
        .filter(feed -> !feed.isEnded())
        .mapToLong(PartitionFeed::uncommitted)
        .sum();
  }

  /** Finishes what was handed over. Commits no more: the next owner reads the recent past again. */
  public CompletionStage<Done> stop() {
    return reader.stop();
  }
}
