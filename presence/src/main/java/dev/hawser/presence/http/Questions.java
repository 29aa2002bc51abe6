package dev.hawser.presence.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.extractMethod;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequest;

import dev.hawser.presence.PresenceDatabase;
import io.r2dbc.spi.Row;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.http.javadsl.model.HttpMethod;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.jspecify.annotations.Nullable;

/** What all groups of questions have in common: from a request to SQL, and back to an answer. */
final class Questions {

  static final int MAX_LIMIT = 1_000;
  private static final int DEFAULT_LIMIT = 100;

  static final ZoneId UTC = ZoneId.of("UTC");
  static final Instant FAR = Instant.parse("9999-12-31T00:00:00Z");

  /** A statement with the values of {@code $1}, {@code $2}, … */
  record Select(String sql, List<?> parameters) {}

  /** Of a row in a list, latest begin first. */
  record Place(Instant joinAt, long id) {

    /** Before all of them. */
    static final Place FIRST = new Place(FAR, Long.MAX_VALUE);

    static Place parse(String cursor) {
      String[] parts = cursor.split(" ", -1);
      try {
        if (parts.length == 2) {
          return new Place(Instant.parse(parts[0]), Long.parseLong(parts[1]));
        }
      } catch (DateTimeException | NumberFormatException notOurs) {
        // Said below.
      }
      throw QueryParameters.badCursor(cursor);
    }
  }

  /** In seconds, both inclusive. */
  record Lengths(long min, long max) {

    /** Longer than any. */
    static final long ENDLESS = Integer.MAX_VALUE;

    static Lengths of(QueryParameters parameters) {
      long min = parameters.integer("min_seconds", 0, ENDLESS).orElse(0);
      long max = parameters.integer("max_seconds", 0, ENDLESS).orElse(ENDLESS);
      if (min > max) {
        throw QueryParameters.bad("min_seconds", Long.toString(min), "at most max_seconds");
      }
      return new Lengths(min, max);
    }
  }

  final Answers answers;
  private final PresenceDatabase database;

  Questions(PresenceDatabase database, Answers answers) {
    this.database = database;
    this.answers = answers;
  }

  /**
   * A question that is asked with GET.
   *
   * @param known its parameters
   */
  Route get(
      List<String> known,
      Function<QueryParameters, CompletionStage<? extends Answer<?>>> question) {
    return only(HttpMethods.GET, () -> ask(known, question));
  }

  Route only(HttpMethod allowed, Supplier<Route> route) {
    return extractMethod(
        method ->
            method.equals(allowed)
                ? route.get()
                : complete(
                    answers
                        .problem(
                            StatusCodes.METHOD_NOT_ALLOWED, "expected " + allowed.value(), null)
                        .addHeader(RawHeader.create("Allow", allowed.value()))));
  }

  Route ask(
      List<String> known,
      Function<QueryParameters, CompletionStage<? extends Answer<?>>> question) {
    return extractRequest(
        request ->
            answers.answer(
                request,
                () -> question.apply(new QueryParameters(request.getUri().query(), known))));
  }

  <R> CompletionStage<List<R>> rows(Select select, Function<Row, R> mapper) {
    return database.query(select.sql(), mapper, select.parameters()).toFuture();
  }

  static int limit(QueryParameters parameters) {
    return Math.toIntExact(parameters.integer("limit", 1, MAX_LIMIT).orElse(DEFAULT_LIMIT));
  }

  /** The place of the last row, if there may be more behind it. */
  static <R> @Nullable String next(List<R> rows, int limit, Function<R, String> place) {
    return rows.size() < limit ? null : QueryParameters.cursor(place.apply(rows.getLast()));
  }

  static String text(Row row, String column) {
    return Objects.requireNonNull(row.get(column, String.class));
  }

  static <N extends Number> N number(Row row, String column, Class<N> type) {
    return Objects.requireNonNull(row.get(column, type));
  }

  static Instant instant(Row row, String column) {
    return Objects.requireNonNull(row.get(column, Instant.class));
  }

  static @Nullable String instantText(Row row, String column) {
    Instant instant = row.get(column, Instant.class);
    return instant == null ? null : instant.toString();
  }

  /** To the microsecond, as PostgreSQL keeps time. */
  static double seconds(Row row, String column) {
    return Math.round(number(row, column, Double.class) * 1e6) / 1e6;
  }
}
