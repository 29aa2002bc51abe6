package dev.hawser.presence;

import static dev.hawser.presence.PresenceDatabase.execute;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * Leases of nodes, and the removal of what dead ones left behind. The clock is PostgreSQL's, and
 * its row locks share out the work among all nodes: no leader is needed.
 *
 * <p>Dead nodes go in two steps. First the lease is ended. A flush locks the lease's row ({@code
 * FOR KEY SHARE}), its end locks it stronger ({@code FOR UPDATE}): so when it has ended, every
 * earlier flush has committed, and every later one writes nothing. Then the counts are removed,
 * page by page in the order of user ids. Each page is a statement of its own that also notes how
 * far it got; whoever comes by does the next one, so it does not matter who dies over it.
 */
final class NodeRegistry {

  private static final Logger log = LoggerFactory.getLogger(NodeRegistry.class);

  /** Any number; the same on all nodes. Leasing is one after the other. */
  static final String LOCK = "SELECT pg_advisory_xact_lock(4919)";

  /** Which leases end, how their rows are locked, and what else is set. */
  private static final String END =
      """
      WITH ending AS (
        SELECT incarnation FROM gateway_nodes WHERE left_at IS NULL AND %s FOR UPDATE %s)
      UPDATE gateway_nodes SET left_at = now() %s
      FROM ending WHERE gateway_nodes.incarnation = ending.incarnation
      RETURNING node || '#' || gateway_nodes.incarnation AS key
      """;

  /** A row that is locked is being flushed under: that node is alive. */
  private static final String END_DEAD =
      END.formatted(
          "last_seen_at < now() - $1 * interval '1 millisecond' AND now() < $2", "SKIP LOCKED", "");

  private static final String END_NAMESAKES =
      END.formatted(
          "node = $1 AND incarnation <> $2 AND last_seen_at < now() - $3 * interval '1 millisecond'",
          "SKIP LOCKED",
          "");

  private static final String END_ONE =
      END.formatted("incarnation = $1", "", ", last_seen_at = now()");

  /**
   * Removes one page of a table. Of several leases the one that was seen last goes last, so that a
   * user who was on all of them stays until then. Locks in the order of rows, as flushes do.
   */
  private static final String REMOVE_PAGE =
      """
      WITH ended AS MATERIALIZED (
        SELECT incarnation, node || '#' || incarnation AS key, last_seen_at,
               %removed%_to AS removed_to
        FROM gateway_nodes WHERE left_at IS NOT NULL AND %removed%_at IS NULL
        ORDER BY last_seen_at, incarnation LIMIT 1
        FOR UPDATE SKIP LOCKED),
      page AS MATERIALIZED (
        SELECT max(user_id) AS last FROM (
          SELECT user_id FROM %table%
          WHERE terminate_at IS NULL AND user_id > (SELECT removed_to FROM ended)
          ORDER BY user_id LIMIT $1) AS next),
      affected AS (
        SELECT %key%, ended.key, ended.last_seen_at AS left_at, begins IS NOT NULL AS shared
        FROM %table% AS stay, ended
        WHERE terminate_at IS NULL
          AND user_id > (SELECT removed_to FROM ended) AND user_id <= (SELECT last FROM page)
          AND nodes ? ended.key
        ORDER BY %order%
        FOR UPDATE OF stay),
      removed AS (
        UPDATE %table% AS stay
        SET nodes = '{}',
            terminate_at = greatest(
              stay.join_at + interval '1 microsecond',
              affected.left_at,
              (SELECT max(past.terminate_at) + interval '1 microsecond'
               FROM %table% AS past
               WHERE %past% AND past.terminate_at IS NOT NULL))
        FROM affected
        WHERE NOT affected.shared AND %affected% AND stay.terminate_at IS NULL),
      left_behind AS (
        SELECT %left%(%key%, key, left_at,
                      $2 * interval '1 millisecond', $3 * interval '1 millisecond')
        FROM affected WHERE shared)
      UPDATE gateway_nodes
      SET %removed%_to = coalesce(page.last, ended.removed_to),
          %removed%_at = CASE WHEN page.last IS NULL THEN now() END
      FROM ended, page, (SELECT count(*) FROM left_behind) AS done
      WHERE gateway_nodes.incarnation = ended.incarnation
      RETURNING ended.key, %removed%_at IS NOT NULL AS done
      """;

  private static final String REMOVE_STAYS =
      removePageOf("watching_times", "presence_left_stay", "removed", List.of("user_id"));

  private static final String REMOVE_VIEWS =
      removePageOf(
          "viewing_times",
          "presence_left_view",
          "viewing_removed",
          List.of("user_id", "resource", "idle"));

  private static String removePageOf(String table, String left, String removed, List<String> key) {
    return REMOVE_PAGE
        .replace("%table%", table)
        .replace("%left%", left)
        .replace("%removed%", removed)
        .replace("%key%", String.join(", ", key))
        .replace(
            "%order%", String.join(", ", key).replaceAll("user_id|resource", "$0 COLLATE \"C\""))
        .replace("%affected%", sameKey("affected", key))
        .replace("%past%", sameKey("past", key));
  }

  private static String sameKey(String other, List<String> key) {
    return key.stream()
        .map(column -> "%s.%s = stay.%s".formatted(other, column, column))
        .collect(Collectors.joining(" AND "));
  }

