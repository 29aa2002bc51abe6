package dev.hawser.presence.http;

import static dev.hawser.presence.http.Questions.instant;
import static dev.hawser.presence.http.Questions.instantText;
import static dev.hawser.presence.http.Questions.number;
import static dev.hawser.presence.http.Questions.seconds;
import static dev.hawser.presence.http.Questions.text;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import dev.hawser.presence.http.Questions.Lengths;
import dev.hawser.presence.http.Questions.Place;
import dev.hawser.presence.http.Questions.Select;
import io.r2dbc.spi.Row;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.stream.Stream;
import org.apache.pekko.http.javadsl.server.Route;
import org.jspecify.annotations.Nullable;

/** Stays, and how long users were online. */
final class StayQuestions {

  private static final Duration DEFAULT_RANGE = Duration.ofDays(7);
  private static final Duration MAX_RANGE = Duration.ofDays(366);

  /**
   * One stay.
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

  /** A page of them. */
  record WatchingTimePage(List<WatchingTime> rows, @Nullable String next) {}

  /**
   * Which stays; see the parameters of {@code GET /api/watching-times}.
   *
   * @param joinedBefore with {@code idBefore} the place behind which the page begins
   */
  record Filter(
      Optional<String> user,
      Optional<String> node,
      Optional<Boolean> online,
      Instant from,
      Instant to,
      long minSeconds,
      long maxSeconds,
      Instant joinedBefore,
      long idBefore) {}

  /** Seconds online. */
  record UserViewingTime(
      String user, String from, String to, String zone, double seconds, Map<String, Double> days) {}

  /** On one day. */
  record DaySeconds(String day, double seconds) {}

  /** All users of a day. */
  record DayViewingTime(String day, String zone, List<UserSeconds> users, @Nullable String next) {}

  /** One of them. */
  record UserSeconds(String user, double seconds) {}

  private static final String COLUMNS =
      """
      SELECT id, user_id, join_at, terminate_at, nodes::text AS nodes,
        greatest(0, extract(epoch FROM coalesce(terminate_at, now()) - join_at))::float8 AS seconds
      FROM (
      """;

  /** Conditions that hold for all fold to true, or PostgreSQL takes them for rare. */
  private static final String CONDITIONS =
      """
      (join_at, id) < ($1, $2) AND join_at < $3
        AND ($4 = 'epoch' OR terminate_at IS NULL OR terminate_at > $4)
        AND ($5 = 0 OR coalesce(terminate_at, now()) - join_at >= $5 * interval '1 second')
        AND ($6 = 2147483647
             OR coalesce(terminate_at, now()) - join_at <= $6 * interval '1 second')
        AND ($7 OR terminate_at IS NOT NULL) AND ($8 OR terminate_at IS NULL)
        AND ($9 = '' OR EXISTS (
          SELECT FROM jsonb_object_keys(nodes) AS key
          WHERE key = $9 OR left(key, length($9) + 1) = $9 || '#'))
      ORDER BY join_at DESC, id DESC LIMIT $10
      """;

  private static final String PAGE = ") AS stays ORDER BY join_at DESC, id DESC LIMIT $10";

  /** Those of each length are read from the latest on; they have no nodes. */
  private static final String ARCHIVED =
      """
      UNION ALL
      SELECT id, user_id, join_at, terminate_at, '{}'::jsonb
      FROM presence_length_classes AS class, LATERAL (
        SELECT id, user_id, join_at, terminate_at FROM watching_times_archive
        WHERE length_class = class.length_class
          AND (join_at, id) < ($1, $2) AND join_at < $3 AND %s
          AND ($5 = 0 OR terminate_at - join_at >= $5 * interval '1 second')
          AND ($6 = 2147483647 OR terminate_at - join_at <= $6 * interval '1 second')
        ORDER BY join_at DESC, id DESC LIMIT $10) AS archived
      WHERE $8 AND $9 = ''
        AND class.length_class BETWEEN presence_length_class($5 * interval '1 second')
                                   AND presence_length_class($6 * interval '1 second')
      """;

  private static final String STAYS =
      COLUMNS
          + "(SELECT id, user_id, join_at, terminate_at, nodes FROM watching_times WHERE "
          + CONDITIONS
          + ")"
          + ARCHIVED.formatted("join_at >= $4")
          + ARCHIVED.formatted("join_at < $4 AND join_at > $4 - class.below AND terminate_at > $4")
          + "AND $4 > 'epoch'"
          + PAGE;

  private static final String STAYS_OF_USER =
      COLUMNS
          + "SELECT id, $11 AS user_id, join_at, terminate_at, nodes FROM presence_stays_of($11)"
          + " WHERE "
          + CONDITIONS
          + PAGE;

  private static final String VIEWING_TIME =
      "SELECT day, seconds FROM presence_viewing_time($1, $2, $3, $4, $5) ORDER BY day";

  private static final String VIEWING_TIMES =
      """
      SELECT user_id, seconds FROM presence_viewing_times($1, $2, $3)
      WHERE user_id > $4 ORDER BY user_id LIMIT $5
      """;

