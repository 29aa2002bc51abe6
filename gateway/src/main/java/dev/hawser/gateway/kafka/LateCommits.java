package dev.hawser.gateway.kafka;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What was handed over of one partition and waits for its commit on purpose: for as long as the
 * recovery window, or until there is too much of it. Used by one thread at a time.
 */
final class LateCommits {

  /** Records that are kept apart, so that some can be committed before others. */
  private static final int BATCH_RECORDS = 1_000;

  private static final long BATCH_NANOS = 1_000_000_000L;

  /**
   * Records in a row.
   *
   * @param upTo the last one's place in the stream
   * @param offsets of each user's last event in the stream
   */
  record HandedOver(long upTo, Map<String, Long> offsets) {

    /** Together with what comes behind it. */
    HandedOver and(HandedOver later) {
      offsets.putAll(later.offsets);
      return new HandedOver(later.upTo, offsets);
    }
  }

  /**
   * A window may hold a million records, so of each there are two places in arrays and no object.
   */
  private static final class Batch {
    private static final int SMALL = 8;

    final long begin;
    String[] users = new String[SMALL];
    long[] offsets = new long[SMALL];
    int known;
    long upTo;
    int records;

    Batch(long begin) {
      this.begin = begin;
    }

    void add(String user, long offset) {
      if (known == users.length) {
        users = Arrays.copyOf(users, 2 * known);
        offsets = Arrays.copyOf(offsets, 2 * known);
      }
      users[known] = user;
      offsets[known++] = offset;
    }

    /** Together with what comes before it. */
    HandedOver behind(@Nullable HandedOver before) {
      Map<String, Long> last = before == null ? new HashMap<>() : before.offsets;
      for (int i = 0; i < known; i++) {
        last.put(users[i], offsets[i]);
      }
      return new HandedOver(upTo, last);
    }
  }

  private final long windowNanos;
  private final int maxRecords;
  private final Deque<Batch> batches = new ArrayDeque<>();
  private int records;

  /**
   * @param windowNanos how long records wait
   * @param maxRecords how many wait at most, to the next thousand
   */
  LateCommits(long windowNanos, int maxRecords) {
    this.windowNanos = windowNanos;
    this.maxRecords = maxRecords;
  }

  /**
   * The next record.
   *
   * @param user whose stream it is in, null for nobody's
   * @param offset in the stream
   * @param now in nanoseconds
   */
  void add(@Nullable String user, long offset, long now) {
    Batch last = batches.peekLast();
    if (last == null || last.records == BATCH_RECORDS || now - last.begin > BATCH_NANOS) {
      last = new Batch(now);
      batches.add(last);
    }
    last.upTo = offset;
    last.records++;
    records++;
    if (user != null) {
      last.add(user, offset);
    }
  }

  /**
   * Takes all that has waited for long enough.
   *
   * @param before what was taken before and could not be committed, null if nothing
   * @return that and all that is due, null if there is nothing
   */
  @Nullable HandedOver takeDue(@Nullable HandedOver before, long now) {
    HandedOver due = before;
    while (!batches.isEmpty() && (records > maxRecords || isDue(batches.element(), now))) {
      Batch next = batches.remove();
      records -= next.records;
      due = next.behind(due);
    }
    return due;
  }

  private boolean isDue(Batch batch, long now) {
    return now - batch.begin >= windowNanos + BATCH_NANOS;
  }
}
