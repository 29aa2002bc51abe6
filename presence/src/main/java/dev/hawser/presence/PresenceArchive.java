package dev.hawser.presence;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@code watching_times} small: moves stays that ended a while ago to the archive, creates
 * the archive's months ahead, and forgets what is older than the retention. Any number of nodes may
 * do it at once. Blocks.
 */
final class PresenceArchive {

  private static final Logger log = LoggerFactory.getLogger(PresenceArchive.class);

  /** In one statement: some 100 ms. */
  static final int PAGE_SIZE = 5_000;

  private static final String MONTHS =
      """
      SELECT presence_month(name, month)
      FROM unnest('{watching_times, viewing_times}'::text[]) AS name,
           unnest(ARRAY[now(), now() + interval '1 month']) AS month
      """;

  /**
   * Rows that ended are nobody's any more: the recorder reads the last one of a user only so that
   * the next begins no earlier, which the clocks of nodes see to after such a time.
   */
  private static final String MOVE =
      """
      WITH old AS MATERIALIZED (
        SELECT ctid AS place, id, user_id, join_at, terminate_at FROM watching_times
        WHERE join_at >= $1 AND join_at < now() - $2 * interval '1 millisecond'
          AND terminate_at < now() - $2 * interval '1 millisecond'
        ORDER BY join_at LIMIT $3
        FOR UPDATE SKIP LOCKED),
      gone AS (DELETE FROM watching_times WHERE ctid = ANY (ARRAY(SELECT place FROM old))),
      seen AS (
        INSERT INTO watching_users (user_id, first_seen_at, last_seen_at)
        SELECT user_id, min(join_at), max(terminate_at) FROM old
        GROUP BY user_id ORDER BY user_id COLLATE "C"
        ON CONFLICT (user_id) DO UPDATE
        SET first_seen_at = least(watching_users.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(watching_users.last_seen_at, excluded.last_seen_at)),
      kept AS (
        INSERT INTO watching_times_archive (id, user_id, join_at, terminate_at)
        SELECT id, user_id, join_at, terminate_at FROM old)
      SELECT count(*) AS moved, coalesce(max(join_at), 'epoch') AS last FROM old
      """;

  private static final String MOVE_VIEWS =
      """
      WITH old AS MATERIALIZED (
        SELECT ctid AS place, id, user_id, resource, idle, join_at, terminate_at FROM viewing_times
        WHERE join_at >= $1 AND join_at < now() - $2 * interval '1 millisecond'
          AND terminate_at < now() - $2 * interval '1 millisecond'
        ORDER BY join_at LIMIT $3
        FOR UPDATE SKIP LOCKED),
      gone AS (DELETE FROM viewing_times WHERE ctid = ANY (ARRAY(SELECT place FROM old))),
      kept AS (
        INSERT INTO viewing_times_archive (id, user_id, resource, idle, join_at, terminate_at)
        SELECT id, user_id, resource, idle, join_at, terminate_at FROM old)
      SELECT count(*) AS moved, coalesce(max(join_at), 'epoch') AS last FROM old
      """;

  private static final String DROP =
      """
      SELECT presence_forget(name, $1 * interval '1 millisecond')
      FROM unnest('{watching_times, viewing_times}'::text[]) AS name
      """;

  private static final String FORGET =
      """
      DELETE FROM watching_users WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM watching_users
        WHERE last_seen_at < now() - $1 * interval '1 millisecond' LIMIT $2
        FOR UPDATE SKIP LOCKED))
      RETURNING user_id
      """;

  private record Page(long moved, Instant last) {}

  private final PresenceDatabase database;
  private final Duration archiveAfter;
  private final Optional<Duration> retention;

  /** In the order of begins, so that stays that are still open are passed over once. */
  private Instant staysMovedTo = Instant.EPOCH;

  private Instant viewsMovedTo = Instant.EPOCH;

  private boolean usersForgotten;

  PresenceArchive(PresenceDatabase database, Duration archiveAfter, Optional<Duration> retention) {
    this.database = database;
    this.archiveAfter = archiveAfter;
    this.retention = retention;
  }

  /** Months that are there already cost nothing. */
  void createMonths() {
    var unused = database.query(MONTHS, row -> true, List.of()).block();
  }

  /**
   * Moves some of what ended longer than {@code archive-after} ago.
   *
   * @return whether there may be more
   */
  boolean movePage() {
    staysMovedTo = movePage(MOVE, staysMovedTo);
    viewsMovedTo = movePage(MOVE_VIEWS, viewsMovedTo);
    return staysMovedTo.isAfter(Instant.EPOCH) || viewsMovedTo.isAfter(Instant.EPOCH);
  }

  /** Where the next page begins; at the epoch if this was the last one. */
  private Instant movePage(String sql, Instant from) {
    Page page =
        Objects.requireNonNull(
                database
                    .query(
                        sql,
                        row ->
                            new Page(
                                Objects.requireNonNull(row.get("moved", Long.class)),
                                Objects.requireNonNull(row.get("last", Instant.class))),
                        List.of(from, archiveAfter.toMillis(), PAGE_SIZE))
                    .block())
            .getFirst();
    return page.moved() == PAGE_SIZE ? page.last() : Instant.EPOCH;
  }

  /**
   * Drops months all of whose stays began before the retention; and then, and when the service has
   * started, some of the users who were not seen since.
   *
   * @return whether there may be more
   */
  boolean forgetPage() {
    return retention.isPresent() && forgetPage(retention.get());
  }

  private boolean forgetPage(Duration retention) {
    List<String> dropped =
        Objects.requireNonNull(
            database
                .query(
                    DROP,
                    row -> Objects.requireNonNull(row.get(0, String.class)),
                    List.of(retention.toMillis()))
                .block());
    if (!dropped.isEmpty()) {
      log.info("dropped {}: older than the retention of {} days", dropped, retention.toDays());
      usersForgotten = false;
    }
    if (!usersForgotten) {
      List<Boolean> users =
          Objects.requireNonNull(
              database
                  .query(FORGET, row -> true, List.of(retention.toMillis(), PAGE_SIZE))
                  .block());
      usersForgotten = users.size() < PAGE_SIZE;
    }
    return !usersForgotten;
  }
}
