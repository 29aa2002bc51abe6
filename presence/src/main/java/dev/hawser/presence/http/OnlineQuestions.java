package dev.hawser.presence.http;

import static dev.hawser.presence.http.Questions.number;
import static dev.hawser.presence.http.Questions.text;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.extractMaterializer;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequestEntity;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.hawser.presence.http.Questions.Select;
import io.r2dbc.spi.Row;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.RequestEntity;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;

/** Who is online, and who was at an instant. */
final class OnlineQuestions {

  private static final int MAX_USERS = 1_000;
  private static final long MAX_BODY_BYTES = 2L << 20;
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(10);

  /**
   * Where a user is now.
   *
   * @param since when the present stay began, null if offline
   * @param lastSeen when the last stay ended, null if online or never seen
   * @param connections tabs and devices
   * @param nodes {@code host:port} to connections there
   */
  record UserPresence(
      String user,
      boolean online,
      @Nullable String since,
      @Nullable String lastSeen,
      int connections,
      Map<String, Integer> nodes) {}

  /** All who are online, and one page of them. */
  record OnlinePage(long count, List<String> users, @Nullable String next) {}

  /** One of them. */
  record OnlineUser(String user) {}

  /**
   * All users in one text, with times in microseconds after 1970: a thousand rows one by one take
   * longer than to find them.
   */
  private static final String PRESENCE =
      """
      SELECT coalesce(json_agg(json_build_array(
               user_id, (extract(epoch FROM since) * 1000000)::bigint,
               (extract(epoch FROM last_seen_at) * 1000000)::bigint, connections, nodes)
               ORDER BY place), '[]')::text AS users
      FROM presence_of($1)
      """;

  private static final String ONLINE =
      """
      SELECT (SELECT count(*) FROM presence_online) AS total,
             ARRAY(SELECT user_id FROM presence_online
                   WHERE user_id > $1 ORDER BY user_id LIMIT $2) AS users
      """;

  private static final String ONLINE_AT =
      """
      WITH present AS MATERIALIZED (SELECT user_id FROM presence_online_at($3))
      SELECT (SELECT count(*) FROM present) AS total,
             ARRAY(SELECT user_id FROM present
                   WHERE user_id > $1 ORDER BY user_id LIMIT $2) AS users
      """;

  private final Questions questions;
  private final Clock clock;

  OnlineQuestions(Questions questions, Clock clock) {
    this.questions = questions;
    this.clock = clock;
  }

  Route route() {
    return concat(
        path(
            segment("presence").slash(segment()),
            user -> questions.get(List.of(), unused -> presence(user))),
        path("presence", () -> questions.only(HttpMethods.POST, this::presenceOfMany)),
        path("online", () -> questions.get(List.of("at", "cursor", "limit"), this::online)));
  }

  static Select presence(List<String> users) {
    return new Select(PRESENCE, List.of((Object) users.toArray(String[]::new)));
  }

  /** The page behind a user. */
  static Select online(Optional<Instant> at, String after, int limit) {
    return at.isPresent()
        ? new Select(ONLINE_AT, List.of(after, limit, at.get()))
        : new Select(ONLINE, List.of(after, limit));
  }

  private CompletionStage<Answer<UserPresence>> presence(String user) {
    return presenceOf(List.of(QueryParameters.requireText("user", user)))
        .thenApply(found -> new Answer<>(found.getFirst(), UserPresence.class, found, null));
  }

  private Route presenceOfMany() {
    return extractMaterializer(
        materializer ->
            extractRequestEntity(
                body -> questions.ask(List.of(), unused -> presenceOfMany(body, materializer))));
  }

  private CompletionStage<Answer<UserPresence>> presenceOfMany(
      RequestEntity body, Materializer materializer) {
    return body.withSizeLimit(MAX_BODY_BYTES)
        .toStrict(BODY_TIMEOUT.toMillis(), materializer)
        .thenCompose(strict -> presenceOf(users(strict.getData().utf8String())))
        .thenApply(found -> new Answer<>(Map.of("users", found), UserPresence.class, found, null));
  }

  private List<String> users(String body) {
    JsonNode root;
    try {
      root = questions.answers.json.readTree(body);
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

  private CompletionStage<List<UserPresence>> presenceOf(List<String> users) {
    return questions
        .rows(presence(users), row -> text(row, "users"))
        .thenApply(found -> userPresences(found.getFirst()));
  }

  private List<UserPresence> userPresences(String found) {
    try {
      JsonNode users = questions.answers.json.readTree(found);
      return users.valueStream().map(OnlineQuestions::userPresence).toList();
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static UserPresence userPresence(JsonNode columns) {
    var nodes = new TreeMap<String, Integer>();
    for (var node : columns.get(4).properties()) {
      String key = node.getKey();
      nodes.merge(key.substring(0, key.lastIndexOf('#')), node.getValue().intValue(), Integer::sum);
    }
    String since = instantText(columns.get(1));
    return new UserPresence(
        columns.get(0).textValue(),
        since != null,
        since,
        instantText(columns.get(2)),
        columns.get(3).intValue(),
        nodes);
  }

  private static @Nullable String instantText(JsonNode microseconds) {
    return microseconds.isNull()
        ? null
        : Instant.EPOCH.plus(microseconds.longValue(), ChronoUnit.MICROS).toString();
  }

  private CompletionStage<Answer<OnlineUser>> online(QueryParameters parameters) {
    int limit = Questions.limit(parameters);
    Instant now = clock.instant();
    Optional<Instant> at = parameters.instant("at", ZoneId.of("UTC"));
    at.filter(now::isBefore)
        .ifPresent(
            future -> {
              throw QueryParameters.bad("at", future.toString(), "no later than now");
            });
    return questions
        .rows(online(at, parameters.cursor().orElse(""), limit), OnlineQuestions::onlinePage)
        .thenApply(
            found -> {
              OnlinePage page = found.getFirst();
              String next = Questions.next(page.users(), limit, user -> user);
              return new Answer<>(
                  new OnlinePage(page.count(), page.users(), next),
                  OnlineUser.class,
                  page.users().stream().map(OnlineUser::new).toList(),
                  next);
            });
  }

  private static OnlinePage onlinePage(Row row) {
    return new OnlinePage(
        number(row, "total", Long.class),
        List.of(Objects.requireNonNull(row.get("users", String[].class))),
        null);
  }
}
