package dev.hawser.presence.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.http.ViewingTime.Stay;
import io.r2dbc.spi.Row;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Questions to {@code watching_times}; each is one SQL statement. */
final class WatchingTimes {

  /**
   * Where a user is now.
   *
   * @param since when the present stay began, null if offline
   * @param lastSeen when the last stay ended, null if online or never seen
   * @param nodes {@code host:port} to connections there
   */
  record UserPresence(
      String user,
      boolean online,
      @Nullable String since,
      @Nullable String lastSeen,
      Map<String, Integer> nodes) {}

  /**
   * One row of the table.
   *
   * @param seconds its length, up to now if it is open
   * @param nodes {@code host:port#incarnation} to connections there
   */
  record WatchingTime(
      long id,
      String user,
      String joinAt,
      @Nullable String terminateAt,
      double seconds,
      Map<String, Integer> nodes) {}

  /** A page of users who are online, and how many there are in all. */
  record Online(long count, List<String> users) {}

  /** Which rows to list; see the parameters of {@code GET /api/watching-times}. */
  record Filter(
      Optional<String> user,
      Optional<String> node,
      Optional<Boolean> online,
      Optional<Instant> from,
      Optional<Instant> to,
      OptionalLong minSeconds) {}

  private static final TypeReference<TreeMap<String, Integer>> COUNTS = new TypeReference<>() {};

  private static final String PRESENCE =
      """
      SELECT asked.user_id, online.join_at, online.nodes::text AS nodes,
             (SELECT max(past.terminate_at) FROM watching_times AS past
              WHERE past.user_id = asked.user_id AND past.terminate_at IS NOT NULL) AS last_seen
      FROM unnest($1::text[]) WITH ORDINALITY AS asked (user_id, place)
      LEFT JOIN watching_times AS online
        ON online.user_id = asked.user_id AND online.terminate_at IS NULL
      ORDER BY asked.place
      """;

  private static final String STAYS =
      """
      SELECT join_at, coalesce(terminate_at, greatest(join_at, $4)) AS end_at FROM watching_times
      WHERE user_id = $1 AND join_at < $3 AND (terminate_at IS NULL OR terminate_at > $2)
      ORDER BY join_at
      """;

  private static final String ONLINE =
      """
      SELECT (SELECT count(*) FROM watching_times WHERE terminate_at IS NULL) AS total,
             ARRAY(SELECT user_id FROM watching_times
                   WHERE terminate_at IS NULL AND user_id > $1
                   ORDER BY user_id LIMIT $2) AS users
      """;

  private final PresenceDatabase database;
  private final ObjectMapper json;

  WatchingTimes(PresenceDatabase database, ObjectMapper json) {
    this.database = database;
    this.json = json;
  }

  /** In the order of the question. */
  CompletionStage<List<UserPresence>> presence(List<String> users) {
    return database
        .query(PRESENCE, this::userPresence, List.of((Object) users.toArray(String[]::new)))
        .toFuture();
  }

  private UserPresence userPresence(Row row) {
    Instant since = row.get("join_at", Instant.class);
    Instant lastSeen = row.get("last_seen", Instant.class);
    boolean online = since != null;
    var nodes = new TreeMap<String, Integer>();
    counts(row)
        .forEach(
            (key, connections) ->
                nodes.merge(key.substring(0, key.lastIndexOf('#')), connections, Integer::sum));
    return new UserPresence(
        required(row.get("user_id", String.class)),
        online,
        text(since),
        online ? null : text(lastSeen),
        nodes);
  }

  /** A user's stays that touch the time between two instants; an open one ends {@code now}. */
  CompletionStage<List<Stay>> stays(String user, Instant from, Instant to, Instant now) {
    return database
        .query(
            STAYS,
            row ->
                new Stay(
                    required(row.get("join_at", Instant.class)),
                    required(row.get("end_at", Instant.class))),
            List.of(user, from, to, now))
        .toFuture();
  }

  /**
   * Rows, newest first.
   *
   * @param before only rows with a smaller id
   */
  CompletionStage<List<WatchingTime>> list(Filter filter, long before, int limit) {
    var conditions = new ArrayList<String>();
    var parameters = new ArrayList<Object>();
    add(conditions, parameters, "id < $%d", before);
    filter.user().ifPresent(user -> add(conditions, parameters, "user_id = $%d", user));
    filter
        .node()
        .ifPresent(
            node ->
                add(
                    conditions,
                    parameters,
                    "EXISTS (SELECT FROM jsonb_object_keys(nodes) AS key"
                        + " WHERE key = $%1$d OR left(key, length($%1$d) + 1) = $%1$d || '#')",
                    node));
    filter
        .online()
        .ifPresent(
            online -> conditions.add(online ? "terminate_at IS NULL" : "terminate_at IS NOT NULL"));
    filter
        .from()
        .ifPresent(
            from ->
                add(conditions, parameters, "(terminate_at IS NULL OR terminate_at > $%d)", from));
    filter.to().ifPresent(to -> add(conditions, parameters, "join_at < $%d", to));
    filter
        .minSeconds()
        .ifPresent(
            seconds ->
                add(
                    conditions,
                    parameters,
                    "coalesce(terminate_at, now()) - join_at >= $%d * interval '1 second'",
                    seconds));
    String sql =
        """
        SELECT id, user_id, join_at, terminate_at, nodes::text AS nodes,
          greatest(0, extract(epoch FROM coalesce(terminate_at, now()) - join_at))::float8 AS seconds
        FROM watching_times WHERE %s
        ORDER BY id DESC LIMIT %d
        """
            .formatted(String.join(" AND ", conditions), limit);
    return database.query(sql, this::watchingTime, parameters).toFuture();
  }

  private static void add(
      List<String> conditions, List<Object> parameters, String condition, Object value) {
    parameters.add(value);
    conditions.add(condition.formatted(parameters.size()));
  }

  private WatchingTime watchingTime(Row row) {
    return new WatchingTime(
        required(row.get("id", Long.class)),
        required(row.get("user_id", String.class)),
        required(row.get("join_at", Instant.class)).toString(),
        text(row.get("terminate_at", Instant.class)),
        required(row.get("seconds", Double.class)),
        counts(row));
  }

  /**
   * Who is online, by user id.
   *
   * @param after only users behind this one; empty for the first page
   */
  CompletionStage<Online> online(String after, int limit) {
    return database
        .query(
            ONLINE,
            row ->
                new Online(
                    required(row.get("total", Long.class)),
                    List.of(required(row.get("users", String[].class)))),
            List.of(after, limit))
        .map(List::getFirst)
        .toFuture();
  }

  private Map<String, Integer> counts(Row row) {
    String nodes = row.get("nodes", String.class);
    try {
      return nodes == null ? Map.of() : json.readValue(nodes, COUNTS);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("watching_times.nodes is not a map of counts", impossible);
    }
  }

  private static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }

  private static <T> T required(@Nullable T value) {
    return Objects.requireNonNull(value);
  }
}
