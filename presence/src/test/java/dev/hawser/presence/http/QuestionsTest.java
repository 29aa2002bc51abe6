package dev.hawser.presence.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PostgreSqlExtension;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.TestDatabase;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What questions are answered, the same whether stays are archived or not. */
@ExtendWith(PostgreSqlExtension.class)
class QuestionsTest {

  private static final Instant NOW = Instant.parse("2025-11-24T12:00:00Z");
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private TestDatabase data;
  private PresenceDatabase database;
  private ActorTestKit testKit;
  private ServerBinding server;

  @BeforeEach
  void start(TestDatabase empty) throws Exception {
    data = empty;
    data.open().close();
    database = data.openForQueries();
    testKit = ActorTestKit.create();
    server =
        Http.get(testKit.system())
            .newServerAt("127.0.0.1", 0)
            .bind(
                new PresenceRoutes(
                        database, new ApiKeys(List.of("key")), Clock.fixed(NOW, ZoneOffset.UTC))
                    .route())
            .toCompletableFuture()
            .get();
  }

  @AfterEach
  void stop() {
    testKit.shutdownTestKit();
    database.close();
  }

  private void stays(String... stays) {
    for (String stay : stays) {
      String[] parts = stay.split(" ", -1);
      boolean open = parts[2].equals("open");
      data.execute(
          "INSERT INTO watching_times (user_id, join_at, terminate_at, nodes) VALUES"
              + " ('%s', '%s', %s, '%s')"
                  .formatted(
                      parts[0],
                      parts[1],
                      open ? "NULL" : "'" + parts[2] + "'",
                      open ? "{\"10.0.0.1:7355#1\": 1}" : "{}"));
    }
  }

  private HttpResponse<String> send(String path, String... headers) throws Exception {
    var request =
        HttpRequest.newBuilder(
                URI.create(
                    "http://127.0.0.1:%d%s".formatted(server.localAddress().getPort(), path)))
            .header("X-API-Key", "key");
    if (headers.length > 0) {
      request.headers(headers);
    }
    var response = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(path + " " + response.body()).isEqualTo(200);
    return response;
  }

  private JsonNode get(String path) throws Exception {
    return JSON.readTree(send(path).body());
  }

  private void onlineAt(String at, String... users) throws Exception {
    JsonNode answer = get("/api/online?at=" + at);
    assertThat(answer.path("users").valueStream().map(JsonNode::asText))
        .as(at)
        .containsExactly(users);
    assertThat(answer.path("count").asInt()).isEqualTo(users.length);
  }

  @Test
  void whoWasOnlineAtAnInstant() throws Exception {
    stays(
        "bob 2025-11-20T10:00:00Z 2025-11-20T10:00:30Z",
        "bob 2025-11-20T10:00:31Z 2025-11-20T11:00:00Z",
        "carol 2024-01-01T00:00:00Z 2025-11-20T10:00:10Z",
        "alice 2025-11-20T10:00:20Z open");
    for (boolean archived : new boolean[] {false, true}) {
      onlineAt("2023-12-31T23:59:59Z");
      onlineAt("2024-01-01T00:00:00Z", "carol");
      onlineAt("2025-11-20T10:00:00Z", "bob", "carol");
      onlineAt("2025-11-20T10:00:10Z", "bob");
      onlineAt("2025-11-20T10:00:29.999999Z", "alice", "bob");
      onlineAt("2025-11-20T10:00:30Z", "alice");
      onlineAt("2025-11-24T12:00:00Z", "alice");
      if (!archived) {
        data.archive(database);
        assertThat(data.rows("SELECT user_id FROM watching_times")).containsExactly("alice");
      }
    }
    String next =
        send("/api/online?limit=1&at=2025-11-20T10:00:00Z")
            .headers()
            .firstValue("Link")
            .orElseThrow();
    assertThat(get(next.substring(1, next.indexOf('>'))).path("users").path(0).asText())
        .isEqualTo("carol");
  }

