package dev.hawser.presence.http;

import static dev.hawser.presence.http.Questions.instant;
import static dev.hawser.presence.http.Questions.instantText;
import static dev.hawser.presence.http.Questions.number;
import static dev.hawser.presence.http.Questions.seconds;
import static dev.hawser.presence.http.Questions.text;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import dev.hawser.presence.http.Questions.Place;
import dev.hawser.presence.http.Questions.Select;
import io.r2dbc.spi.Row;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.http.javadsl.server.Route;
import org.jspecify.annotations.Nullable;

/** Who looks at what, and for how long: active, and idle. */
final class ViewingQuestions {

  private static final Duration DEFAULT_RANGE = Duration.ofDays(7);
  private static final Duration MAX_RANGE = Duration.ofDays(366);

  /** Somebody who looks at it now. */
  record Viewer(String user, String since, boolean idle) {}

  /** A page of them. */
  record ViewerPage(String resource, List<Viewer> users, @Nullable String next) {}

  /** What a user looked at on a day. */
  record ResourceSeconds(String resource, String day, double seconds, double idleSeconds) {}

  /** All of it. */
  record UserViewing(
      String user, String from, String to, String zone, List<ResourceSeconds> rows) {}

  /** Of one resource on one day. */
  record UserSeconds(String user, double seconds, double idleSeconds) {}

  /** A page of them. */
  record ResourceViewing(
      String resource, String day, String zone, List<UserSeconds> users, @Nullable String next) {}

  /**
   * A stretch of time that a user looked at a resource.
   *
   * @param seconds its length, up to now if it goes on
   * @param nodes {@code host:port#incarnation} to connections there
   */
  record View(
      long id,
      String user,
      boolean idle,
      String joinAt,
      @Nullable String terminateAt,
      double seconds,
      Map<String, Integer> nodes) {}

  /** A page of them. */
  record ViewPage(String resource, List<View> rows, @Nullable String next) {}

  private static final String VIEWERS =
      """
      SELECT user_id, since, idle FROM presence_viewing
      WHERE resource = $1 AND user_id > $2 ORDER BY user_id LIMIT $3
      """;

  private static final String VIEWING_OF =
      """
      SELECT resource, day, seconds, idle_seconds FROM presence_viewing_of($1, $2, $3, $4, $5)
      ORDER BY resource, day
      """;

  private static final String RESOURCE_TIMES =
      """
      SELECT user_id, seconds, idle_seconds FROM presence_resource_times($1, $2, $3, $4)
      WHERE user_id > $5 ORDER BY user_id LIMIT $6
      """;

  /** Conditions that hold for all fold to true, or PostgreSQL takes them for rare. */
  private static final String VIEWS =
      """
      SELECT id, user_id, idle, join_at, terminate_at, nodes::text AS nodes,
        greatest(0, extract(epoch FROM coalesce(terminate_at, now()) - join_at))::float8 AS seconds
      FROM (
        (SELECT id, user_id, idle, join_at, terminate_at, nodes FROM viewing_times
         WHERE resource = $1 AND (join_at, id) < ($2, $3) AND join_at >= $4 AND join_at < $5
           AND ($6 = 0 OR coalesce(terminate_at, now()) - join_at >= $6 * interval '1 second')
           AND ($7 = 2147483647
                OR coalesce(terminate_at, now()) - join_at <= $7 * interval '1 second')
           AND ($8 = '' OR EXISTS (
             SELECT FROM jsonb_object_keys(nodes) AS key
             WHERE key = $8 OR left(key, length($8) + 1) = $8 || '#'))
         ORDER BY join_at DESC, id DESC LIMIT $9)
        UNION ALL
        SELECT id, user_id, idle, join_at, terminate_at, '{}'::jsonb
        FROM presence_length_classes AS class, LATERAL (
          SELECT id, user_id, idle, join_at, terminate_at FROM viewing_times_archive
          WHERE resource = $1 AND length_class = class.length_class
            AND (join_at, id) < ($2, $3) AND join_at >= $4 AND join_at < $5
            AND ($6 = 0 OR terminate_at - join_at >= $6 * interval '1 second')
            AND ($7 = 2147483647 OR terminate_at - join_at <= $7 * interval '1 second')
          ORDER BY join_at DESC, id DESC LIMIT $9) AS archived
        WHERE $8 = ''
          AND class.length_class BETWEEN presence_length_class($6 * interval '1 second')
                                     AND presence_length_class($7 * interval '1 second')
      ) AS views ORDER BY join_at DESC, id DESC LIMIT $9
      """;

  private final Questions questions;
  private final Clock clock;

  ViewingQuestions(Questions questions, Clock clock) {
    this.questions = questions;
    this.clock = clock;
  }

  Route route() {
    return concat(
        path(
            segment("viewing").slash(segment()),
            user ->
                questions.get(
                    List.of("from", "to", "zone"), parameters -> viewingOf(user, parameters))),
        path(
            segment("resources").slash(segment()).slash("viewers"),
            resource ->
                questions.get(
                    List.of("cursor", "limit"), parameters -> viewers(resource, parameters))),
        path(
            segment("resources").slash(segment()).slash("viewing-time"),
            resource ->
                questions.get(
                    List.of("day", "zone", "cursor", "limit"),
                    parameters -> times(resource, parameters))),
        path(
            segment("resources").slash(segment()).slash("views"),
            resource ->
                questions.get(
                    List.of("node", "from", "to", "min_seconds", "max_seconds", "cursor", "limit"),
                    parameters -> views(resource, parameters))));
  }