  private static final String FORGET =
      "DELETE FROM gateway_nodes"
          + " WHERE removed_at < now() - interval '1 day' AND viewing_removed_at IS NOT NULL";

  private static final String LEASE =
      """
      INSERT INTO gateway_nodes (number, node, started_at, last_seen_at)
      SELECT candidate, $1, now(), now() FROM generate_series(0, 1023) AS candidate
      WHERE NOT EXISTS (
        SELECT FROM gateway_nodes
        WHERE number = candidate
          AND (left_at IS NULL OR left_at > now() - $2 * interval '1 millisecond'))
      ORDER BY candidate LIMIT 1
      RETURNING number, incarnation
      """;

  private static final String OTHERS =
      """
      SELECT node FROM gateway_nodes
      WHERE left_at IS NULL AND incarnation <> $1
        AND last_seen_at > now() - $2 * interval '1 millisecond'
      ORDER BY node
      """;

  private static final String HEARTBEAT =
      """
      UPDATE gateway_nodes SET last_seen_at = now()
      WHERE incarnation = $1 AND left_at IS NULL
      RETURNING incarnation
      """;

  private final PresenceDatabase database;
  private final Duration linger;
  private final Duration nodeTimeout;
  private final Duration namesakeTimeout;

  NodeRegistry(PresenceDatabase database, PresenceSettings settings) {
    this.database = database;
    this.linger = settings.linger();
    this.nodeTimeout = settings.nodeTimeout();
    this.namesakeTimeout =
        settings.heartbeatInterval().multipliedBy(PresenceSettings.HEARTBEATS_TO_MISS);
  }

  /**
   * Leases the lowest number that is nobody's, and was nobody's for twice the node timeout, so that
   * ids of two nodes never meet.
   */
  Mono<NodeLease> lease(String node) {
    return database
        .transaction(
            connection ->
                execute(connection, LOCK, row -> true, List.of())
                    .then(
                        execute(
                            connection,
                            LEASE,
                            row ->
                                new NodeLease(
                                    required(row.get("number", Integer.class)),
                                    node,
                                    required(row.get("incarnation", Long.class))),
                            List.of(node, 2 * nodeTimeout.toMillis()))))
        .map(
            leases -> {
              if (leases.isEmpty()) {
                throw new IllegalStateException("all 1,024 node numbers are leased");
              }
              return leases.getFirst();
            });
  }

  /** PostgreSQL's. */
  Mono<Instant> clock() {
    return database
        .query(
            "SELECT now() AS now",
            row -> Objects.requireNonNull(row.get("now", Instant.class)),
            List.of())
        .map(List::getFirst);
  }

  /**
   * Renews the lease; false if the others have taken this node for dead. Fails soon, so that there
   * is time to try again.
   */
  Mono<Boolean> heartbeat(NodeLease lease) {
    return database
        .query(HEARTBEAT, row -> true, List.of(lease.incarnation()), nodeTimeout.dividedBy(4))
        .map(rows -> !rows.isEmpty());
  }

  /** Other nodes that are alive now. */
  Mono<List<String>> others(NodeLease lease) {
    return database.query(
        OTHERS,
        row -> Objects.requireNonNull(row.get("node", String.class)),
        List.of(lease.incarnation(), nodeTimeout.toMillis()));
  }

  /** Gives the lease back; what it still counts is to be removed. */
  Mono<List<String>> leave(NodeLease lease) {
    return end(END_ONE, List.of(lease.incarnation()));
  }

  /**
   * Ends leases that were not renewed for the node timeout.
   *
   * @param before after that nobody is ended: PostgreSQL itself was paused meanwhile
   * @return the keys of those nodes
   */
  Mono<List<String>> endDead(Instant before) {
    return end(END_DEAD, List.of(nodeTimeout.toMillis(), before));
  }

  /**
   * Ends leases under this one's name that are some heartbeats behind: a node that was killed and
   * started again need not wait for the node timeout. One that is up to date is alive, on another
   * machine under the same name by mistake.
   */
  Mono<List<String>> endNamesakes(NodeLease lease) {
    return end(
        END_NAMESAKES, List.of(lease.node(), lease.incarnation(), namesakeTimeout.toMillis()));
  }

  private Mono<List<String>> end(String sql, List<?> parameters) {
    return database.query(
        sql, row -> Objects.requireNonNull(row.get("key", String.class)), parameters);
  }

  /**
   * Removes some of what ended leases count: first what users looked at, as that ends before they
   * go.
   *
   * @param size online users to look at
   * @return false if there is nothing left to do, or others are at it
   */
  Mono<Boolean> removePage(int size) {
    return removePage(REMOVE_VIEWS, size)
        .flatMap(removed -> removed ? Mono.just(true) : removePage(REMOVE_STAYS, size));
  }

  private Mono<Boolean> removePage(String sql, int size) {
    return database
        .query(
            sql,
            row -> {
              if (sql.equals(REMOVE_STAYS) && Boolean.TRUE.equals(row.get("done", Boolean.class))) {
                log.info("removed all that {} counted", row.get("key", String.class));
              }
              return true;
            },
            List.of(size, linger.toMillis(), nodeTimeout.toMillis()))
        .map(rows -> !rows.isEmpty());
  }

  /** Deletes leases that ended and were removed long ago. */
  Mono<Void> forget() {
    return database.query(FORGET, row -> true, List.of()).then();
  }

  private static <N extends Number> N required(@Nullable N value) {
    return Objects.requireNonNull(value);
  }
}