  @Test
  void lengthsOfAllClassesAreFound() throws Exception {
    List<String> users = new ArrayList<>();
    int user = 100;
    Instant probe = NOW.minusSeconds(100);
    for (int edge :
        new int[] {
          2,
          60,
          240,
          960,
          3_840,
          15_360,
          61_200,
          244_800,
          979_200,
          3_916_800,
          15_667_200,
          70_000_000
        }) {
      for (int seconds = edge - 1; seconds <= edge + 1; seconds++) {
        users.add("u" + user);
        // The probe is in its last second.
        stays("u%d %s %s".formatted(user++, probe.minusSeconds(seconds - 1), probe.plusSeconds(1)));
      }
    }
    data.archive(database);
    assertThat(data.rows("SELECT count(*) FROM watching_times")).containsExactly("0");
    onlineAt(probe.toString(), users.toArray(String[]::new));
    for (int min : new int[] {0, 2, 61, 240, 241, 3_839, 70_000_000}) {
      for (int max : new int[] {3, 240, 61_200, 80_000_000}) {
        if (min <= max) {
          assertThat(
                  get("/api/watching-times?min_seconds=%d&max_seconds=%d".formatted(min, max))
                      .path("rows")
                      .valueStream()
                      .map(row -> row.path("id").asText()))
              .as("%d to %d", min, max)
              .containsExactlyElementsOf(
                  data.rows(
                      """
                      SELECT id FROM presence_stays WHERE terminate_at - join_at
                        BETWEEN %d * interval '1 second' AND %d * interval '1 second'
                      ORDER BY join_at DESC, id DESC
                      """
                          .formatted(min, max)));
        }
      }
    }
  }

  @Test
  void concurrentUsersAreCountedByBeginsAndEnds() throws Exception {
    stays(
        "bob 2025-11-20T10:00:00Z 2025-11-20T10:00:30Z",
        "erin 2025-11-20T10:00:10Z 2025-11-20T10:00:20Z",
        "frank 2025-11-20T10:00:30Z 2025-11-20T12:30:00Z",
        "alice 2025-11-24T11:00:00Z open");
    String range = "/api/concurrency?step=hour&from=2025-11-20T09:00:00Z&to=2025-11-20T14:00:00Z";
    assertThat(send(range + "&format=csv").body())
        .isEqualTo(
            """
            start,peak
            2025-11-20T09:00:00Z,0
            2025-11-20T10:00:00Z,2
            2025-11-20T11:00:00Z,1
            2025-11-20T12:00:00Z,1
            2025-11-20T13:00:00Z,0
            """
                .replace("\n", "\r\n"));
    // Days of Kathmandu begin at 18:15 UTC; there is none to come.
    assertThat(
            send("/api/concurrency?step=day&from=2025-11-23&to=2025-11-27&zone=Asia/Kathmandu&format=csv")
                .body())
        .isEqualTo("start,peak\r\n2025-11-22T18:15:00Z,0\r\n2025-11-23T18:15:00Z,1\r\n");
  }

