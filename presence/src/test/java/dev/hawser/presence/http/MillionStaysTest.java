package dev.hawser.presence.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PostgreSqlExtension;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.TestDatabase;
import dev.hawser.presence.http.Questions.Select;
import dev.hawser.presence.http.StayQuestions.Filter;
import dev.hawser.presence.http.TrendQuestions.Step;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each question at a million stays of 50,000 users over 60 days, of whom 10,000 are online: which
 * indexes serve it, and how long calls over HTTP take. Times are printed only; docs/presence.md has
 * those of 50 calls ({@code -Dhawser.presence.calls=50}).
 */
@ExtendWith(PostgreSqlExtension.class)
class MillionStaysTest {

  /** Enough to see that they are answered; for times, 50. */
  private static final int CALLS = Integer.getInteger("hawser.presence.calls", 10);

  private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private static TestDatabase data;
  private static PresenceDatabase database;
  private static ActorTestKit testKit;
  private static ServerBinding server;
  private static Instant now;

  /** Tables that are not to be read from end to end. */
  private static List<String> large;

  /** What is asked, by its statement and by HTTP. */
  record Question(
      String name, Function<Random, Select> select, Function<Random, HttpRequest.Builder> request) {

    /** It looks at everybody who is online: at all of {@code watching_times}. */
    boolean ofAllOnline() {
      return name.startsWith("who is online") || name.startsWith("stays on a node");
    }

    @Override
    public String toString() {
      return name;
    }
  }

  @BeforeAll
  static void start(TestDatabase empty) throws Exception {
    data = empty;
    data.open().close();
    long start = System.nanoTime();
    try (var script = MillionStaysTest.class.getResourceAsStream("/million-stays.sql")) {
      data.execute(new String(Objects.requireNonNull(script).readAllBytes(), UTF_8));
    }
    data.execute("VACUUM ANALYZE");
    System.out.printf(
        Locale.ROOT, "a million stays written in %.1f s%n", (System.nanoTime() - start) / 1e9);
    large =
        data.rows(
            """
            SELECT relname FROM pg_class
            WHERE relkind = 'r' AND relname ~ '^(watching|viewing)_' AND reltuples > 1000 ORDER BY relname
            """);
    assertThat(large).hasSizeGreaterThan(3).contains("watching_times", "watching_users");
    now = Instant.now();
    database = data.openForQueries();
    testKit = ActorTestKit.create();
    server =
        Http.get(testKit.system())
            .newServerAt("127.0.0.1", 0)
            .bind(
                new PresenceRoutes(
                        database, new ApiKeys(List.of("key")), Clock.fixed(now, ZoneOffset.UTC))
                    .route())
            .toCompletableFuture()
            .get();
  }

  @AfterAll
  static void stop() {
    testKit.shutdownTestKit();
    database.close();
  }

