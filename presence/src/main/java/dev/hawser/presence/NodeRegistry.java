package dev.hawser.presence;

import static dev.hawser.presence.PresenceDatabase.execute;

import io.r2dbc.spi.Connection;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * Leases of nodes, and the removal of what dead ones left behind. All nodes look for dead ones, and
 * PostgreSQL's row locks let one of them do it: no leader is needed. The clock is PostgreSQL's.
 *
 * <p>Why removal takes two statements: a flush locks its lease's row ({@code FOR KEY SHARE}), the
 * removal locks it stronger ({@code FOR UPDATE}). Once the removal has the row, every earlier flush
 * has committed, so the second statement, with its own snapshot, sees all that was ever written;
 * every later flush finds the lease ended and writes nothing.
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
      RETURNING gateway_nodes.incarnation
      """;

  /** A row that is locked is being flushed under: that node is alive. */
  private static final String END_DEAD =
      END.formatted("last_seen_at < now() - $1 * interval '1 millisecond'", "SKIP LOCKED", "");

  private static final String END_NAMESAKES = END.formatted("node = $1", "", "");

  private static final String END_ONE =
      END.formatted("incarnation = $1", "", ", last_seen_at = now()");

  /** Locks in the order of users, as flushes do. */
  private static final String REMOVE =
      """
      WITH ended AS (
        SELECT node || '#' || incarnation AS key, last_seen_at
        FROM gateway_nodes WHERE incarnation = ANY ($1)),
      keys AS (SELECT array_agg(key) AS all_keys FROM ended),
      affected AS (
        SELECT id, nodes, nodes - keys.all_keys AS rest
        FROM watching_times, keys
        WHERE terminate_at IS NULL AND nodes ?| keys.all_keys
        ORDER BY user_id COLLATE "C"
        FOR UPDATE OF watching_times)
      UPDATE watching_times
      SET nodes = affected.rest,
          terminate_at = CASE WHEN affected.rest = '{}' THEN greatest(
            watching_times.join_at + interval '1 microsecond',
            (SELECT max(last_seen_at) FROM ended WHERE affected.nodes ? ended.key),
            (SELECT max(past.terminate_at) + interval '1 microsecond'
             FROM watching_times AS past
             WHERE past.user_id = watching_times.user_id AND past.terminate_at IS NOT NULL)) END
      FROM affected WHERE watching_times.id = affected.id
      RETURNING watching_times.id
      """;

  private static final String FORGET =
      "DELETE FROM gateway_nodes WHERE left_at < now() - interval '1 day' RETURNING incarnation";

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
  private final Duration nodeTimeout;

  NodeRegistry(PresenceDatabase database, Duration nodeTimeout) {
    this.database = database;
    this.nodeTimeout = nodeTimeout;
  }

  /**
   * Leases the lowest number that is nobody's, and was nobody's for twice the node timeout, so that
   * ids of two nodes never meet. Earlier incarnations of this node are dead: their port is ours.
   */
  Mono<NodeLease> lease(String node) {
    return database
        .transaction(
            connection ->
                execute(connection, LOCK, row -> true, List.of())
                    .then(incarnations(connection, END_NAMESAKES, List.of(node)))
                    .flatMap(ended -> remove(connection, ended))
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

  /** Gives the lease back, and removes what it still counts. */
  Mono<Integer> leave(NodeLease lease) {
    return database.transaction(
        connection ->
            incarnations(connection, END_ONE, List.of(lease.incarnation()))
                .flatMap(ended -> remove(connection, ended)));
  }

  /**
   * Ends the leases of dead nodes, removes their counts, and forgets leases that ended long ago.
   */
  Mono<Integer> removeDead() {
    return database.transaction(
        connection ->
            incarnations(connection, END_DEAD, List.of(nodeTimeout.toMillis()))
                .flatMap(ended -> remove(connection, ended))
                .flatMap(
                    removed ->
                        execute(connection, FORGET, row -> true, List.of()).thenReturn(removed)));
  }

  private static Mono<List<Long>> incarnations(
      Connection connection, String sql, List<?> parameters) {
    return execute(
        connection, sql, row -> required(row.get("incarnation", Long.class)), parameters);
  }

  private static Mono<Integer> remove(Connection connection, List<Long> ended) {
    if (ended.isEmpty()) {
      return Mono.just(0);
    }
    return execute(connection, REMOVE, row -> true, List.of((Object) ended.toArray(Long[]::new)))
        .map(
            users -> {
              if (!users.isEmpty()) {
                log.info("incarnations {} ended; removed them from {} users", ended, users.size());
              }
              return users.size();
            });
  }

  private static <N extends Number> N required(@Nullable N value) {
    return Objects.requireNonNull(value);
  }
}