  /** Against a count, stay by stay, of everybody who is there whenever somebody comes. */
  @Test
  void concurrencyAndViewingTimeAreRightForAnyStays() throws Exception {
    var random = new Random(5);
    Instant start = Instant.parse("2025-11-20T00:00:00Z");
    record Stay(int user, Instant from, Instant to) {}
    List<Stay> all = new ArrayList<>();
    for (int user = 0; user < 30; user++) {
      Instant at = start.minus(Duration.ofHours(10));
      while (at.isBefore(start.plus(Duration.ofDays(2)))) {
        Instant from = at.plusSeconds(random.nextInt(20_000));
        at = from.plusSeconds(1 + random.nextInt(random.nextInt(5) == 0 ? 40_000 : 900));
        all.add(new Stay(user, from, at));
      }
    }
    stays(
        all.stream()
            .map(stay -> "u%02d %s %s".formatted(stay.user, stay.from, stay.to))
            .toArray(String[]::new));
    data.archive(database);
    Map<String, Integer> expected = new LinkedHashMap<>();
    for (int hour = 0; hour < 24; hour++) {
      Instant from = start.plus(Duration.ofHours(hour));
      Instant to = from.plus(Duration.ofHours(1));
      int peak = 0;
      for (Stay probe : all) {
        Instant at = probe.from.isBefore(from) ? from : probe.from;
        if (at.isBefore(to)) {
          peak =
              Math.max(
                  peak,
                  (int)
                      all.stream()
                          .filter(stay -> !stay.from.isAfter(at) && stay.to.isAfter(at))
                          .count());
        }
      }
      expected.put(from.toString(), peak);
    }
    Map<String, Integer> answered = new LinkedHashMap<>();
    get("/api/concurrency?from=2025-11-20&to=2025-11-21")
        .path("rows")
        .forEach(row -> answered.put(row.path("start").asText(), row.path("peak").asInt()));
    assertThat(answered).isEqualTo(expected);
    ZoneId zone = ZoneId.of("America/St_Johns");
    Instant dayStart = start.atZone(zone).toLocalDate().plusDays(1).atStartOfDay(zone).toInstant();
    Instant dayEnd = dayStart.plus(Duration.ofDays(1));
    JsonNode users =
        get("/api/viewing-time?limit=1000&zone=America/St_Johns&day="
                + dayStart.atZone(zone).toLocalDate())
            .path("users");
    assertThat(users).hasSizeGreaterThan(20);
    for (JsonNode answer : users) {
      String user = answer.path("user").asText();
      double seconds =
          all.stream()
              .filter(stay -> "u%02d".formatted(stay.user).equals(user))
              .mapToDouble(stay -> common(stay.from, stay.to, dayStart, dayEnd))
              .sum();
      assertThat(answer.path("seconds").asDouble()).isEqualTo(seconds).isPositive();
      String path = "/api/viewing-time/%s?from=%s&to=%s".formatted(user, dayStart, dayEnd);
      assertThat(get(path).path("seconds").asDouble()).isEqualTo(seconds);
    }
  }

  private static double common(Instant from, Instant to, Instant low, Instant high) {
    Instant start = from.isBefore(low) ? low : from;
    Instant end = to.isBefore(high) ? to : high;
    return start.isBefore(end) ? Duration.between(start, end).toSeconds() : 0;
  }

  @Test
  void viewingTimeGoesByTheDaysOfTheZone() throws Exception {
    stays(
        "alice 2025-11-21T22:30:00Z 2025-11-21T23:45:00Z",
        "alice 2025-11-24T11:00:00Z open",
        "bob 2025-03-01T00:00:00Z 2025-04-30T00:00:00Z",
        "bob 2025-10-01T00:00:00Z 2025-11-01T00:00:00Z");
    for (boolean archived : new boolean[] {false, true}) {
      days(
          "alice?from=2025-11-21&to=2025-11-24",
          "{'2025-11-21': 1800, '2025-11-22': 2700, '2025-11-23': 0}");
      days("alice?from=2025-11-24", "{'2025-11-24': 3600}");
      days("alice?from=2025-11-24T11:30:00Z&to=2025-11-25", "{'2025-11-24': 1800}");
      days("bob?from=2025-03-30&to=2025-03-31", "{'2025-03-30': 82800}");
      days("bob?from=2025-10-26&to=2025-10-27", "{'2025-10-26': 90000}");
      if (!archived) {
        data.archive(database);
      }
    }
  }

  private void days(String query, String days) throws Exception {
    JsonNode answer = get("/api/viewing-time/" + query + "&zone=Europe/Berlin").path("days");
    Map<String, Integer> seconds = new LinkedHashMap<>();
    answer.properties().forEach(day -> seconds.put(day.getKey(), day.getValue().asInt()));
    assertThat(JSON.valueToTree(seconds).toString())
        .isEqualTo(days.replace('\'', '"').replace(" ", ""));
  }

