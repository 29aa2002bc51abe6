package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.gateway.Node.Door;
import io.github.centrifugal.centrifuge.ClientState;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The server API of a cluster of two nodes, and what stock clients see of it. */
class ServerApiTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Parts parts;
  private static List<TestNode> nodes;
  private static TestNode first;
  private static TestNode second;

  @BeforeAll
  static void start() throws Exception {
    parts = Parts.start();
    nodes =
        TestNode.startCluster(parts, Collections.nCopies(2, "hawser.connection.expiry-grace = 1s"));
    first = nodes.getFirst().awaitReady();
    second = nodes.getLast().awaitReady();
    await()
        .atMost(PATIENCE)
        .until(() -> call(second, "info", "{}").at("/result/nodes").size() == 2);
  }

  @AfterAll
  static void stop() {
    nodes.forEach(TestNode::close);
    parts.close();
  }

  private static JsonNode call(TestNode node, String method, String body) throws Exception {
    HttpResponse<String> response = node.post("/api/" + method, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/json");
    return JSON.readTree(response.body());
  }

  private static Tab open(TestNode node, String user) throws Exception {
    return Tab.open(node.url(Door.NETTY), Node.token(user)).awaitConnected();
  }

  private static String publish(String user, String data) {
    return "{\"channel\":\"#%s\",\"data\":%s}".formatted(user, data);
  }

  // Transport.

  @Test
  void theKeyComesInOneOfThreeWays() throws Exception {
    String key = Node.API_KEY;
    String body = publish("nobody", "1");
    assertThat(status("/api/publish", body, "X-API-Key", key)).isEqualTo(200);
    assertThat(status("/api/publish", body, "Authorization", "apikey " + key)).isEqualTo(200);
    assertThat(status("/api/publish", body, "Authorization", "ApiKey " + key)).isEqualTo(200);
    assertThat(status("/api/publish?api_key=" + key, body)).isEqualTo(200);

    assertThat(status("/api/publish", body)).isEqualTo(401);
    assertThat(status("/api/publish?api_key=x", body)).isEqualTo(401);
    assertThat(status("/api/publish", body, "Authorization", "Bearer " + key)).isEqualTo(401);
    assertThat(status("/api/publish", body, "X-API-Key", "x", "Authorization", "apikey " + key))
        .isEqualTo(401);
    assertThat(status("/api", body, "X-API-Key", "")).isEqualTo(401);
    var refused = first.send("/api/publish", "POST", body, "X-API-Key", "x");
    assertThat(refused.body()).isEmpty();
  }

  private static int status(String path, String body, String... headers) throws Exception {
    return first.send(path, "POST", body, headers).statusCode();
  }

  @ParameterizedTest
  @CsvSource({"/api/publish", "/api/batch", "/api/info", "/api"})
  void anythingButPostIsNotAllowed(String path) throws Exception {
    for (String method : List.of("GET", "PUT")) {
      var response = first.send(path, method, "{}", "X-API-Key", Node.API_KEY);
      assertThat(response.statusCode()).isEqualTo(405);
      assertThat(response.headers().firstValue("Allow")).contains("POST");
      assertThat(response.body()).isEmpty();
    }
  }

  @Test
  void bodiesThatAreNoJsonObjectAreBadRequests() throws Exception {
    for (String body :
        List.of("", "{", "[]", "1", "{} {}", "{\"channel\":\"#a\",\"data\":01}", "\0")) {
      var response = first.post("/api/publish", body);
      assertThat(response.statusCode()).as(body).isEqualTo(400);
      assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("text/plain");
    }
    assertThat(first.post("/api", "").statusCode()).isEqualTo(400);
    assertThat(first.post("/api", "{\"method\":\"info\"}\n{").statusCode()).isEqualTo(400);
    assertThat(
            first
                .post("/api/publish", publish("large", "\"%s\"".formatted("x".repeat(3 << 20))))
                .statusCode())
        .isEqualTo(413);
    assertThat(first.post("/api/map_publish", "{}").statusCode()).isEqualTo(404);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "publish        | 107 | {}",
        "publish        | 107 | {'channel':'#a'}",
        "publish        | 107 | {'data':1}",
        "publish        | 107 | {'channel':1,'data':1}",
        "publish        | 107 | {'channel':'#\\ud800','data':1}",
        "publish        | 107 | {'channel':'#a','b64data':'!'}",
        "publish        | 107 | {'channel':'#a','b64data':'AAEC'}",
        "publish        | 107 | {'channel':'#a','data':1,'tags':{'a':1}}",
        "publish        | 107 | {'channel':'#a','data':1,'tags':{'id':'a'},'idempotency_key':'b'}",
        "publish        | 108 | {'channel':'#a','data':1,'version':3}",
        "publish        | 102 | {'channel':'news','data':1}",
        "publish        | 102 | {'channel':'#','data':1}",
        "publish        | 102 | {'channel':'#\\u0000','data':1}",
        "broadcast      | 107 | {'channels':[],'data':1}",
        "broadcast      | 107 | {'channels':['#a'],'b64data':'!'}",
        "disconnect     | 107 | {}",
        "disconnect     | 107 | {'user':'a','session':'s'}",
        "disconnect     | 107 | {'user':'a','disconnect':{'code':1000,'reason':'x'}}",
        "disconnect     | 107 | {'user':'a','disconnect':{'code':4000,'reason':'{}'}}",
        "refresh        | 107 | {'expire_at':1}",
        "refresh        | 107 | {'user':'a','expire_at':-1}",
        "subscribe      | 108 | {'user':'a','channel':'b'}",
        "unsubscribe    | 108 | {'user':'a','channel':'b'}",
        "presence_stats | 108 | {'channel':'#a'}",
        "history        | 108 | {'channel':'#a'}",
        "history_remove | 108 | {'channel':'#a'}",
        "channels       | 108 | {}",
        "rpc            | 107 | {}",
        "rpc            | 104 | {'method':'anything'}",
        "batch          | 107 | {'commands':1}",
      })
  void whatIsWrongHasItsCode(String method, int code, String body) throws Exception {
    JsonNode answer = call(first, method, body.replace('\'', '"'));
    assertThat(answer.at("/error/code").asInt()).as(answer.toString()).isEqualTo(code);
    assertThat(answer.at("/error/message").asText()).isNotEmpty();
    assertThat(answer.has("result")).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "publish | 400 | 107 | {}",
        "history | 400 | 108 | {}",
        "rpc     | 404 | 104 | {'method':'x'}",
        "info    | 200 | 0   | {}",
        "batch   | 200 | 0   | {'commands':[{'publish':{}}]}",
        "batch   | 400 | 107 | {'commands':1}",
      })
  void errorsAreStatusesForThoseWhoWantThat(String method, int status, int code, String body)
      throws Exception {
    var response =
        first.send(
            "/api/" + method,
            "POST",
            body.replace('\'', '"'),
            "X-API-Key",
            Node.API_KEY,
            "X-Centrifugo-Error-Mode",
            "transport");
    assertThat(response.statusCode()).isEqualTo(status);
    assertThat(JSON.readTree(response.body()).path("code").asInt()).isEqualTo(code);
  }

  @Test
  void anEventLargerThanKafkaTakesIsABadRequest() throws Exception {
    JsonNode answer =
        call(first, "publish", publish("large", "\"%s\"".formatted("x".repeat(1_100_000))));
    assertThat(answer.at("/error/code").asInt()).isEqualTo(107);
  }

  @Test
  void presenceOfManyUsersIsStillThere() throws Exception {
    JsonNode answer = call(first, "presence", "{\"users\":[\"nobody\"]}");
    assertThat(answer.path("users")).hasSize(1);
  }

  @Test
  void theDocumentNamesWhatIsServed() throws Exception {
    JsonNode document = JSON.readTree(first.api("/api/openapi/server.json").body());
    assertThat(document.path("paths").propertyStream().map(Map.Entry::getKey))
        .containsExactlyInAnyOrder(
            "/api/publish",
            "/api/broadcast",
            "/api/disconnect",
            "/api/refresh",
            "/api/info",
            "/api/batch",
            "/api/connection-url");
    for (var path : document.path("paths").properties()) {
      if (path.getValue().has("get")) {
        continue;
      }
      JsonNode example = path.getValue().at("/post/requestBody/content/application~1json/example");
      JsonNode answer = JSON.readTree(first.post(path.getKey(), example.toString()).body());
      assertThat(answer.has("result") || answer.has("replies")).as(path.getKey()).isTrue();
    }
    assertThat(first.send("/api/openapi/server.json", "GET", "").statusCode()).isEqualTo(401);
  }

  // Events.

  @Test
  void anEventIsAnsweredWithItsPlaceAndArrivesAsItWas() throws Exception {
    try (Tab tab = open(second, "reader")) {
      JsonNode one =
          call(
              first,
              "publish",
              """
              {"channel": "#reader", "tags": {"lang": "en", "event": "greeting", "id": "g-1"},
               "data": {"b" :\t1.0,
                        "a": "x\\ny\\u00e9é"}}
              """);
      String encoded = Base64.getEncoder().encodeToString("[1,\n2]".getBytes(UTF_8));
      JsonNode two =
          call(
              second,
              "publish",
              "{\"channel\":\"#reader\",\"data\":0,\"b64data\":\"%s\"}".formatted(encoded));
      call(second, "publish", publish("reader", "null"));
      await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
      assertThat(tab.received)
          .containsExactly("{\"b\" :\t1.0,          \"a\": \"x\\ny\\u00e9é\"}", "[1,\n2]", "null");
      assertThat(tab.tags.getFirst())
          .isEqualTo(Map.of("lang", "en", "event", "greeting", "id", "g-1"));
      assertThat(tab.offsets)
          .startsWith(one.at("/result/offset").asLong(), two.at("/result/offset").asLong());
      assertThat(one.at("/result/epoch").asText())
          .isNotEmpty()
          .isEqualTo(two.at("/result/epoch").asText());
    }
  }

  @Test
  void producersAndPublishersHaveOneOrder() throws Exception {
    int each = 200;
    String user = "shared";
    try (Tab one = open(first, user);
        Tab two = open(second, user)) {
      var producer = CompletableFuture.supplyAsync(() -> parts.pushNumbered(List.of(user), each));
      List<CompletableFuture<List<Long>>> publishers = new ArrayList<>();
      for (TestNode node : nodes) {
        String name = node == first ? "a" : "b";
        publishers.add(
            CompletableFuture.supplyAsync(
                () ->
                    IntStream.range(0, each)
                        .mapToObj(n -> offset(node, user, "\"" + name + n + "\""))
                        .toList()));
      }
      List<String> produced = producer.get(60, TimeUnit.SECONDS);
      await().atMost(PATIENCE).until(() -> one.received.size() == 3 * each);
      await().atMost(PATIENCE).until(() -> two.received.size() == 3 * each);
      assertThat(two.received).isEqualTo(one.received);
      assertThat(two.offsets).isEqualTo(one.offsets).isSorted();
      assertThat(one.received).containsSubsequence(produced);
      for (int i = 0; i < 2; i++) {
        String name = "\"" + (i == 0 ? "a" : "b");
        List<Long> offsets = publishers.get(i).get(60, TimeUnit.SECONDS);
        assertThat(
                IntStream.range(0, 3 * each)
                    .filter(n -> one.received.get(n).startsWith(name))
                    .mapToObj(n -> one.received.get(n) + "@" + one.offsets.get(n))
                    .toList())
            .isEqualTo(
                IntStream.range(0, each).mapToObj(n -> name + n + "\"@" + offsets.get(n)).toList());
      }
    }
  }

  private static long offset(TestNode node, String user, String data) {
    try {
      return call(node, "publish", publish(user, data)).at("/result/offset").asLong();
    } catch (Exception failure) {
      throw new AssertionError(failure);
    }
  }

  @Test
  void anIdempotencyKeyThatIsRepeatedIsDeliveredOnce() throws Exception {
    try (Tab tab = open(first, "twice")) {
      for (TestNode node : List.of(first, first, second)) {
        call(
            node,
            "publish",
            "{\"channel\":\"#twice\",\"data\":1,\"idempotency_key\":\"order-77\"}");
      }
      call(first, "publish", publish("twice", "2"));
      await().atMost(PATIENCE).until(() -> tab.received.contains("2"));
      assertThat(tab.received).containsExactly("1", "2");
      assertThat(tab.tags.getFirst()).containsEntry("id", "order-77");
    }
  }

  @Test
  void aBroadcastReachesAThousandUsers() throws Exception {
    List<Tab> tabs = new ArrayList<>();
    try {
      for (int i = 0; i < 1_000; i += 25) {
        tabs.add(open(nodes.get(tabs.size() % 2), "crowd-" + i));
      }
      String channels =
          IntStream.range(0, 1_000)
              .mapToObj(i -> "\"#crowd-" + i + "\"")
              .collect(Collectors.joining(","));
      JsonNode responses =
          call(
                  first,
                  "broadcast",
                  "{\"channels\":[%s,\"news\",\"\"],\"data\":{\"all\":true}}".formatted(channels))
              .at("/result/responses");
      assertThat(responses).hasSize(1_002);
      for (int i = 0; i < 1_000; i++) {
        assertThat(responses.get(i).at("/result/offset").asLong()).isPositive();
      }
      assertThat(responses.get(1_000).at("/error/code").asInt()).isEqualTo(102);
      assertThat(responses.get(1_001).at("/error/code").asInt()).isEqualTo(107);
      for (Tab tab : tabs) {
        await().atMost(PATIENCE).until(() -> !tab.received.isEmpty());
        assertThat(tab.received).containsExactly("{\"all\":true}");
      }
    } finally {
      tabs.forEach(Tab::close);
    }
  }

  // Sessions.

  @Test
  void allConnectionsOfAUserAreSentAwayOnWhicheverNode() throws Exception {
    try (Tab one = open(first, "leaver");
        Tab two = open(second, "leaver");
        Tab other = open(first, "stayer")) {
      assertThat(call(first, "disconnect", "{\"user\":\"leaver\"}").toString())
          .isEqualTo("{\"result\":{}}");
      assertThat(one.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3503);
      assertThat(two.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3503);
      assertThat(other.client.getState()).isEqualTo(ClientState.CONNECTED);
    }
  }

  @Test
  void someConnectionsOfAUserAreSentAwayWithACodeOfTheApplication() throws Exception {
    try (Tab one = open(first, "several");
        Tab two = open(second, "several");
        Tab three = open(second, "several")) {
      call(
          second,
          "disconnect",
          "{\"user\":\"several\",\"client\":\"%s\"}".formatted(one.connected.join()));
      assertThat(one.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3503);
      call(
          first,
          "disconnect",
          """
          {"user":"several","whitelist":["%s","not an id"],
           "disconnect":{"code":4501,"reason":"logged in elsewhere"}}
          """
              .formatted(three.connected.join()));
      assertThat(two.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(4501);
      for (String nobody : List.of(two.connected.join(), "0000000000000000", "not an id")) {
        var answer =
            call(first, "disconnect", "{\"user\":\"several\",\"client\":\"%s\"}".formatted(nobody));
        assertThat(answer.toString()).isEqualTo("{\"result\":{}}");
      }
      call(first, "publish", publish("several", "\"still here\""));
      await().atMost(PATIENCE).until(() -> three.received.contains("\"still here\""));
      assertThat(three.interruptions).hasValue(0);
    }
  }

  @Test
  void aCodeThatSaysComeBackMakesClientsComeBack() throws Exception {
    try (Tab tab = open(first, "returner")) {
      call(
          second,
          "disconnect",
          "{\"user\":\"returner\",\"disconnect\":{\"code\":4001,\"reason\":\"again\"}}");
      assertThat(tab.sentAwayWith.get(20, TimeUnit.SECONDS)).isEqualTo(4001);
      await().atMost(PATIENCE).until(tab::isConnected);
      call(second, "refresh", "{\"user\":\"returner\",\"expired\":true}");
      await().atMost(PATIENCE).until(() -> tab.interruptions.get() == 2);
      assertThat(tab.disconnected).isNotDone();
    }
  }

  @Test
  void theExpiryOfConnectionsIsMoved() throws Exception {
    try (Tab ending = open(first, "expiring");
        Tab staying = open(second, "expiring")) {
      long soon = Instant.now().getEpochSecond() + 1;
      call(first, "refresh", "{\"user\":\"expiring\",\"expire_at\":%d}".formatted(soon));
      call(
          first,
          "refresh",
          "{\"user\":\"expiring\",\"client\":\"%s\"}".formatted(staying.connected.join()));
      assertThat(ending.sentAwayWith.get(20, TimeUnit.SECONDS)).isEqualTo(3005);
      assertThat(Instant.now().getEpochSecond()).isGreaterThan(soon);
      await().atMost(PATIENCE).until(ending::isConnected);
      assertThat(staying.interruptions).hasValue(0);
    }
  }

  @Test
  void theNodesTellWhatTheyHave() throws Exception {
    List<Tab> tabs = new ArrayList<>();
    try {
      for (TestNode node : List.of(first, first, second)) {
        tabs.add(open(node, "counted"));
      }
      // Those of other tests are still leaving.
      await().atMost(PATIENCE).until(() -> counts().equals(List.of("1 user, 1", "1 user, 2")));
      for (JsonNode node : call(second, "info", "{}").at("/result/nodes")) {
        assertThat(node.path("name").asText()).startsWith("127.0.0.1:");
        assertThat(node.path("uid").asText()).startsWith(node.path("name").asText() + "#");
        assertThat(node.path("version").asText()).isNotEmpty();
        assertThat(node.path("num_channels")).isEqualTo(node.path("num_users"));
        assertThat(node.path("num_subs")).isEqualTo(node.path("num_clients"));
        assertThat(node.path("uptime").asLong()).isBetween(0L, 600L);
      }
    } finally {
      tabs.forEach(Tab::close);
    }
  }

  private static List<String> counts() throws Exception {
    List<String> counts = new ArrayList<>();
    for (JsonNode node : call(second, "info", "{}").at("/result/nodes")) {
      counts.add(node.path("num_users") + " user, " + node.path("num_clients"));
    }
    return counts.stream().sorted().toList();
  }

  // Many calls at once.

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void aBatchAnswersEveryCommandInItsPlace(boolean parallel) throws Exception {
    String user = "batched-" + parallel;
    try (Tab tab = open(first, user)) {
      JsonNode answer =
          call(
              first,
              "batch",
              """
              {"parallel":%s,"commands":[
                {"publish":{"channel":"#%s","data":1}},
                {"publish":{"channel":"#%s","data":2}},
                null,
                {"presence":{"channel":"#a"}},
                {"presence_stats":{"channel":"#a"}},
                {"something":{}},
                {"batch":{"commands":[]}},
                {"publish":{"data":2}},
                {"info":{}},
                {"refresh":{"user":"%s"}}
              ]}
              """
                  .formatted(parallel, user, user, user));
      JsonNode replies = answer.path("replies");
      assertThat(answer.has("result")).isFalse();
      assertThat(replies).hasSize(10);
      assertThat(replies.get(2).at("/error/code").asInt()).isEqualTo(107);
      assertThat(replies.get(3).at("/error/code").asInt()).isEqualTo(108);
      assertThat(replies.get(4).at("/error/code").asInt()).isEqualTo(108);
      assertThat(replies.get(5).at("/error/code").asInt()).isEqualTo(104);
      assertThat(replies.get(6).at("/error/code").asInt()).isEqualTo(104);
      assertThat(replies.get(7).at("/error/code").asInt()).isEqualTo(107);
      assertThat(replies.get(8).at("/info/nodes")).hasSize(2);
      assertThat(replies.get(9).toString()).isEqualTo("{\"refresh\":{}}");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
      assertThat(tab.offsets)
          .containsExactly(
              replies.get(0).at("/publish/offset").asLong(),
              replies.get(1).at("/publish/offset").asLong());
    }
    assertThat(call(first, "batch", "{}").toString()).isEqualTo("{\"replies\":[]}");
  }

  @Test
  void olderRequestsAreAnsweredOneByOne() throws Exception {
    try (Tab tab = open(second, "old")) {
      var response =
          first.send(
              "/api",
              "POST",
              """
              {"method":"publish","params":{"channel":"#old","data":1},"id":1}
              {"method":0,"params":{"channel":"#old","data":2},"id":2}{"method":"nothing","id":3}
              {"method":9}
              {"method":13}
              {"method":6,"params":{"channel":"#old"}}
              {"method":12,"params":{"user":"old"},"id":4}
              """,
              "Authorization",
              "apikey " + Node.API_KEY);
      assertThat(response.statusCode()).isEqualTo(200);
      List<JsonNode> replies = new ArrayList<>();
      for (String line : response.body().split("\n", -1)) {
        replies.add(JSON.readTree(line));
      }
      assertThat(replies).hasSize(7);
      assertThat(replies.get(0).path("id").asInt()).isEqualTo(1);
      assertThat(replies.get(1).at("/result/offset").asLong())
          .isGreaterThan(replies.get(0).at("/result/offset").asLong());
      assertThat(replies.get(2).path("id").asInt()).isEqualTo(3);
      assertThat(replies.get(2).at("/error/code").asInt()).isEqualTo(104);
      assertThat(replies.get(3).at("/result/nodes")).hasSize(2);
      assertThat(replies.get(3).has("id")).isFalse();
      assertThat(replies.get(4).at("/error/code").asInt()).isEqualTo(104);
      assertThat(replies.get(5).at("/error/code").asInt()).isEqualTo(108);
      assertThat(replies.get(6).toString()).isEqualTo("{\"id\":4,\"result\":{}}");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
    }
  }
}
