package dev.hawser.gateway.session;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Which shards this node feeds with events, and how far: what sessions have to know to tell whether
 * they have heard everything. Written by what reads the events, read by sessions.
 */
public final class Feeds {

  /** A shard that is not fed here. */
  public static final long NOT_FED = -1;

  /** The generation of an event that comes from another node: never one of this node's. */
  static final long ELSEWHERE = -1;

  private final String epoch;
  private final AtomicLongArray fed;
  private final AtomicLongArray heads;
  private final AtomicLongArray forgotten;
  private final AtomicLongArray kept;

  /** Counts how often each shard began to be fed, and ended. */
  private final AtomicLongArray generations;

  /** To be told when a shard has to be fed again from its start. */
  private final AtomicReferenceArray<Runnable> again;

  /** Complete with the offset since which a shard is fed. */
  private final AtomicReferenceArray<CompletableFuture<Long>> starts;

  /**
   * Of a topic.
   *
   * @param shards partitions of the topic
   * @param epoch names this life of the topic; offsets of another one mean nothing
   */
  public Feeds(int shards, String epoch) {
    this.epoch = epoch;
    this.fed = new AtomicLongArray(shards);
    this.heads = new AtomicLongArray(shards);
    this.forgotten = new AtomicLongArray(shards);
    this.kept = new AtomicLongArray(shards);
    this.generations = new AtomicLongArray(shards);
    this.again = new AtomicReferenceArray<>(shards);
    this.starts = new AtomicReferenceArray<>(shards);
    for (int shard = 0; shard < shards; shard++) {
      stopped(shard);
    }
  }

  /** How many shards there are. */
  public int shards() {
    return fed.length();
  }

  /** This life of the topic; empty when every session has its own. */
  public String epoch() {
    return epoch;
  }

  /** Without Kafka: every session numbers its own events and begins an epoch of its own. */
  public static Feeds untracked(int shards) {
    var feeds = new Feeds(shards, "");
    for (int shard = 0; shard < shards; shard++) {
      var unused = feeds.started(shard, 0, 0, () -> {});
    }
    return feeds;
  }

  /**
   * From now on all events behind an offset go to their sessions.
   *
   * @param head where the stream ended at that time: what is before is the past
   * @param readAgain sessions have lost events that are not durable anywhere else; may be called by
   *     any of them, and must not block
   * @return goes with each event: one of an earlier generation may still be on its way
   */
  public long started(int shard, long offset, long head, Runnable readAgain) {
    heads.set(shard, head);
    forgotten.set(shard, 0);
    kept.set(shard, offset);
    again.set(shard, readAgain);
    long generation = generations.incrementAndGet(shard);
    fed.set(shard, offset);
    starts.get(shard).complete(offset);
    return generation;
  }

  /** All events up to this offset have reached their sessions. */
  public void reached(int shard, long offset) {
    fed.set(shard, offset);
  }

  /** The last offsets of all users up to this offset are durable. */
  public void kept(int shard, long offset) {
    kept.set(shard, offset);
  }

  /** The last offsets of all users up to this offset are durable. */
  public long kept(int shard) {
    return kept.get(shard);
  }

  /** Another node feeds the shard from now on, or nobody does. */
  public void stopped(int shard) {
    // First: from here on nothing that was on its way is taken.
    generations.incrementAndGet(shard);
    fed.set(shard, NOT_FED);
    again.set(shard, () -> {});
    CompletableFuture<Long> start = starts.get(shard);
    if (start == null || start.isDone()) {
      starts.set(shard, new CompletableFuture<>());
    }
  }

  /** All events up to this offset have reached their sessions; {@link #NOT_FED} if not fed here. */
  public long reached(int shard) {
    return fed.get(shard);
  }

  /** Where one begins that has missed nothing; 0 if it is not known. */
  long present(int shard) {
    long reached = fed.get(shard);
    return reached == NOT_FED ? 0 : Math.max(reached, heads.get(shard));
  }

  /** Whether sessions have heard all that there was when the shard began to be fed. */
  boolean isPresent(int shard) {
    return fed.get(shard) >= heads.get(shard);
  }

  /** A session of the shard has ended, and with it what it knew about events up to this offset. */
  void forgot(int shard, long offset) {
    if (epoch.isEmpty()) {
      // Its offsets mean nothing to the others.
      return;
    }
    forgotten.accumulateAndGet(shard, offset, Math::max);
  }

  /** A session of the shard has ended, and had events that are not durable anywhere else. */
  void lost(int shard) {
    again.get(shard).run();
  }

  /** What {@link #started} returned; something else while the shard is not fed. */
  long generation(int shard) {
    return generations.get(shard);
  }

  /**
   * The offset behind which a session that begins now hears all events of its user; {@link
   * #NOT_FED} if the shard is not fed.
   */
  long completeSince(int shard) {
    long generation = generations.get(shard);
    long start = starts.get(shard).getNow(NOT_FED);
    long since = Math.max(start, forgotten.get(shard));
    return start == NOT_FED || generation != generations.get(shard) ? NOT_FED : since;
  }

  /** Completes once the shard is fed. */
  CompletionStage<?> start(int shard) {
    return starts.get(shard).copy();
  }

  /**
   * {@link #kept(int)} of every shard that is fed here; without Kafka it is not known where
   * sessions are.
   */
  long[] all() {
    long[] all = new long[fed.length()];
    for (int shard = 0; shard < all.length; shard++) {
      boolean fedHere = !epoch.isEmpty() && fed.get(shard) != NOT_FED;
      all[shard] = fedHere ? kept.get(shard) : NOT_FED;
    }
    return all;
  }
}