  @Test
  void whoCameBack() throws Exception {
    stays(
        // First seen on the 20th in Berlin, but on the 19th in UTC.
        "bob 2025-11-19T23:30:00Z 2025-11-20T10:00:00Z",
        "bob 2025-11-21T09:00:00Z 2025-11-21T09:00:01Z",
        "bob 2025-11-21T10:00:00Z 2025-11-21T10:00:01Z",
        // Over midnight: was there on both days.
        "erin 2025-11-20T10:00:00Z 2025-11-20T11:00:00Z",
        "erin 2025-11-21T20:00:00Z 2025-11-21T23:30:00Z",
        "frank 2025-11-20T10:00:00Z open",
        "old 2025-11-01T10:00:00Z 2025-11-01T11:00:00Z",
        "old 2025-11-20T10:00:00Z 2025-11-20T11:00:00Z");
    for (boolean archived : new boolean[] {false, true}) {
      assertThat(
              send("/api/retention?from=2025-11-20&to=2025-11-21&zone=Europe/Berlin&format=csv")
                  .body())
          .isEqualTo(
              """
              day,users,afterDays,returned,share
              2025-11-20,3,1,3,1.0
              2025-11-20,3,2,2,0.6667
              2025-11-20,3,3,1,0.3333
              2025-11-20,3,4,1,0.3333
              """
                  .replace("\n", "\r\n"));
      if (!archived) {
        data.archive(database);
      }
    }
    assertThat(
            data.rows(
                "SELECT user_id, first_seen_at, last_seen_at IS NULL FROM presence_users WHERE user_id IN ('old', 'frank') ORDER BY 1"))
        .containsExactly("frank|2025-11-20 10:00:00+00|t", "old|2025-11-01 10:00:00+00|f");
  }

