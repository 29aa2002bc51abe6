package dev.hawser.presence.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.extractMaterializer;
import static org.apache.pekko.http.javadsl.server.Directives.extractMethod;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequest;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequestEntity;
import static org.apache.pekko.http.javadsl.server.Directives.getFromResource;
import static org.apache.pekko.http.javadsl.server.Directives.optionalHeaderValueByName;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.Directives.pathPrefix;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.http.WatchingTimes.Filter;
import dev.hawser.presence.http.WatchingTimes.WatchingTime;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.http.javadsl.model.HttpMethod;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.Query;
import org.apache.pekko.http.javadsl.model.RequestEntity;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;

/** Presence over HTTP, as {@code openapi.json} describes it. */
public final class PresenceRoutes {

  private static final int MAX_USERS = 1_000;
  private static final long MAX_BODY_BYTES = 2L << 20;
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(10);
  private static final int MAX_LIMIT = 1_000;
  private static final int DEFAULT_LIMIT = 100;
  private static final Duration DEFAULT_RANGE = Duration.ofDays(7);
  private static final Duration MAX_RANGE = Duration.ofDays(366);

  /** Rows, and the cursor of the next page; none behind the last one. */
  record WatchingTimePage(List<WatchingTime> rows, @Nullable String next) {}

  /** All who are online, and one page of them. */
  record OnlinePage(long count, List<String> users, @Nullable String next) {}

  /** Seconds online. */
  record UserViewingTime(
      String user, String from, String to, String zone, double seconds, Map<String, Double> days) {}

  private final WatchingTimes watchingTimes;
  private final ApiKeys apiKeys;
  private final Clock clock;
  private final Answers answers = new Answers();

  /**
   * Takes what it asks and whom it answers.
   *
   * @param apiKeys who is answered
   */
  public PresenceRoutes(PresenceDatabase database, ApiKeys apiKeys, Clock clock) {
    this.watchingTimes = new WatchingTimes(database, answers.json);
    this.apiKeys = apiKeys;
    this.clock = clock;
  }

  /** All of {@code /api}; what is not known there is a 404. */
  public Route route() {
    return pathPrefix(
        "api",
        () ->
            optionalHeaderValueByName(
                "X-API-Key",
                key -> apiKeys.accept(key.orElse("")) ? authorized() : unauthorized()));
  }

  private Route unauthorized() {
    return complete(answers.problem(StatusCodes.UNAUTHORIZED, apiKeys.refusal(), null));
  }

  private Route authorized() {
    return concat(
        path(
            "openapi.json",
            () -> only(HttpMethods.GET, () -> getFromResource("openapi/presence.json"))),
        path(
            segment("presence").slash(segment()),
            user -> only(HttpMethods.GET, () -> query(List.of(), unused -> presence(user)))),
        path("presence", () -> only(HttpMethods.POST, this::presenceOfMany)),
        path(
            segment("viewing-time").slash(segment()),
            user ->
                only(
                    HttpMethods.GET,
                    () ->
                        query(
                            List.of("from", "to", "zone"),
                            parameters -> viewingTime(user, parameters)))),
        path(
            "watching-times",
            () ->
                only(
                    HttpMethods.GET,
                    () ->
                        query(
                            List.of(
                                "user",
                                "node",
                                "online",
                                "from",
                                "to",
                                "min_seconds",
                                "cursor",
                                "limit"),
                            this::watchingTimes))),
        path(
            "online",
            () -> only(HttpMethods.GET, () -> query(List.of("cursor", "limit"), this::online))),
        complete(answers.problem(StatusCodes.NOT_FOUND, "see /api/openapi.json", null)));
  }