  /** The page behind a user. */
  static Select viewers(String resource, String after, int limit) {
    return new Select(VIEWERS, List.of(resource, after, limit));
  }

  private CompletionStage<Answer<Viewer>> viewers(String resource, QueryParameters parameters) {
    QueryParameters.requireText("resource", resource);
    int limit = Questions.limit(parameters);
    return questions
        .rows(
            viewers(resource, parameters.cursor().orElse(""), limit),
            row -> new Viewer(text(row, "user_id"), instant(row, "since").toString(), isIdle(row)))
        .thenApply(
            rows -> {
              String next = Questions.next(rows, limit, Viewer::user);
              return new Answer<>(new ViewerPage(resource, rows, next), Viewer.class, rows, next);
            });
  }

  static Select viewingOf(String user, Instant from, Instant to, ZoneId zone, Instant now) {
    return new Select(VIEWING_OF, List.of(user, from, to, zone.getId(), now));
  }

  private CompletionStage<Answer<ResourceSeconds>> viewingOf(
      String user, QueryParameters parameters) {
    QueryParameters.requireText("user", user);
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    Instant to = parameters.instant("to", zone).orElse(now);
    Instant from = parameters.instant("from", zone).orElseGet(() -> to.minus(DEFAULT_RANGE));
    QueryParameters.requireRange(from, to, MAX_RANGE, "");
    return questions
        .rows(
            viewingOf(user, from, to, zone, now),
            row ->
                new ResourceSeconds(
                    text(row, "resource"),
                    Objects.requireNonNull(row.get("day", LocalDate.class)).toString(),
                    seconds(row, "seconds"),
                    seconds(row, "idle_seconds")))
        .thenApply(
            rows ->
                new Answer<>(
                    new UserViewing(user, from.toString(), to.toString(), zone.getId(), rows),
                    ResourceSeconds.class,
                    rows,
                    null));
  }

  /** The page behind a user. */
  static Select times(
      String resource, LocalDate day, ZoneId zone, Instant now, String after, int limit) {
    return new Select(
        RESOURCE_TIMES,
        List.of(
            resource,
            day.atStartOfDay(zone).toInstant(),
            day.plusDays(1).atStartOfDay(zone).toInstant(),
            now,
            after,
            limit));
  }

  private CompletionStage<Answer<UserSeconds>> times(String resource, QueryParameters parameters) {
    QueryParameters.requireText("resource", resource);
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    LocalDate day = parameters.date("day").orElseGet(() -> LocalDate.ofInstant(now, zone));
    int limit = Questions.limit(parameters);
    return questions
        .rows(
            times(resource, day, zone, now, parameters.cursor().orElse(""), limit),
            row ->
                new UserSeconds(
                    text(row, "user_id"), seconds(row, "seconds"), seconds(row, "idle_seconds")))
        .thenApply(
            rows -> {
              String next = Questions.next(rows, limit, UserSeconds::user);
              return new Answer<>(
                  new ResourceViewing(resource, day.toString(), zone.getId(), rows, next),
                  UserSeconds.class,
                  rows,
                  next);
            });
  }

  /**
   * Views that began from {@code from} on and before {@code to}.
   *
   * @param behind where the page begins
   */
  static Select views(
      String resource,
      Place behind,
      Instant from,
      Instant to,
      Questions.Lengths lengths,
      Optional<String> node,
      int limit) {
    return new Select(
        VIEWS,
        List.of(
            resource,
            behind.joinAt(),
            behind.id(),
            from,
            to,
            lengths.min(),
            lengths.max(),
            node.orElse(""),
            limit));
  }

  private CompletionStage<Answer<View>> views(String resource, QueryParameters parameters) {
    QueryParameters.requireText("resource", resource);
    int limit = Questions.limit(parameters);
    Instant from = parameters.instant("from", Questions.UTC).orElse(Instant.EPOCH);
    Instant to = parameters.instant("to", Questions.UTC).orElse(Questions.FAR);
    QueryParameters.requireOrder(from, to);
    Place behind = parameters.cursor().map(Place::parse).orElse(Place.FIRST);
    return questions
        .rows(
            views(
                resource,
                behind,
                from,
                to,
                Questions.Lengths.of(parameters),
                parameters.text("node"),
                limit),
            this::view)
        .thenApply(
            rows -> {
              String next = Questions.next(rows, limit, row -> row.joinAt() + " " + row.id());
              return new Answer<>(new ViewPage(resource, rows, next), View.class, rows, next);
            });
  }

  private View view(Row row) {
    return new View(
        number(row, "id", Long.class),
        text(row, "user_id"),
        isIdle(row),
        instant(row, "join_at").toString(),
        instantText(row, "terminate_at"),
        number(row, "seconds", Double.class),
        questions.answers.counts(text(row, "nodes")));
  }

  private static boolean isIdle(Row row) {
    return Objects.requireNonNull(row.get("idle", Boolean.class));
  }
}
