package dev.hawser.presence;

import dev.hawser.presence.ConnectionCounts.Change;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes this node's connection counts to {@code watching_times}: many users in one statement, in
 * the order of their ids, so that two nodes do not deadlock. A statement writes only while the
 * node's lease holds.
 *
 * <p>Counts of users who came together are written together: after the flush interval, or as soon
 * as there are enough for a statement ({@link #onFull}).
 *
 * <p>A statement without an answer may still arrive, long after the next ones. So after each such
 * the lease gets a new epoch before anything else is written, and a statement of an earlier epoch
 * writes nothing.
 */
public final class PresenceRecorder {

  private static final Logger log = LoggerFactory.getLogger(PresenceRecorder.class);

  /** The functions say what they do; both lock in the order of user ids. */
  private static final String HERE = "SELECT presence_record_here($1, $2, $3, $4, $5) AS held";

  private static final String GONE = "SELECT presence_record_gone($1, $2, $3, $4) AS held";

  /** Waits for statements that are under way; absolute, as it may come late itself. */
  private static final String RAISE =
      """
      WITH lease AS (
        SELECT incarnation FROM gateway_nodes WHERE incarnation = $1 AND epoch < $2 FOR UPDATE)
      UPDATE gateway_nodes SET epoch = $2
      FROM lease WHERE gateway_nodes.incarnation = lease.incarnation
      RETURNING epoch
      """;

  private final PresenceDatabase database;
  private final PresenceSettings settings;
  private final InstantSource steadyClock;
  private final InstantSource wallClock;
  private final ConnectionCounts counts;
  private final ReentrantLock flushing = new ReentrantLock();
  private volatile Runnable full = () -> {};
  private @Nullable NodeLease lease;

  /** Of the next statement; grows from lease to lease. */
  private long epoch;

  /** Whether a statement of this epoch may arrive late. */
  private boolean unsure;

  /**
   * Takes two clocks.
   *
   * @param steadyClock never steps: what is counted here goes by it
   * @param wallClock what is written goes by it
   */
  PresenceRecorder(
      PresenceDatabase database,
      PresenceSettings settings,
      InstantSource steadyClock,
      InstantSource wallClock) {
    this.database = database;
    this.settings = settings;
    this.steadyClock = steadyClock;
    this.wallClock = wallClock;
    this.counts = new ConnectionCounts(settings.linger());
  }

  /** A user has one more connection here. From any thread; does not block. */
  public void connected(String user) {
    change(user, true);
  }

  /** A user has one connection less here. From any thread; does not block. */
  public void disconnected(String user) {
    change(user, false);
  }

  private void change(String user, boolean connected) {
    if (!isStorable(user)) {
      return;
    }
    boolean isFull;
    synchronized (counts) {
      int before = counts.waiting();
      if (connected) {
        counts.connected(user, now());
      } else {
        counts.disconnected(user, now());
      }
      isFull = before < settings.batchSize() && counts.waiting() == settings.batchSize();
    }
    if (isFull) {
      full.run();
    }
  }

  /**
   * Changes fill a statement: it is time to flush.
   *
   * @param listener must not block; called on the thread of whoever connects or disconnects
   */
  void onFull(Runnable listener) {
    full = listener;
  }

  /** Age of the oldest change that is not in PostgreSQL; zero if there is none. */
  Duration lag() {
    synchronized (counts) {
      long oldest = counts.oldestChange();
      return oldest == 0 ? Duration.ZERO : Duration.ofMillis(now() - oldest);
    }
  }

  /** From now on counts are written under this lease, all of them anew. */
  void use(NodeLease newLease) {
    synchronized (counts) {
      lease = newLease;
      counts.forgotten(now());
    }
  }

  /**
   * Writes all changes there are. Blocks. Whoever calls it while another thread does so returns at
   * once: that one writes everything.
   *
   * @param everybody also those whose linger is not over
   * @return false if the lease has ended, and nothing can be written under it
   * @throws RuntimeException if PostgreSQL is away; nothing is lost
   */
  boolean flush(boolean everybody) {
    if (!flushing.tryLock()) {
      return true;
    }
    try {
      return flushAll(everybody);
    } finally {
      flushing.unlock();
    }
  }

  private boolean flushAll(boolean everybody) {
    NodeLease current;
    synchronized (counts) {
      counts.expire(now(), everybody);
      current = lease;
    }
    if (current == null) {
      return true;
    }
    while (true) {
      List<Change> changes;
      synchronized (counts) {
        if (!current.equals(lease)) {
          return true;
        }
        changes = counts.take(settings.batchSize(), now());
      }
      if (changes.isEmpty()) {
        return true;
      }
      if (!write(current, changes)) {
        return false;
      }
    }
  }

  private boolean write(NodeLease current, List<Change> changes) {
    List<Change> here = changes.stream().filter(change -> change.connections() > 0).toList();
    List<Change> gone = changes.stream().filter(change -> change.connections() == 0).toList();
    List<Change> open = changes;
    try {
      if (!writePart(current, here)) {
        return false;
      }
      open = gone;
      return writePart(current, gone);
    } catch (RuntimeException failure) {
      List<Change> failed = open;
      settle(current, () -> counts.failed(failed));
      throw failure;
    }
  }

  private boolean writePart(NodeLease current, List<Change> part) {
    try {
      if (!part.isEmpty() && !statement(current, part)) {
        return false;
      }
    } catch (RuntimeException failure) {
      if (!PresenceDatabase.isRefused(failure)) {
        throw failure;
      }
      if (part.size() > 1) {
        return writeOneByOne(current, part);
      }
      log.error("presence of a user cannot be written and is dropped: {}", failure.getMessage());
      settle(current, () -> counts.drop(part.getFirst()));
      return true;
    }
    settle(current, () -> counts.written(part, now()));
    return true;
  }

  /** PostgreSQL refuses these together, for what some of them are. */
  private boolean writeOneByOne(NodeLease current, List<Change> changes) {
    for (Change change : changes) {
      if (!writePart(current, List.of(change))) {
        return false;
      }
    }
    return true;
  }

  /** An answer may come when everything is to be written anew under the next lease. */
  private void settle(NodeLease current, Runnable result) {
    synchronized (counts) {
      if (current.equals(lease)) {
        result.run();
      }
    }
  }

  private long now() {
    return steadyClock.millis();
  }

  private boolean statement(NodeLease current, List<Change> part) {
    boolean here = part.getFirst().connections() > 0;
    String[] users = part.stream().map(Change::user).toArray(String[]::new);
    long ahead = wallClock.millis() - now();
    Long[] times = part.stream().map(change -> change.at() + ahead).toArray(Long[]::new);
    Integer[] connections = part.stream().map(Change::connections).toArray(Integer[]::new);
    if (unsure) {
      epoch++;
      var unused =
          database.query(RAISE, row -> true, List.of(current.incarnation(), epoch)).block();
    }
    unsure = true;
    List<?> parameters =
        here
            ? List.of(current.incarnation(), epoch, users, connections, times)
            : List.of(current.incarnation(), epoch, users, times);
    List<Boolean> held;
    try {
      held =
          database
              .query(
                  here ? HERE : GONE,
                  row -> Boolean.TRUE.equals(row.get("held", Boolean.class)),
                  parameters)
              .block();
    } catch (RuntimeException failure) {
      unsure = !PresenceDatabase.isRefused(failure);
      throw failure;
    }
    unsure = false;
    return held != null && held.contains(true);
  }

  /** PostgreSQL's text takes no U+0000, and half a surrogate pair has no UTF-8. */
  private static boolean isStorable(String user) {
    for (int i = 0; i < user.length(); i++) {
      char character = user.charAt(i);
      if (character == 0 || Character.isLowSurrogate(character)) {
        return false;
      }
      if (Character.isHighSurrogate(character)) {
        i++;
        if (i == user.length() || !Character.isLowSurrogate(user.charAt(i))) {
          return false;
        }
      }
    }
    return !user.isEmpty();
  }
}
