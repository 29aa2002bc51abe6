package dev.hawser.presence;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How many connections each user has on this node, or each view of a user, and which of these
 * counts PostgreSQL does not know yet. Time is passed in, in milliseconds of a clock that never
 * steps, above 0. Not thread-safe.
 *
 * <p>Counts are absolute, so nothing is lost when a write fails: the user stays in line, with
 * whatever count is right by then. Stays that are over and not written yet are kept one by one, and
 * written in their order, so PostgreSQL may be away for long. Memory is bounded by the users: of
 * each at most {@value #MOST_EARLIER} such stays are kept; a user who comes back once more was
 * never away.
 */
final class ConnectionCounts<K> {

  /**
   * What is to be written about one user.
   *
   * @param key the user, or the view
   * @param connections 0: gone
   * @param at since when the user is connected, or, where PostgreSQL has that already, now; if
   *     gone, since when that
   */
  record Change<K>(K key, int connections, long at) {}

  /** For ten minutes without PostgreSQL, of a user who comes back whenever the linger is over. */
  static final int MOST_EARLIER = 60;

  /** A stay that is over, and the next one has begun. */
  private record Stay(long since, long leftAt) {}

  private static final class Entry {
    int connections;

    /**
     * PostgreSQL is not known to have the ends of these; null for none. What is written is the
     * first.
     */
    @Nullable Deque<Stay> earlier;

    /** What PostgreSQL has, as far as it confirmed; 0 for nothing. */
    int written;

    /** A write failed, and may have happened all the same. */
    boolean unsure;

    /** First connection of this stay. */
    long since;

    /** When the last connection went, 0 while there is one. */
    long leftAt;

    /** Gone for good: the linger is over. */
    boolean gone;

    /** In line to be written since then, 0 if not in line. */
    long dirtySince;
  }

  private record Leaver<K>(K key, long leftAt) {}

  private final long linger;
  private final Map<K, Entry> entries = new HashMap<>();

  /** In line, oldest first. */
  private final Deque<K> dirty = new ArrayDeque<>();

  /** Everybody's linger is equally long, so the first to leave is the first to be gone. */
  private final Deque<Leaver<K>> leavers = new ArrayDeque<>();

  /** When the oldest change that is being written was made, 0 if none is. */
  private long takenSince;

  ConnectionCounts(Duration linger) {
    this.linger = linger.toMillis();
  }

  void connected(K user, long now) {
    Entry entry = entries.get(user);
    if (entry == null) {
      entry = new Entry();
      entry.since = now;
      entries.put(user, entry);
    }
    if (entry.connections == 0 && entry.leftAt != 0 && isOver(entry, now)) {
      beginNext(entry, now);
    }
    entry.connections++;
    entry.leftAt = 0;
    entry.gone = false;
    line(user, entry, now);
  }

  /** Also when nobody came by to say so since. */
  private boolean isOver(Entry entry, long now) {
    return entry.gone || entry.leftAt + linger <= now;
  }

  private static void beginNext(Entry entry, long now) {
    if (entry.earlier == null) {
      entry.earlier = new ArrayDeque<>(2);
    }
    if (entry.earlier.size() < MOST_EARLIER) {
      entry.earlier.add(new Stay(entry.since, entry.leftAt));
      entry.since = now;
    }
  }

  /** A user without connections is left alone: a disconnect may come late or twice. */
  void disconnected(K user, long now) {
    Entry entry = entries.get(user);
    if (entry == null || entry.connections == 0) {
      return;
    }
    entry.connections--;
    if (entry.connections == 0) {
      entry.leftAt = now;
      leavers.add(new Leaver<>(user, now));
    }
    line(user, entry, now);
  }

  /**
   * As {@link #disconnected}, but for good: of a view when the client goes on to look at something
   * else.
   */
  void left(K user, long now) {
    disconnected(user, now);
    Entry entry = entries.get(user);
    if (entry != null && entry.connections == 0) {
      entry.gone = true;
      line(user, entry, now);
    }
  }

  /** Users whose linger is over are gone; with {@code everybody}, all who left are, at once. */
  void expire(long now, boolean everybody) {
    for (Leaver<K> first = leavers.peek();
        first != null && (everybody || first.leftAt() + linger <= now);
        first = leavers.peek()) {
      leavers.remove();
      Entry entry = entries.get(first.key());
      if (entry != null && entry.leftAt == first.leftAt()) {
        entry.gone = true;
        line(first.key(), entry, now);
      }
    }
  }

  /**
   * Takes up to {@code max} users from the line. They have to come back: {@link #written} or {@link
   * #failed}.
   */
  List<Change<K>> take(int max, long now) {
    List<Change<K>> changes = new ArrayList<>(Math.min(max, dirty.size()));
    while (changes.size() < max && !dirty.isEmpty()) {
      K user = dirty.remove();
      Entry entry = entries.get(user);
      if (entry != null && entry.dirtySince != 0) {
        if (changes.isEmpty()) {
          takenSince = entry.dirtySince;
        }
        entry.dirtySince = 0;
        int desired = desired(entry);
        if (desired != entry.written || entry.unsure) {
          Stay earlier = entry.earlier == null ? null : entry.earlier.peek();
          long since = entry.written != 0 ? now : earlier == null ? entry.since : earlier.since();
          long leftAt = earlier == null ? entry.leftAt : earlier.leftAt();
          changes.add(new Change<>(user, desired, desired == 0 ? leftAt : since));
        }
      }
    }
    if (changes.isEmpty()) {
      takenSince = 0;
    }
    return changes;
  }

  /** PostgreSQL has these. */
  void written(List<Change<K>> changes, long now) {
    for (Change<K> change : changes) {
      Entry entry = entries.get(change.key());
      if (entry == null) {
        continue;
      }
      entry.written = change.connections();
      entry.unsure = false;
      if (entry.written == 0) {
        if (entry.earlier == null) {
          entries.remove(change.key());
          continue;
        }
        entry.earlier.remove();
        if (entry.earlier.isEmpty()) {
          entry.earlier = null;
        }
      }
      line(change.key(), entry, now);
    }
  }

  /** PostgreSQL may or may not have these; they go to the front of the line. */
  void failed(List<Change<K>> changes) {
    for (Change<K> change : changes.reversed()) {
      Entry entry = entries.get(change.key());
      if (entry != null) {
        entry.unsure = true;
        if (entry.dirtySince == 0) {
          entry.dirtySince = takenSince;
          dirty.addFirst(change.key());
        }
      }
    }
    takenSince = 0;
  }

  /** These can never be written: they are counted no longer. */
  void drop(Change<K> change) {
    entries.remove(change.key());
  }

  /** PostgreSQL has nothing of this node any more: everything is to be written again. */
  void forgotten(long now) {
    takenSince = 0;
    entries.values().removeIf(entry -> entry.gone);
    entries.forEach(
        (user, entry) -> {
          entry.earlier = null;
          entry.written = 0;
          entry.unsure = false;
          line(user, entry, now);
        });
  }

  /** When the oldest change that is not written was made; 0 if all are. */
  long oldestChange() {
    if (takenSince != 0) {
      return takenSince;
    }
    K first = dirty.peek();
    Entry entry = first == null ? null : entries.get(first);
    return entry == null ? 0 : entry.dirtySince;
  }

  /** How many are in line. */
  int waiting() {
    return dirty.size();
  }

  /** Users in memory. */
  int size() {
    return entries.size();
  }

  /** Puts a user in line if PostgreSQL has something else. */
  private void line(K user, Entry entry, long now) {
    if (entry.dirtySince == 0 && (desired(entry) != entry.written || entry.unsure)) {
      entry.dirtySince = now;
      dirty.add(user);
    }
  }

  /**
   * What PostgreSQL should have next. A user who lingers keeps the last count. A stay that is over
   * before anything of it was written is written once as here, so that there is a row to end.
   */
  private static int desired(Entry entry) {
    if (entry.earlier == null && entry.connections > 0) {
      return entry.connections;
    }
    if ((entry.earlier != null || entry.gone) && entry.written != 0) {
      return 0;
    }
    return Math.max(1, entry.written);
  }
}