  private Route only(HttpMethod allowed, Supplier<Route> route) {
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

  private Route query(List<String> known, Function<QueryParameters, CompletionStage<?>> question) {
    return extractRequest(
        request -> {
          Query query = request.getUri().query();
          return answers.answer(() -> question.apply(new QueryParameters(query, known)));
        });
  }

  private CompletionStage<?> presence(String user) {
    return watchingTimes
        .presence(List.of(QueryParameters.requireText("user", user)))
        .thenApply(List::getFirst);
  }

  private Route presenceOfMany() {
    return extractMaterializer(
        materializer ->
            extractRequestEntity(
                body -> query(List.of(), unused -> presenceOfMany(body, materializer))));
  }

  private CompletionStage<?> presenceOfMany(RequestEntity body, Materializer materializer) {
    return body.withSizeLimit(MAX_BODY_BYTES)
        .toStrict(BODY_TIMEOUT.toMillis(), materializer)
        .thenCompose(strict -> presenceOfMany(strict.getData().utf8String()));
  }

  private CompletionStage<Map<String, ?>> presenceOfMany(String body) {
    List<String> users = users(body);
    return watchingTimes.presence(users).thenApply(found -> Map.of("users", found));
  }

  private List<String> users(String body) {
    JsonNode root;
    try {
      root = answers.json.readTree(body);
    } catch (JsonProcessingException malformed) {
      throw new BadRequestException("body", "is not JSON, expected {\"users\": [\"alice\", …]}");
    }
    for (var field : root.properties()) {
      if (!field.getKey().equals("users")) {
        throw new BadRequestException(field.getKey(), "unknown field, expected users");
      }
    }
    JsonNode users = root.path("users");
    if (!users.isArray()) {
      throw new BadRequestException("users", "missing or no array, expected an array of user ids");
    }
    if (users.size() > MAX_USERS) {
      throw new BadRequestException(
          "users", "has %d entries, expected at most %d".formatted(users.size(), MAX_USERS));
    }
    var names = new ArrayList<String>(users.size());
    for (JsonNode user : users) {
      if (!user.isTextual()) {
        throw new BadRequestException("users", "has " + user + ", expected texts only");
      }
      names.add(QueryParameters.requireText("users", user.textValue()));
    }
    return names;
  }

  private CompletionStage<?> viewingTime(String user, QueryParameters parameters) {
    QueryParameters.requireText("user", user);
    ZoneId zone = parameters.zone("zone");
    Instant now = clock.instant();
    Instant to = parameters.instant("to", zone).orElse(now);
    Instant from = parameters.instant("from", zone).orElseGet(() -> to.minus(DEFAULT_RANGE));
    if (from.isAfter(to)) {
      throw new BadRequestException("from", "is %s, expected no later than to".formatted(from));
    }
    if (Duration.between(from, to).compareTo(MAX_RANGE) > 0) {
      throw new BadRequestException(
          "from",
          "is %d days before to, expected at most %d"
              .formatted(Duration.between(from, to).toDays(), MAX_RANGE.toDays()));
    }
    return watchingTimes
        .stays(user, from, to, now)
        .thenApply(
            stays -> {
              var days = new TreeMap<String, Double>();
              Duration total = Duration.ZERO;
              for (var day : ViewingTime.byDay(stays, from, to, zone).entrySet()) {
                days.put(day.getKey().toString(), seconds(day.getValue()));
                total = total.plus(day.getValue());
              }
              return new UserViewingTime(
                  user, from.toString(), to.toString(), zone.getId(), seconds(total), days);
            });
  }

  private static double seconds(Duration duration) {
    return duration.toMillis() / 1_000.0;
  }

  private CompletionStage<?> watchingTimes(QueryParameters parameters) {
    ZoneId utc = ZoneId.of("UTC");
    var filter =
        new Filter(
            parameters.text("user"),
            parameters.text("node"),
            parameters.flag("online"),
            parameters.instant("from", utc),
            parameters.instant("to", utc),
            parameters.integer("min_seconds", 0, Integer.MAX_VALUE));
    int limit = limit(parameters);
    long before = parameters.text("cursor").map(PresenceRoutes::rowCursor).orElse(Long.MAX_VALUE);
    return watchingTimes
        .list(filter, before, limit)
        .thenApply(
            rows ->
                new WatchingTimePage(
                    rows, rows.size() < limit ? null : cursor(Long.toString(rows.getLast().id()))));
  }

  private CompletionStage<?> online(QueryParameters parameters) {
    int limit = limit(parameters);
    String after = parameters.text("cursor").map(PresenceRoutes::decoded).orElse("");
    return watchingTimes
        .online(after, limit)
        .thenApply(
            page ->
                new OnlinePage(
                    page.count(),
                    page.users(),
                    page.users().size() < limit ? null : cursor(page.users().getLast())));
  }

  private static int limit(QueryParameters parameters) {
    return Math.toIntExact(parameters.integer("limit", 1, MAX_LIMIT).orElse(DEFAULT_LIMIT));
  }

  private static String cursor(String place) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(place.getBytes(UTF_8));
  }

  private static String decoded(String cursor) {
    try {
      return QueryParameters.requireText(
          "cursor", new String(Base64.getUrlDecoder().decode(cursor), UTF_8));
    } catch (IllegalArgumentException notOurs) {
      throw QueryParameters.bad("cursor", cursor, "the value of next in an earlier answer");
    }
  }

  private static long rowCursor(String cursor) {
    try {
      return Long.parseLong(decoded(cursor));
    } catch (NumberFormatException notOurs) {
      throw QueryParameters.bad("cursor", cursor, "the value of next in an earlier answer");
    }
  }
}
