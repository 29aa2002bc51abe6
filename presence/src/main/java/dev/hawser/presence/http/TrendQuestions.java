package dev.hawser.presence.http;

import static dev.hawser.presence.http.Questions.instant;
import static dev.hawser.presence.http.Questions.number;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.path;

import dev.hawser.presence.http.Questions.Select;
import io.r2dbc.spi.Row;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.stream.Stream;
import org.apache.pekko.http.javadsl.server.Route;

/** Over all users and time: how many at once, and how many come back. */
final class TrendQuestions {

  private static final int MAX_COHORTS = 7;

  /** What a peak is for, and how long a time may be asked for: it costs a look at each stay. */
  enum Step {
    MINUTE(1),
    HOUR(7),
    DAY(31);

    private final Duration longest;

    Step(int days) {
      longest = Duration.ofDays(days);
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }

    static Step of(String name) {
      return Stream.of(values())
          .filter(step -> step.toString().equals(name))
          .findFirst()
          .orElseThrow(() -> QueryParameters.bad("step", name, "minute, hour or day"));
    }
  }

  /** The most who were online at once in one step. */
  record Peak(String start, int peak) {}

  /** Step by step. */
  record Concurrency(String from, String to, String step, String zone, List<Peak> rows) {}

  /**
   * Who came back.
   *
   * @param day on which the users were first seen
   * @param users how many these are
   * @param afterDays 1 to 30
   * @param returned how many of them were online on that later day
   * @param share returned by users
   */
  record Returned(String day, int users, int afterDays, int returned, double share) {}

  /** Day by day. */
  record Retention(String from, String to, String zone, List<Returned> rows) {}

  private static final String CONCURRENCY =
      "SELECT start, peak FROM presence_concurrency($1, $2, $3, $4, $5) ORDER BY start";

  private static final String RETENTION =
      """
      SELECT day, users, after_days, returned
      FROM presence_retention($1, $2, $3, $4) ORDER BY day, after_days
      """;

  private final Questions questions;
  private final Clock clock;

  TrendQuestions(Questions questions, Clock clock) {
    this.questions = questions;
    this.clock = clock;
  }

  Route route() {
    return concat(
        path(
            "concurrency",
            () -> questions.get(List.of("from", "to", "step", "zone"), this::concurrency)),
        path("retention", () -> questions.get(List.of("from", "to", "zone"), this::retention)));
  }

  static Select concurrency(Instant from, Instant to, Step step, ZoneId zone, Instant now) {
    return new Select(CONCURRENCY, List.of(from, to, step.toString(), zone.getId(), now));
  }

  private CompletionStage<Answer<Peak>> concurrency(QueryParameters parameters) {
    ZoneId zone = parameters.zone("zone");
    Step step = parameters.text("step").map(Step::of).orElse(Step.HOUR);
    Instant now = clock.instant();
    Instant to = parameters.instant("to", zone).orElse(now);
    Instant from = parameters.instant("from", zone).orElseGet(() -> to.minus(Duration.ofDays(1)));
    QueryParameters.requireRange(from, to, step.longest, " with step " + step);
    return questions
        .rows(
            concurrency(from, to, step, zone, now),
            row -> new Peak(instant(row, "start").toString(), number(row, "peak", Integer.class)))
        .thenApply(
            rows ->
                new Answer<>(
                    new Concurrency(
                        from.toString(), to.toString(), step.toString(), zone.getId(), rows),
                    Peak.class,
                    rows,
                    null));
  }

  static Select retention(LocalDate from, LocalDate to, ZoneId zone, Instant now) {
    return new Select(RETENTION, List.of(from, to, zone.getId(), now));
  }

  private CompletionStage<Answer<Returned>> retention(QueryParameters parameters) {
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    LocalDate to = parameters.date("to").orElseGet(() -> LocalDate.ofInstant(now, zone));
    LocalDate from = parameters.date("from").orElseGet(() -> to.minusDays(MAX_COHORTS));
    QueryParameters.requireOrder(from, to);
    long days = ChronoUnit.DAYS.between(from, to);
    if (days > MAX_COHORTS) {
      throw new BadRequestException(
          "from", "is %d days before to, expected at most %d".formatted(days, MAX_COHORTS));
    }
    return questions
        .rows(retention(from, to, zone, now), TrendQuestions::returned)
        .thenApply(
            rows ->
                new Answer<>(
                    new Retention(from.toString(), to.toString(), zone.getId(), rows),
                    Returned.class,
                    rows,
                    null));
  }

  private static Returned returned(Row row) {
    int users = number(row, "users", Integer.class);
    int returned = number(row, "returned", Integer.class);
    return new Returned(
        Objects.requireNonNull(row.get("day", LocalDate.class)).toString(),
        users,
        number(row, "after_days", Integer.class),
        returned,
        Math.round(10_000.0 * returned / users) / 10_000.0);
  }
}
