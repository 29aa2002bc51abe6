package dev.hawser.presence;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How many connections each user has on this node, or each view of a user, and which of these
 * counts PostgreSQL does not know yet. Time is passed in, in milliseconds of a clock that never
 * steps, above 0. Not thread-safe.
 *
 * <p>Counts are absolute, so nothing is lost when a write fails: the user stays in line, with
 * whatever count is right by then. Stays that are over and not written yet are kept one by one, and
 * written in their order, so PostgreSQL may be away for long. Memory is bounded by the users: of
 * each at most about {@value #MOST_ENDED} such stays are kept, over all views; those that end after
 * that are left out until there is room again. What goes on at the end is right all the same.
 */
final class ConnectionCounts<K> {

  /**
   * What is to be written about one user.
   *
   * @param key the user, or the view
   * @param connections 0: gone
   * @param at since when the user is connected, or, where PostgreSQL has that already, now; if
   *     gone, since when that
   * @param begin of a stay that is over, and of which PostgreSQL has nothing; 0 otherwise
   */
  record Change<K>(K key, int connections, long at, long begin) {
    Change(K key, int connections, long at) {
      this(key, connections, at, 0);
    }

    boolean isGone() {
      return connections == 0;
    }

    boolean isEnded() {
      return begin != 0;
    }
  }

  /** For ten minutes without PostgreSQL, and something else every two seconds. */
  static final int MOST_ENDED = 300;

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

    boolean hasEnded() {
      return gone || earlier != null;
    }

    /** The first that ended. */
    Stay ended() {
      Stay first = earlier == null ? null : earlier.peek();
      return first == null ? new Stay(since, leftAt) : first;
    }
  }

  private record Leaver<K>(K key, long leftAt) {}

  private final long linger;
  private final Function<K, String> user;
  private final Map<K, Entry> entries = new HashMap<>();

  /** Of each user the stays that are over and not written; users without any are not there. */
  private final Map<String, Integer> ended = new HashMap<>();

  /** In line, oldest first. */
  private final Deque<K> dirty = new ArrayDeque<>();

  /** Everybody's linger is equally long, so the first to leave is the first to be gone. */
  private final Deque<Leaver<K>> leavers = new ArrayDeque<>();

  /** When the oldest change that is being written was made, 0 if none is. */
  private long takenSince;

  /**
   * Takes how long who left may stay away, and whose a key is.
   *
   * @param user who has the key, and what is kept under it
   */
  ConnectionCounts(Duration linger, Function<K, String> user) {
    this.linger = linger.toMillis();
    this.user = user;
  }

  void connected(K key, long now) {
    Entry entry = entries.get(key);
    if (entry == null) {
      if (isFull(key)) {
        return;
      }
      entry = new Entry();
      entry.since = now;
      entries.put(key, entry);
    }
    if (entry.connections == 0 && entry.leftAt != 0 && isOver(entry, now)) {
      beginNext(key, entry, now);
    }
    entry.connections++;
    entry.leftAt = 0;
    line(key, entry, now);
  }

  /** Also when nobody came by to say so since. */
  private boolean isOver(Entry entry, long now) {
    return entry.gone || entry.leftAt + linger <= now;
  }

  /** The first of a key is always kept: PostgreSQL may have it open. */
  private void beginNext(K key, Entry entry, long now) {
    Stay last = new Stay(entry.since, entry.leftAt);
    setGone(key, entry, false);
    if (entry.earlier == null) {
      entry.earlier = new ArrayDeque<>(2);
    } else if (isFull(key)) {
      entry.since = now;
      return;
    }
    entry.earlier.add(last);
    count(key, 1);
    entry.since = now;
  }

  private boolean isFull(K key) {
    return ended.getOrDefault(user.apply(key), 0) >= MOST_ENDED;
  }

  private void count(K key, int more) {
    ended.merge(
        user.apply(key), more, (before, change) -> before + change == 0 ? null : before + change);
  }

  private void setGone(K key, Entry entry, boolean gone) {
    if (entry.gone != gone) {
      count(key, gone ? 1 : -1);
      entry.gone = gone;
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
      setGone(user, entry, true);
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
        setGone(first.key(), entry, true);
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
        if (isBehind(entry)) {
          changes.add(next(user, entry, now));
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
      // After a write that may not have happened nothing may have been open: then it is still to
      // come.
      boolean isOver = change.isEnded() || (change.isGone() && entry.written != 0);
      entry.written = change.connections();
      entry.unsure = false;
      if (isOver && removeEnded(change.key(), entry)) {
        entries.remove(change.key());
      } else {
        line(change.key(), entry, now);
      }
    }
  }

  /** Removes the first stay that ended; true if there is nothing else. */
  private boolean removeEnded(K key, Entry entry) {
    if (entry.earlier == null) {
      setGone(key, entry, false);
      return true;
    }
    entry.earlier.remove();
    count(key, -1);
    if (entry.earlier.isEmpty()) {
      entry.earlier = null;
    }
    return false;
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
    Entry entry = entries.remove(change.key());
    if (entry != null) {
      while (entry.hasEnded() && !removeEnded(change.key(), entry)) {
        // The next one.
      }
    }
  }

  /**
   * PostgreSQL has nothing of this node any more: everything is to be written again. Who left was
   * ended there, and does not come back as one who lingers.
   */
  void forgotten(long now) {
    takenSince = 0;
    entries.forEach(
        (user, entry) -> {
          if (entry.connections == 0) {
            setGone(user, entry, true);
          }
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
    if (entry.dirtySince == 0 && isBehind(entry)) {
      entry.dirtySince = now;
      dirty.add(user);
    }
  }

  private static boolean isBehind(Entry entry) {
    return entry.hasEnded() || entry.unsure || desired(entry) != entry.written;
  }

  /** A user who lingers keeps the last count. */
  private static int desired(Entry entry) {
    return entry.connections > 0 ? entry.connections : Math.max(1, entry.written);
  }

  /**
   * What PostgreSQL should have next: the ends of what it may have open, then stays that it never
   * saw, then what goes on.
   */
  private static <K> Change<K> next(K key, Entry entry, long now) {
    if (entry.hasEnded()) {
      Stay ended = entry.ended();
      boolean open = entry.written != 0 || entry.unsure;
      return new Change<>(key, 0, ended.leftAt(), open ? 0 : ended.since());
    }
    return new Change<>(key, desired(entry), entry.written != 0 ? now : entry.since);
  }
}
