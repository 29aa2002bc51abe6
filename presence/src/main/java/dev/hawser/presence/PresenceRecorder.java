package dev.hawser.presence;

import dev.hawser.presence.ConnectionCounts.Change;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes this node's connection counts to {@code watching_times}, and those of views to {@code
 * viewing_times}: many users in one statement, in the order of their ids, so that two nodes do not
 * deadlock. A statement writes only while the node's lease holds.
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

  /** Waits for statements that are under way; absolute, as it may come late itself. */
  private static final String RAISE =
      """
      WITH lease AS (
        SELECT incarnation FROM gateway_nodes WHERE incarnation = $1 AND epoch < $2 FOR UPDATE)
      UPDATE gateway_nodes SET epoch = $2
      FROM lease WHERE gateway_nodes.incarnation = lease.incarnation
      RETURNING epoch
      """;

  /** A user looks at something; the resource is empty for nothing in particular. */
  private record View(String user, String resource, boolean idle) {}

  /**
   * What is counted, and how it is written. The functions say what they do; they lock in the order
   * of their rows.
   *
   * @param record SQL for how many connections there are
   * @param ended SQL for what is over, and was never written
   * @param columns of some changes: what they are about
   */
  private record Ledger<K>(
      String record,
      String ended,
      ConnectionCounts<K> counts,
      Function<List<Change<K>>, List<Object>> columns) {}

  private final PresenceDatabase database;
  private final PresenceSettings settings;
  private final InstantSource steadyClock;
  private final InstantSource wallClock;
  private final Ledger<String> users;
  private final Ledger<View> views;
  private final ReentrantLock flushing = new ReentrantLock();
  private volatile Runnable full = () -> {};

  /** Guards the counts of both ledgers, and the lease. */
  private final Object lock = new Object();

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
    this.users =
        new Ledger<>(
            "SELECT presence_record($1, $2, $3, $4, $5, $6) AS held",
            "SELECT presence_record_ended($1, $2, $3, $4, $5) AS held",
            new ConnectionCounts<>(settings.linger(), user -> user),
            changes -> Collections.singletonList(column(changes, Change::key, String[]::new)));
    this.views =
        new Ledger<>(
            "SELECT presence_record_viewing($1, $2, $3, $4, $5, $6, $7, $8) AS held",
            "SELECT presence_record_viewing_ended($1, $2, $3, $4, $5, $6, $7) AS held",
            new ConnectionCounts<>(settings.linger(), View::user),
            changes ->
                List.of(
                    column(changes, change -> change.key().user(), String[]::new),
                    column(changes, change -> change.key().resource(), String[]::new),
                    column(changes, change -> change.key().idle(), Boolean[]::new)));
  }

  private static <K, C> C[] column(
      List<Change<K>> changes, Function<Change<K>, C> value, IntFunction<C[]> array) {
    return changes.stream().map(value).toArray(array);
  }

  /** A user has one more connection here. From any thread; does not block. */
  public void connected(String user) {
    if (isStorable(user)) {
      change(users, counts -> counts.connected(user, now()));
    }
  }

  /** A user has one connection less here. From any thread; does not block. */
  public void disconnected(String user) {
    if (isStorable(user)) {
      change(users, counts -> counts.disconnected(user, now()));
    }
  }

  /**
   * On one more connection here a user looks at something. From any thread; does not block.
   *
   * @param resource empty for nothing in particular
   * @param idle whether the client says that nobody is there
   */
  public void viewing(String user, String resource, boolean idle) {
    if (isStorable(user) && isText(resource)) {
      var view = new View(user, resource, idle);
      change(views, counts -> counts.connected(view, now()));
    }
  }

  /**
   * That is over on one connection.
   *
   * @param connected whether the client is still there; the view of one that is not lingers
   */
  public void viewed(String user, String resource, boolean idle, boolean connected) {
    if (isStorable(user) && isText(resource)) {
      var view = new View(user, resource, idle);
      change(
          views,
          counts -> {
            if (connected) {
              counts.left(view, now());
            } else {
              counts.disconnected(view, now());
            }
          });
    }
  }

  private <K> void change(Ledger<K> ledger, Consumer<ConnectionCounts<K>> change) {
    boolean isFull;
    synchronized (lock) {
      int before = ledger.counts.waiting();
      change.accept(ledger.counts);
      isFull = before < settings.batchSize() && ledger.counts.waiting() == settings.batchSize();
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
    synchronized (lock) {
      long oldest =
          LongStream.of(users.counts.oldestChange(), views.counts.oldestChange())
              .filter(change -> change != 0)
              .min()
              .orElse(now());
      return Duration.ofMillis(now() - oldest);
    }
  }

  /** From now on counts are written under this lease, all of them anew. */
  void use(NodeLease newLease) {
    synchronized (lock) {
      lease = newLease;
      users.counts.forgotten(now());
      views.counts.forgotten(now());
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
    synchronized (lock) {
      users.counts.expire(now(), everybody);
      views.counts.expire(now(), everybody);
      current = lease;
    }
    if (current == null) {
      return true;
    }
    boolean more = true;
    while (more) {
      List<Change<String>> changes = take(users, current);
      more = !changes.isEmpty();
      boolean held;
      if (hasWaitingViews()) {
        // What users look at begins after they came, and ends before they go.
        List<Change<String>> here = changes.stream().filter(change -> !change.isGone()).toList();
        List<Change<String>> gone = changes.stream().filter(Change::isGone).toList();
        held =
            write(users, current, here, gone)
                && flushViews(current, gone)
                && write(users, current, gone, List.of());
      } else {
        held = write(users, current, changes, List.of());
      }
      if (!held) {
        return false;
      }
    }
    return true;
  }

  private boolean hasWaitingViews() {
    synchronized (lock) {
      return views.counts.waiting() > 0;
    }
  }

  /**
   * Writes all views.
   *
   * @param users who are to be written after them
   */
  private boolean flushViews(NodeLease current, List<Change<String>> users) {
    try {
      for (List<Change<View>> changes = take(views, current);
          !changes.isEmpty();
          changes = take(views, current)) {
        if (!write(views, current, changes, List.of())) {
          return false;
        }
      }
      return true;
    } catch (RuntimeException failure) {
      settle(current, () -> this.users.counts.failed(users));
      throw failure;
    }
  }

  /** Nothing if there is another lease meanwhile: whoever uses that writes them. */
  private <K> List<Change<K>> take(Ledger<K> ledger, NodeLease current) {
    synchronized (lock) {
      return current.equals(lease) ? ledger.counts.take(settings.batchSize(), now()) : List.of();
    }
  }

  /**
   * Writes some changes, what is over before what goes on.
   *
   * @param later of those that were taken: what will be written after these, and fails with them
   */
  private <K> boolean write(
      Ledger<K> ledger, NodeLease current, List<Change<K>> changes, List<Change<K>> later) {
    List<Change<K>> ended = changes.stream().filter(Change::isEnded).toList();
    List<Change<K>> counts = changes.stream().filter(change -> !change.isEnded()).toList();
    Deque<List<Change<K>>> open = new ArrayDeque<>(List.of(ended, counts, later));
    try {
      if (!writePart(ledger, current, ended)) {
        return false;
      }
      open.remove();
      return writePart(ledger, current, counts);
    } catch (RuntimeException failure) {
      settle(current, () -> ledger.counts.failed(open.stream().flatMap(List::stream).toList()));
      throw failure;
    }
  }

  private <K> boolean writePart(Ledger<K> ledger, NodeLease current, List<Change<K>> part) {
    try {
      if (!part.isEmpty() && !statement(ledger, current, part)) {
        return false;
      }
    } catch (RuntimeException failure) {
      if (!PresenceDatabase.isRefused(failure)) {
        throw failure;
      }
      if (part.size() > 1) {
        return writeOneByOne(ledger, current, part);
      }
      log.error("presence of a user cannot be written and is dropped: {}", failure.getMessage());
      settle(current, () -> ledger.counts.drop(part.getFirst()));
      return true;
    }
    settle(current, () -> ledger.counts.written(part, now()));
    return true;
  }

  /** PostgreSQL refuses these together, for what some of them are. */
  private <K> boolean writeOneByOne(Ledger<K> ledger, NodeLease current, List<Change<K>> changes) {
    for (Change<K> change : changes) {
      if (!writePart(ledger, current, List.of(change))) {
        return false;
      }
    }
    return true;
  }

  /** An answer may come when everything is to be written anew under the next lease. */
  private void settle(NodeLease current, Runnable result) {
    synchronized (lock) {
      if (current.equals(lease)) {
        result.run();
      }
    }
  }

  private long now() {
    return steadyClock.millis();
  }

  private <K> boolean statement(Ledger<K> ledger, NodeLease current, List<Change<K>> part) {
    boolean ended = part.getFirst().isEnded();
    long ahead = wallClock.millis() - now();
    if (unsure) {
      epoch++;
      var unused =
          database.query(RAISE, row -> true, List.of(current.incarnation(), epoch)).block();
    }
    unsure = true;
    List<Object> parameters = new ArrayList<>(List.of(current.incarnation(), epoch));
    parameters.addAll(ledger.columns.apply(part));
    parameters.add(
        ended
            ? column(part, change -> change.begin() + ahead, Long[]::new)
            : column(part, Change::connections, Integer[]::new));
    parameters.add(column(part, change -> change.at() + ahead, Long[]::new));
    if (!ended) {
      parameters.add(settings.linger().toMillis());
    }
    List<Boolean> held;
    try {
      held =
          database
              .query(
                  ended ? ledger.ended : ledger.record,
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

  private static boolean isStorable(String user) {
    return !user.isEmpty() && isText(user);
  }

  /** PostgreSQL's text takes no U+0000, and half a surrogate pair has no UTF-8. */
  private static boolean isText(String text) {
    for (int i = 0; i < text.length(); i++) {
      char character = text.charAt(i);
      if (character == 0 || Character.isLowSurrogate(character)) {
        return false;
      }
      if (Character.isHighSurrogate(character)) {
        i++;
        if (i == text.length() || !Character.isLowSurrogate(text.charAt(i))) {
          return false;
        }
      }
    }
    return true;
  }
}