  private static HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(
            URI.create(
                "http://127.0.0.1:%d/api%s".formatted(server.localAddress().getPort(), path)))
        .header("X-API-Key", "key");
  }

  /** The busier the user, the likelier. */
  private static String user(Random random) {
    return "user-" + (1 + (int) (50_000 * Math.pow(random.nextDouble(), 2.5)));
  }

  private static Instant instant(Random random) {
    return now.minus(Duration.ofHours(3 + random.nextInt(24 * 50))).truncatedTo(ChronoUnit.SECONDS);
  }

  /** Cohorts of an ordinary day, not of the first ones, when everybody is new. */
  private static LocalDate date(Random random) {
    return LocalDate.ofInstant(now, ZoneOffset.UTC).minusDays(12 + random.nextInt(30));
  }

  private static String lesson(Random random) {
    return "lesson-" + (1 + random.nextInt(2_000));
  }

  private static List<String> users(Random random) {
    return Stream.generate(() -> user(random)).limit(1_000).toList();
  }

  private static String cursor(Instant place) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString((place + " " + Long.MAX_VALUE).getBytes(UTF_8));
  }

  private static Filter filter(
      Optional<String> user,
      Optional<String> node,
      Instant from,
      Instant to,
      long minSeconds,
      long maxSeconds,
      Instant behind) {
    return new Filter(
        user, node, Optional.empty(), from, to, minSeconds, maxSeconds, behind, Long.MAX_VALUE);
  }

  static Stream<Question> questions() {
    Instant far = Instant.parse("9999-12-31T00:00:00Z");
    long endless = Integer.MAX_VALUE;
    return Stream.of(
        new Question(
            "is this user online",
            random -> OnlineQuestions.presence(List.of(user(random))),
            random -> request("/presence/" + user(random))),
        new Question(
            "are these 1,000 users online",
            random -> OnlineQuestions.presence(users(random)),
            random ->
                request("/presence")
                    .POST(
                        HttpRequest.BodyPublishers.ofString(
                            "{\"users\": [\"" + String.join("\", \"", users(random)) + "\"]}"))),
        new Question(
            "who is online, 100 of 10,000",
            random -> OnlineQuestions.online(Optional.empty(), user(random), 100),
            random ->
                request(
                    "/online?cursor="
                        + Base64.getUrlEncoder().encodeToString(user(random).getBytes(UTF_8)))),
        new Question(
            "who was online at an instant",
            random -> OnlineQuestions.online(Optional.of(instant(random)), "", 100),
            random -> request("/online?at=" + instant(random))),
        new Question(
            "viewing time of a user, 7 days",
            random -> {
              Instant to = instant(random);
              return StayQuestions.viewingTime(
                  user(random), to.minus(Duration.ofDays(7)), to, BERLIN, now);
            },
            random -> {
              Instant to = instant(random);
              return request(
                  "/viewing-time/%s?to=%s&zone=Europe/Berlin".formatted(user(random), to));
            }),
        new Question(
            "viewing time of the busiest user, 60 days",
            random ->
                StayQuestions.viewingTime(
                    "user-1", now.minus(Duration.ofDays(60)), now, BERLIN, now),
            random ->
                request(
                    "/viewing-time/user-1?zone=Europe/Berlin&from="
                        + now.minus(Duration.ofDays(60)))),
        new Question(
            "viewing time of all users of a day, 100",
            random -> StayQuestions.viewingTimes(date(random), BERLIN, now, "", 100),
            random -> request("/viewing-time?zone=Europe/Berlin&day=" + date(random))),
        new Question(
            "stays from a place on, 100",
            random ->
                StayQuestions.stays(
                    filter(
                        Optional.empty(),
                        Optional.empty(),
                        Instant.EPOCH,
                        far,
                        0,
                        endless,
                        instant(random)),
                    100),
            random -> request("/watching-times?cursor=" + cursor(instant(random)))),
        new Question(
            "stays of a user, 100",
            random ->
                StayQuestions.stays(
                    filter(
                        Optional.of(user(random)),
                        Optional.empty(),
                        Instant.EPOCH,
                        far,
                        0,
                        endless,
                        far),
                    100),
            random -> request("/watching-times?user=" + user(random))),
        new Question(
            "stays of an hour, 1,000",
            random -> {
              Instant from = instant(random);
              return StayQuestions.stays(
                  filter(
                      Optional.empty(),
                      Optional.empty(),
                      from,
                      from.plusSeconds(3_600),
                      0,
                      endless,
                      far),
                  1_000);
            },
            random -> {
              Instant from = instant(random);
              return request(
                  "/watching-times?limit=1000&from=%s&to=%s"
                      .formatted(from, from.plusSeconds(3_600)));
            }),
        new Question(
            "stays of 30 days, 100",
            random -> {
              Instant to = instant(random);
              return StayQuestions.stays(
                  filter(
                      Optional.empty(),
                      Optional.empty(),
                      to.minus(Duration.ofDays(30)),
                      to,
                      0,
                      endless,
                      far),
                  100);
            },
            random -> {
              Instant to = instant(random);
              return request(
                  "/watching-times?from=%s&to=%s".formatted(to.minus(Duration.ofDays(30)), to));
            }),
        new Question(
            "stays of 20 hours and more, 100",
            random ->
                StayQuestions.stays(
                    filter(
                        Optional.empty(),
                        Optional.empty(),
                        Instant.EPOCH,
                        far,
                        72_000,
                        endless,
                        instant(random)),
                    100),
            random ->
                request("/watching-times?min_seconds=72000&cursor=" + cursor(instant(random)))),
        new Question(
            "stays of 2 to 3 s, 100",
            random ->
                StayQuestions.stays(
                    filter(
                        Optional.empty(),
                        Optional.empty(),
                        Instant.EPOCH,
                        far,
                        2,
                        3,
                        instant(random)),
                    100),
            random ->
                request(
                    "/watching-times?min_seconds=2&max_seconds=3&cursor="
                        + cursor(instant(random)))),
        new Question(
            "stays on a node, 100",
            random ->
                StayQuestions.stays(
                    filter(
                        Optional.empty(),
                        Optional.of("10.0.0.1:7355"),
                        Instant.EPOCH,
                        far,
                        0,
                        endless,
                        far),
                    100),
            random -> request("/watching-times?node=10.0.0.1:7355")),
        new Question(
            "who looks at a lesson, 100",
            random -> ViewingQuestions.viewers(lesson(random), "", 100),
            random -> request("/resources/%s/viewers".formatted(lesson(random)))),
        new Question(
            "what a user looked at, 7 days",
            random -> {
              Instant to = instant(random);
              return ViewingQuestions.viewingOf(
                  user(random), to.minus(Duration.ofDays(7)), to, BERLIN, now);
            },
            random -> {
              Instant to = instant(random);
              return request("/viewing/%s?to=%s&zone=Europe/Berlin".formatted(user(random), to));
            }),
        new Question(
            "viewing time of a lesson on a day, 100",
            random -> ViewingQuestions.times(lesson(random), date(random), BERLIN, now, "", 100),
            random ->
                request(
                    "/resources/%s/viewing-time?zone=Europe/Berlin&day=%s"
                        .formatted(lesson(random), date(random)))),
        new Question(
            "views of a lesson of 2 to 60 minutes, 100",
            random ->
                ViewingQuestions.views(
                    lesson(random),
                    Questions.Place.FIRST,
                    Instant.EPOCH,
                    far,
                    new Questions.Lengths(120, 3_600),
                    Optional.empty(),
                    100),
            random ->
                request(
                    "/resources/%s/views?min_seconds=120&max_seconds=3600"
                        .formatted(lesson(random)))),
        new Question(
            "concurrent users, a day by minutes",
            random -> {
              Instant from = instant(random);
              return TrendQuestions.concurrency(
                  from, from.plus(Duration.ofDays(1)), Step.MINUTE, BERLIN, now);
            },
            random -> {
              Instant from = instant(random);
              return request(
                  "/concurrency?step=minute&from=%s&to=%s"
                      .formatted(from, from.plus(Duration.ofDays(1))));
            }),
        new Question(
            "concurrent users, 7 days by hours",
            random -> {
              Instant from = instant(random);
              return TrendQuestions.concurrency(
                  from, from.plus(Duration.ofDays(7)), Step.HOUR, BERLIN, now);
            },
            random -> {
              Instant from = instant(random);
              return request(
                  "/concurrency?step=hour&from=%s&to=%s"
                      .formatted(from, from.plus(Duration.ofDays(7))));
            }),
        new Question(
            "concurrent users, 31 days by days",
            random -> {
              Instant to = instant(random);
              return TrendQuestions.concurrency(
                  to.minus(Duration.ofDays(31)), to, Step.DAY, BERLIN, now);
            },
            random -> {
              Instant to = instant(random);
              return request(
                  "/concurrency?step=day&from=%s&to=%s"
                      .formatted(to.minus(Duration.ofDays(31)), to));
            }),
        new Question(
            "retention of the users of a day",
            random -> {
              LocalDate day = date(random);
              return TrendQuestions.retention(day, day.plusDays(1), BERLIN, now);
            },
            random -> {
              LocalDate day = date(random);
              return request("/retention?from=%s&to=%s".formatted(day, day.plusDays(1)));
            }),
        new Question(
            "retention of the users of 7 days",
            random -> {
              LocalDate day = date(random);
              return TrendQuestions.retention(day, day.plusDays(7), BERLIN, now);
            },
            random -> {
              LocalDate day = date(random);
              return request("/retention?from=%s&to=%s".formatted(day, day.plusDays(7)));
            }));
  }

  @Test
  void theArchiveFindsAllWhoWereThere() {
    for (int days = 0; days < 60; days += 7) {
      String at = now.minus(Duration.ofDays(days)).toString();
      assertThat(data.rows("SELECT count(*) FROM presence_online_at('%s')".formatted(at)))
          .isEqualTo(
              data.rows(
                  """
                  SELECT count(*) FROM presence_stays
                  WHERE join_at <= '%1$s' AND (terminate_at IS NULL OR terminate_at > '%1$s')
                  """
                      .formatted(at)));
    }
  }

  @ParameterizedTest
  @MethodSource("questions")
  void isServedByIndexes(Question question) throws Exception {
    Select select = question.select().apply(new Random(1));
    String plan =
        Objects.requireNonNull(
                database
                    .query(
                        "EXPLAIN (FORMAT JSON) " + select.sql(),
                        row -> Objects.requireNonNull(row.get(0, String.class)),
                        select.parameters())
                    .block())
            .getFirst();
    assertThat(JSON.readTree(plan).findParents("Relation Name"))
        .as(plan)
        .isNotEmpty()
        .filteredOn(node -> node.path("Node Type").asText().equals("Seq Scan"))
        .filteredOn(node -> large.contains(node.path("Relation Name").asText()))
        .filteredOn(
            node ->
                !(question.ofAllOnline()
                    && node.path("Relation Name").asText().equals("watching_times")))
        .isEmpty();
    var random = new Random(2);
    long[] nanos = new long[CALLS];
    int answered = 0;
    for (int call = 0; call < CALLS; call++) {
      HttpRequest request = question.request().apply(random).build();
      long start = System.nanoTime();
      var response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
      nanos[call] = System.nanoTime() - start;
      if (response.statusCode() == 503) {
        // PostgreSQL gives a statement up after 5 s: the machine is busy, which shows in the times.
        continue;
      }
      answered++;
      assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    }
    assertThat(answered).as("calls that were answered").isPositive();
    Arrays.sort(nanos);
    System.out.printf(
        Locale.ROOT,
        "| %s | %.1f | %.1f |%n",
        question,
        nanos[CALLS / 2] / 1e6,
        nanos[CALLS * 95 / 100] / 1e6);
  }
}
