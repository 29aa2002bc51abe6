package dev.hawser.presence.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PostgreSqlExtension;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.TestDatabase;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The API over a real socket, against a real PostgreSQL. */
@ExtendWith(PostgreSqlExtension.class)
class PresenceRoutesTest {

  private static final Instant NOW = Instant.parse("2026-11-23T12:00:00Z");
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private static ActorTestKit testKit;
  private static PresenceDatabase database;
  private static ServerBinding server;

  @BeforeAll
  static void start(TestDatabase empty) throws Exception {
    database = empty.open();
    empty.execute(
        """
        INSERT INTO watching_times (user_id, join_at, terminate_at, nodes) VALUES
          ('alice', '2026-11-21T22:00Z', '2026-11-22T02:00Z', '{}'),
          ('alice', '2026-11-23T11:00Z', NULL, '{"10.0.0.1:7355#1": 2, "10.0.0.1:7355#9": 1}'),
          ('bob', '2026-11-20T10:00Z', '2026-11-20T10:00:30Z', '{}'),
          ('carol/ä', '2026-11-23T11:30Z', NULL, '{"10.0.0.2:7355#2": 1}')
        """);
    testKit = ActorTestKit.create();
    server = bind(List.of("key-1", "key-2"));
  }

  private static ServerBinding bind(List<String> keys) throws Exception {
    var routes = new PresenceRoutes(database, new ApiKeys(keys), Clock.fixed(NOW, ZoneOffset.UTC));
    return Http.get(testKit.system())
        .newServerAt("127.0.0.1", 0)
        .bind(routes.route())
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
            URI.create("http://127.0.0.1:%d%s".formatted(server.localAddress().getPort(), path)))
        .header("X-API-Key", "key-2");
  }

  private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static JsonNode get(String path) throws Exception {
    HttpResponse<String> response = send(request(path));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private static HttpResponse<String> post(String path, String body) throws Exception {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)));
  }

  @Test
  void presenceOfOne() throws Exception {
    assertThat(get("/api/presence/alice"))
        .isEqualTo(
            JSON.readTree(
                """
                {"user": "alice", "online": true, "since": "2026-11-23T11:00:00Z",
                 "connections": 3, "nodes": {"10.0.0.1:7355": 3}}
                """));
    assertThat(get("/api/presence/bob"))
        .isEqualTo(
            JSON.readTree(
                """
                {"user": "bob", "online": false, "lastSeen": "2026-11-20T10:00:30Z",
                 "connections": 0, "nodes": {}}
                """));
    assertThat(get("/api/presence/nobody"))
        .isEqualTo(
            JSON.readTree(
                """
                {"user": "nobody", "online": false, "connections": 0, "nodes": {}}
                """));
    assertThat(get("/api/presence/carol%2F%C3%A4").path("online").asBoolean()).isTrue();
  }

  @Test
  void presenceOfManyKeepsTheOrder() throws Exception {
    var response = post("/api/presence", "{\"users\": [\"nobody\", \"alice\", \"nobody\"]}");
    assertThat(JSON.readTree(response.body()).path("users").findValuesAsText("user"))
        .containsExactly("nobody", "alice", "nobody");
    String thousand = String.join("\",\"", java.util.Collections.nCopies(1_000, "alice"));
    assertThat(post("/api/presence", "{\"users\":[\"" + thousand + "\"]}").statusCode())
        .isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[]",
        "{}",
        "{\"users\": \"alice\"}",
        "{\"users\": [1]}",
        "{\"users\": [\"\"]}",
        "{\"users\": [], \"x\": 1}"
      })
  void aBodyThatIsNoListOfUsersIsRefused(String body) throws Exception {
    assertProblem(post("/api/presence", body), 400);
  }

  @Test
  void moreThanAThousandUsersAreRefused() throws Exception {
    String users = String.join("\",\"", java.util.Collections.nCopies(1_001, "alice"));
    var problem = assertProblem(post("/api/presence", "{\"users\":[\"" + users + "\"]}"), 400);
    assertThat(problem.path("detail").asText())
        .isEqualTo("users: has 1001 entries, expected at most 1000");
  }

  @Test
  void aBodyThatIsTooLargeIsNotRead() throws Exception {
    // The server answers and closes while the body is on its way: TCP may lose the answer.
    await()
        .ignoreExceptionsMatching(IOException.class::isInstance)
        .untilAsserted(() -> assertProblem(post("/api/presence", " ".repeat(3 << 20)), 413));
  }

  @Test
  void aBodyThatDoesNotComeIsNotWaitedFor() throws Exception {
    try (var socket =
        new Socket(InetAddress.getLoopbackAddress(), server.localAddress().getPort())) {
      socket.setSoTimeout(20_000);
      socket
          .getOutputStream()
          .write(
              """
              POST /api/presence HTTP/1.1
              Host: localhost
              X-API-Key: key-1
              Content-Type: application/json
              Content-Length: 100

              {"users":"""
                  .replace("\n", "\r\n")
                  .getBytes(UTF_8));
      var answer = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
      assertThat(answer.readLine()).startsWith("HTTP/1.1 408 ");
    }
  }

  @Test
  void viewingTimeCountsTheOpenStayUpToNow() throws Exception {
    var answer = get("/api/viewing-time/alice?from=2026-11-22&to=2026-11-24&zone=Europe/Berlin");
    assertThat(answer.path("days"))
        .isEqualTo(JSON.readTree("{\"2026-11-22\": 10800.0, \"2026-11-23\": 3600.0}"));
    assertThat(answer.path("seconds").asDouble()).isEqualTo(14_400);
    assertThat(get("/api/viewing-time/alice").path("days")).hasSize(8);
    assertThat(get("/api/viewing-time/nobody").path("seconds").asDouble()).isZero();
  }

  @Test
  void staysAreFilteredAndPaged() throws Exception {
    assertThat(get("/api/watching-times").path("rows").findValuesAsText("user"))
        .containsExactly("carol/ä", "alice", "alice", "bob");
    assertThat(users("online=true")).containsExactly("carol/ä", "alice");
    assertThat(users("online=false&min_seconds=31")).containsExactly("alice");
    assertThat(users("max_seconds=30")).containsExactly("bob");
    assertThat(users("user=bob")).containsExactly("bob");
    assertThat(users("user=alice&online=false")).containsExactly("alice");
    assertThat(users("node=10.0.0.1:7355")).containsExactly("alice");
    assertThat(users("node=10.0.0.2:7355%232")).containsExactly("carol/ä");
    assertThat(users("node=10.0.0")).isEmpty();
    assertThat(users("from=2026-11-21&to=2026-11-22")).containsExactly("alice");
    List<String> paged = new ArrayList<>();
    String cursor = "";
    do {
      var page = get("/api/watching-times?limit=1" + cursor);
      paged.addAll(page.path("rows").findValuesAsText("user"));
      cursor = page.has("next") ? "&cursor=" + page.path("next").asText() : "";
    } while (!cursor.isEmpty());
    assertThat(paged).containsExactly("carol/ä", "alice", "alice", "bob");
  }

  private static List<String> users(String query) throws Exception {
    return get("/api/watching-times?" + query).path("rows").findValuesAsText("user");
  }

  @Test
  void onlineIsCountedAndPaged() throws Exception {
    var first = get("/api/online?limit=1");
    assertThat(first.path("count").asInt()).isEqualTo(2);
    assertThat(first.path("users")).isEqualTo(JSON.readTree("[\"alice\"]"));
    var second = get("/api/online?limit=1&cursor=" + first.path("next").asText());
    assertThat(second.path("users")).isEqualTo(JSON.readTree("[\"carol/ä\"]"));
  }

  @ParameterizedTest
  @CsvSource({
    "/api/presence/%00, user",
    "/api/presence/alice?verbose=1, verbose",
    "/api/viewing-time/alice?from=yesterday, from",
    "/api/viewing-time/alice?to=2026-13-01, to",
    "/api/viewing-time/alice?zone=Mars/Olympus, zone",
    "/api/viewing-time/alice?from=2026-11-02&to=2026-11-01, from",
    "/api/viewing-time/alice?from=2020-01-01, from",
    "/api/viewing-time?day=today, day",
    "/api/viewing-time?day=2026-11-23T00:00:00Z, day",
    "/api/viewing-time?zone=Mars/Olympus, zone",
    "/api/viewing-time?cursor=!, cursor",
    "/api/concurrency?step=week, step",
    "/api/concurrency?from=2026-11-23&to=2026-11-22, from",
    "/api/concurrency?from=2026-11-20&step=minute, from",
    "/api/concurrency?from=2026-11-01&step=hour, from",
    "/api/concurrency?from=2026-09-01&step=day, from",
    "/api/concurrency?zone=Berlin, zone",
    "/api/retention?from=2026-11-01, from",
    "/api/retention?from=2026-11-23&to=2026-11-22, from",
    "/api/retention?to=2026-11-22T00:00:00Z, to",
    "/api/retention?zone=, zone",
    "/api/online?at=2026-11-24, at",
    "/api/online?at=noon, at",
    "/api/online?format=xml, format",
    "/api/presence/alice?format=, format",
    "/api/watching-times?min_seconds=2&max_seconds=1, min_seconds",
    "/api/watching-times?max_seconds=1h, max_seconds",
    "/api/watching-times?from=2026-11-23&to=2026-11-22, from",
    "/api/watching-times?online=maybe, online",
    "/api/watching-times?limit=0, limit",
    "/api/watching-times?limit=1001, limit",
    "/api/watching-times?limit=ten, limit",
    "/api/watching-times?min_seconds=-1, min_seconds",
    "/api/watching-times?cursor=!, cursor",
    "/api/watching-times?cursor=YWxpY2U, cursor",
    "/api/watching-times?from=soon, from",
    "/api/watching-times?user=, user",
    "/api/watching-times?user=a&user=b, user",
    "/api/online?cursor=!, cursor",
    "/api/online?limit=-5, limit",
    "/api/online?page=2, page",
    "/api/viewing-time/alice?to=-999999999-01-01, to",
    "/api/viewing-time/alice?to=%2B999999999-12-31, to",
    "/api/watching-times?from=%2B999999999-01-01, from",
  })
  void aWrongParameterIsNamed(String path, String parameter) throws Exception {
    assertThat(assertProblem(send(request(path)), 400).path("parameter").asText())
        .isEqualTo(parameter);
  }

  @Test
  void everythingNeedsAKey() throws Exception {
    for (String path : List.of("/api/online", "/api/openapi.json", "/api/nothing")) {
      assertProblem(send(request(path).setHeader("X-API-Key", "key-3")), 401);
    }
    ServerBinding keyless = bind(List.of());
    var response =
        HTTP.send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://127.0.0.1:%d/api/online"
                            .formatted(keyless.localAddress().getPort())))
                .header("X-API-Key", "")
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(assertProblem(response, 401).path("detail").asText())
        .contains("no key is configured");
  }

  @Test
  void unknownPathsAndMethodsSaySo() throws Exception {
    assertProblem(send(request("/api/presense")), 404);
    assertProblem(send(request("/api/presence")), 405);
    var response = post("/api/online", "{}");
    assertProblem(response, 405);
    assertThat(response.headers().firstValue("Allow")).contains("GET");
  }

  private static JsonNode assertProblem(HttpResponse<String> response, int status)
      throws Exception {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("Content-Type").orElse(""))
        .startsWith("application/problem+json");
    JsonNode problem = JSON.readTree(response.body());
    assertThat(problem.path("status").asInt()).isEqualTo(status);
    return problem;
  }

  /** Calls each operation with each of its parameters, and holds the answer against its schema. */
  @Test
  void theDocumentDescribesWhatIsServed() throws Exception {
    JsonNode document = get("/api/openapi.json");
    assertThat(document.path("openapi").asText()).startsWith("3.1");
    Map<String, String> examples = new HashMap<>();
    examples.putAll(Map.of("at", "2026-11-22T01:00:00Z", "day", "2026-11-22", "step", "day"));
    examples.put(
        "cursor", Base64.getUrlEncoder().encodeToString("2026-11-23T12:00:00Z 99".getBytes(UTF_8)));
    examples.putAll(
        Map.of(
            "user", "alice",
            "from", "2026-11-22",
            "to", "2026-11-23",
            "zone", "UTC",
            "node", "10.0.0.1:7355",
            "online", "true",
            "min_seconds", "1",
            "max_seconds", "100",
            "limit", "1",
            "format", "json"));
    Set<String> called = new HashSet<>();
    for (var path : document.path("paths").properties()) {
      for (var operation : path.getValue().properties()) {
        JsonNode schema =
            operation.getValue().at("/responses/200/content/application~1json/schema");
        List<String> uris = new ArrayList<>();
        String plain = path.getKey().replace("{user}", "alice").replace("{resource}", "lesson");
        uris.add(plain);
        for (JsonNode parameter : operation.getValue().path("parameters")) {
          if (parameter.path("in").asText().equals("query")) {
            String name = parameter.path("name").asText();
            uris.add(plain + "?" + name + "=" + examples.get(name));
          }
        }
        for (String uri : uris) {
          var response =
              operation.getKey().equals("post")
                  ? post(uri, "{\"users\": [\"alice\", \"bob\"]}")
                  : send(request(uri));
          assertThat(response.statusCode()).as(uri + " " + response.body()).isEqualTo(200);
          validate(document, schema, JSON.readTree(response.body()), uri);
        }
        JsonNode csv =
            operation.getValue().at("/responses/200/content/text~1csv/schema/description");
        if (!csv.isMissingNode()) {
          String uri = plain + "?format=csv";
          var response =
              operation.getKey().equals("post")
                  ? post(uri, "{\"users\": [\"alice\"]}")
                  : send(request(uri));
          assertThat(response.headers().firstValue("Content-Type"))
              .contains("text/csv; charset=UTF-8");
          assertThat("Columns: " + response.body().lines().findFirst().orElse("") + ".")
              .isEqualTo(csv.asText().replace(" (as JSON)", "").replace(", ", ","));
        }
        called.add(operation.getKey() + " " + path.getKey());
      }
    }
    assertThat(called)
        .containsExactlyInAnyOrder(
            "get /api/presence/{user}",
            "post /api/presence",
            "get /api/viewing-time/{user}",
            "get /api/viewing-time",
            "get /api/concurrency",
            "get /api/retention",
            "get /api/watching-times",
            "get /api/online",
            "get /api/viewing/{user}",
            "get /api/resources/{resource}/viewers",
            "get /api/resources/{resource}/viewing-time",
            "get /api/resources/{resource}/views",
            "get /api/openapi.json");
  }

  /** The part of JSON Schema that the document uses. */
  private static void validate(JsonNode document, JsonNode given, JsonNode value, String where) {
    JsonNode schema =
        given.has("$ref") ? document.at(given.path("$ref").asText().substring(1)) : given;
    boolean fits =
        switch (schema.path("type").asText()) {
          case "object" -> value.isObject();
          case "array" -> value.isArray();
          case "string" -> value.isTextual();
          case "integer" -> value.isIntegralNumber();
          case "number" -> value.isNumber();
          case "boolean" -> value.isBoolean();
          default -> false;
        };
    assertThat(fits).as("%s: %s should be %s", where, value, schema).isTrue();
    if (schema.path("format").asText().equals("date-time")) {
      Instant.parse(value.asText());
    }
    for (JsonNode name : schema.path("required")) {
      assertThat(value.has(name.asText())).as("%s lacks %s", where, name).isTrue();
    }
    for (var field : value.properties()) {
      JsonNode property = schema.path("properties").path(field.getKey());
      JsonNode additional = schema.path("additionalProperties");
      if (property.isMissingNode() && schema.has("properties")) {
        assertThat(additional.asBoolean(true)).as("%s has %s", where, field.getKey()).isTrue();
      } else if (!property.isMissingNode()) {
        validate(document, property, field.getValue(), where + "." + field.getKey());
      } else if (additional.isObject()) {
        validate(document, additional, field.getValue(), where + "." + field.getKey());
      }
    }
    Stream.of(value)
        .filter(JsonNode::isArray)
        .flatMap(JsonNode::valueStream)
        .forEach(item -> validate(document, schema.path("items"), item, where + "[]"));
  }
}