  @Test
  void staysArePagedOverTheArchiveAndWhatIsNotInIt() throws Exception {
    List<String> stays = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      Instant start = NOW.minus(Duration.ofHours(40L * (i / 2)));
      stays.add(
          "u%d %s %s".formatted(i % 7 + 10 * (i % 2), start, start.plusSeconds(1L << (i % 18))));
    }
    stays(stays.toArray(String[]::new));
    data.archive(database);
    stays("u3 2025-11-24T11:59:59Z open", "u4 2025-11-24T10:00:00Z 2089-01-01T00:00:00Z");
    for (String filter :
        List.of(
            "",
            "&user=u3",
            "&min_seconds=100",
            "&max_seconds=4096&online=false",
            "&from=2025-11-01&to=2025-11-20")) {
      String where =
          switch (filter) {
            case "&user=u3" -> "user_id = 'u3'";
            case "&min_seconds=100" ->
                "coalesce(terminate_at, now()) - join_at >= interval '100 s'";
            case "&max_seconds=4096&online=false" -> "terminate_at - join_at <= interval '4096 s'";
            case "&from=2025-11-01&to=2025-11-20" ->
                "join_at < '2025-11-20Z' AND (terminate_at IS NULL OR terminate_at > '2025-11-01Z')";
            default -> "true";
          };
      List<String> paged = new ArrayList<>();
      String page = "/api/watching-times?limit=3" + filter;
      while (!page.isEmpty()) {
        var answer = send(page);
        JSON.readTree(answer.body())
            .path("rows")
            .forEach(row -> paged.add(row.path("id").asText()));
        page =
            answer
                .headers()
                .firstValue("Link")
                .map(link -> link.substring(1, link.indexOf('>')))
                .orElse("");
      }
      assertThat(paged)
          .as(filter)
          .isNotEmpty()
          .containsExactlyElementsOf(
              data.rows(
                  "SELECT id FROM presence_stays WHERE "
                      + where
                      + " ORDER BY join_at DESC, id DESC"));
    }
  }

  @Test
  void csvIsForThoseWhoLikeIt() throws Exception {
    data.execute(
        """
        INSERT INTO watching_times (user_id, join_at, nodes)
        VALUES (E'a,"b"\\n', '2025-11-24T11:00Z', '{"10.0.0.1:7355#1": 2}')
        """);
    String path = "/api/presence/a%2C%22b%22%0A";
    String csv =
        String.join(
            "\r\n",
            "user,online,since,lastSeen,connections,nodes",
            "\"a,\"\"b\"\"\n\",true,2025-11-24T11:00:00Z,,2,\"{\"\"10.0.0.1:7355\"\":2}\"",
            "");
    assertThat(send(path + "?format=csv").body()).isEqualTo(csv);
    for (String accept :
        List.of("text/csv", "text/csv, */*;q=0.5", "application/json;q=0.1, text/csv")) {
      assertThat(send(path, "Accept", accept).body()).as(accept).isEqualTo(csv);
    }
    for (String accept :
        List.of("*/*", "application/json, text/csv", "text/html", "text/csv;q=0")) {
      assertThat(send(path, "Accept", accept).body()).as(accept).startsWith("{");
    }
    assertThat(send(path + "?format=json", "Accept", "text/csv").body()).startsWith("{");
  }

  /** Whatever zone is accepted, PostgreSQL knows it, too. */
  @Test
  void zonesOfJavaAreZonesOfPostgreSql() {
    for (String zone : ZoneId.getAvailableZoneIds()) {
      data.rows("SELECT now() AT TIME ZONE '" + zone + "'");
    }
  }

  private void views(String... views) {
    for (String view : views) {
      String[] parts = view.split(" ", -1);
      boolean open = parts[4].equals("open");
      data.execute(
          "INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)"
              + " VALUES ('%s', '%s', %s, '%s', %s, '%s')"
                  .formatted(
                      parts[0],
                      parts[1],
                      parts[2].equals("idle"),
                      parts[3],
                      open ? "NULL" : "'" + parts[4] + "'",
                      open ? "{\"10.0.0.1:7355#1\": 1}" : "{}"));
    }
  }

  @Test
  void whoLooksAtWhatAndForHowLong() throws Exception {
    views(
        // Idle on one client only is not idle.
        "alice doc active 2025-11-20T10:00:00Z 2025-11-20T10:30:00Z",
        "alice doc idle 2025-11-20T10:20:00Z 2025-11-20T11:00:00Z",
        "alice doc active 2025-11-20T22:30:00Z 2025-11-20T23:30:00Z",
        "alice lesson active 2025-11-20T10:00:00Z 2025-11-20T10:00:01.5Z",
        "bob doc active 2025-11-20T10:00:00Z 2025-11-20T10:01:00Z",
        "bob doc idle 2025-11-24T11:00:00Z open",
        "carol doc active 2025-11-24T11:30:00Z open",
        "carol doc idle 2025-11-24T11:00:00Z open",
        "dave lesson active 2025-11-24T11:00:00Z open");
    for (boolean archived : new boolean[] {false, true}) {
      assertThat(send("/api/resources/doc/viewers?format=csv").body())
          .isEqualTo(
              """
              user,since,idle
              bob,2025-11-24T11:00:00Z,true
              carol,2025-11-24T11:00:00Z,false
              """
                  .replace("\n", "\r\n"));
      assertThat(
              send("/api/viewing/alice?from=2025-11-20&to=2025-11-22&zone=Europe/Berlin&format=csv")
                  .body())
          .isEqualTo(
              """
              resource,day,seconds,idleSeconds
              doc,2025-11-20,3600.0,1800.0
              doc,2025-11-21,1800.0,0.0
              lesson,2025-11-20,1.5,0.0
              """
                  .replace("\n", "\r\n"));
      assertThat(send("/api/resources/doc/viewing-time?day=2025-11-20&format=csv").body())
          .isEqualTo(
              """
              user,seconds,idleSeconds
              alice,5400.0,1800.0
              bob,60.0,0.0
              """
                  .replace("\n", "\r\n"));
      // Up to now, which is noon.
      assertThat(send("/api/resources/doc/viewing-time?day=2025-11-24&format=csv").body())
          .isEqualTo(
              """
              user,seconds,idleSeconds
              bob,0.0,3600.0
              carol,1800.0,1800.0
              """
                  .replace("\n", "\r\n"));
      assertThat(
              get("/api/resources/doc/views?from=2025-11-20&to=2025-11-21&min_seconds=100")
                  .path("rows")
                  .valueStream()
                  .map(row -> row.path("user").asText() + " " + row.path("seconds").asInt()))
          .containsExactly("alice 3600", "alice 2400", "alice 1800");
      assertThat(get("/api/resources/doc/views?node=10.0.0.1:7355").path("rows")).hasSize(3);
      JsonNode first = get("/api/resources/doc/views?limit=4");
      JsonNode second =
          get("/api/resources/doc/views?limit=4&cursor=" + first.path("next").asText());
      assertThat(first.path("rows")).hasSize(4);
      assertThat(second.path("rows")).hasSize(3);
      if (!archived) {
        data.archive(database);
        assertThat(data.rows("SELECT count(*) FROM viewing_times")).containsExactly("4");
      }
    }
  }
}