  private final Questions questions;
  private final Clock clock;

  StayQuestions(Questions questions, Clock clock) {
    this.questions = questions;
    this.clock = clock;
  }

  Route route() {
    return concat(
        path(
            "watching-times",
            () ->
                questions.get(
                    List.of(
                        "user",
                        "node",
                        "online",
                        "from",
                        "to",
                        "min_seconds",
                        "max_seconds",
                        "cursor",
                        "limit"),
                    this::stays)),
        path(
            segment("viewing-time").slash(segment()),
            user ->
                questions.get(
                    List.of("from", "to", "zone"), parameters -> viewingTime(user, parameters))),
        path(
            "viewing-time",
            () -> questions.get(List.of("day", "zone", "cursor", "limit"), this::viewingTimes)));
  }

  static Select stays(Filter filter, int limit) {
    Object[] parameters = {
      filter.joinedBefore(),
      filter.idBefore(),
      filter.to(),
      filter.from(),
      filter.minSeconds(),
      filter.maxSeconds(),
      filter.online().orElse(true),
      !filter.online().orElse(false),
      filter.node().orElse(""),
      limit
    };
    return filter.user().isPresent()
        ? new Select(
            STAYS_OF_USER,
            Stream.concat(Arrays.stream(parameters), filter.user().stream()).toList())
        : new Select(STAYS, List.of(parameters));
  }

  private CompletionStage<Answer<WatchingTime>> stays(QueryParameters parameters) {
    int limit = Questions.limit(parameters);
    Instant from = parameters.instant("from", Questions.UTC).orElse(Instant.EPOCH);
    Instant to = parameters.instant("to", Questions.UTC).orElse(Questions.FAR);
    QueryParameters.requireOrder(from, to);
    Lengths lengths = Lengths.of(parameters);
    Place behind = parameters.cursor().map(Place::parse).orElse(Place.FIRST);
    var filter =
        new Filter(
            parameters.text("user"),
            parameters.text("node"),
            parameters.flag("online"),
            from,
            to,
            lengths.min(),
            lengths.max(),
            behind.joinAt(),
            behind.id());
    return questions
        .rows(stays(filter, limit), this::watchingTime)
        .thenApply(
            rows -> {
              String next = Questions.next(rows, limit, row -> row.joinAt() + " " + row.id());
              return new Answer<>(new WatchingTimePage(rows, next), WatchingTime.class, rows, next);
            });
  }

  private WatchingTime watchingTime(Row row) {
    return new WatchingTime(
        number(row, "id", Long.class),
        text(row, "user_id"),
        instant(row, "join_at").toString(),
        instantText(row, "terminate_at"),
        number(row, "seconds", Double.class),
        questions.answers.counts(text(row, "nodes")));
  }

  static Select viewingTime(String user, Instant from, Instant to, ZoneId zone, Instant now) {
    return new Select(VIEWING_TIME, List.of(user, from, to, zone.getId(), now));
  }

  private CompletionStage<Answer<DaySeconds>> viewingTime(String user, QueryParameters parameters) {
    QueryParameters.requireText("user", user);
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    Instant to = parameters.instant("to", zone).orElse(now);
    Instant from = parameters.instant("from", zone).orElseGet(() -> to.minus(DEFAULT_RANGE));
    QueryParameters.requireRange(from, to, MAX_RANGE, "");
    return questions
        .rows(
            viewingTime(user, from, to, zone, now),
            row ->
                new DaySeconds(
                    Objects.requireNonNull(row.get("day", LocalDate.class)).toString(),
                    seconds(row, "seconds")))
        .thenApply(
            rows -> {
              var days = new TreeMap<String, Double>();
              rows.forEach(row -> days.put(row.day(), row.seconds()));
              double total = rows.stream().mapToDouble(DaySeconds::seconds).sum();
              return new Answer<>(
                  new UserViewingTime(
                      user, from.toString(), to.toString(), zone.getId(), total, days),
                  DaySeconds.class,
                  rows,
                  null);
            });
  }

  /** The page behind a user. */
  static Select viewingTimes(LocalDate day, ZoneId zone, Instant now, String after, int limit) {
    return new Select(
        VIEWING_TIMES,
        List.of(
            day.atStartOfDay(zone).toInstant(),
            day.plusDays(1).atStartOfDay(zone).toInstant(),
            now,
            after,
            limit));
  }

  private CompletionStage<Answer<UserSeconds>> viewingTimes(QueryParameters parameters) {
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    LocalDate day = parameters.date("day").orElseGet(() -> LocalDate.ofInstant(now, zone));
    int limit = Questions.limit(parameters);
    return questions
        .rows(
            viewingTimes(day, zone, now, parameters.cursor().orElse(""), limit),
            row -> new UserSeconds(text(row, "user_id"), seconds(row, "seconds")))
        .thenApply(
            rows -> {
              String next = Questions.next(rows, limit, UserSeconds::user);
              return new Answer<>(
                  new DayViewingTime(day.toString(), zone.getId(), rows, next),
                  UserSeconds.class,
                  rows,
                  next);
            });
  }
}
