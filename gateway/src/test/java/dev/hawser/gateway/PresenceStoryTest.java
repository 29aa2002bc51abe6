package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What {@code SELECT * FROM watching_times} shows while stock clients come and go. */
class PresenceStoryTest {

  private static final String SETTINGS = "hawser.presence.linger = 500ms";

  private static Parts parts;

  @BeforeAll
  static void start() {
    parts = Parts.start();
  }

  @AfterAll
  static void stop() {
    parts.close();
  }

  @BeforeEach
  void emptyTheDatabase() {
    parts.postgreSql.createDatabase(Parts.DATABASE);
  }

  /** {@code user connections} of open rows, {@code user gone} of ended ones, oldest first. */
  private static List<String> watchingTimes() throws SQLException {
    List<String> rows = new ArrayList<>();
    try (var connection = DriverManager.getConnection(parts.postgreSql.jdbcUrl(Parts.DATABASE));
        var statement = connection.createStatement();
        var result =
            statement.executeQuery(
                """
                SELECT user_id || ' ' || CASE WHEN terminate_at IS NULL
                  THEN (SELECT sum(value::int) FROM jsonb_each_text(nodes))::text
                  ELSE 'gone' END
                FROM watching_times ORDER BY join_at, user_id
                """)) {
      while (result.next()) {
        rows.add(result.getString(1));
      }
    }
    return rows;
  }

  private static void assertRows(String... expected) {
    await()
        .atMost(Duration.ofMinutes(2))
        .untilAsserted(() -> assertThat(watchingTimes()).containsExactly(expected));
  }

  private static Tab open(TestNode node, Door door, String user) throws Exception {
    return Tab.open(node.url(door), Node.token(user)).awaitConnected();
  }

  @Test
  void twoUsersWithTwoTabs() throws Exception {
    TestNode node = TestNode.ready(parts, SETTINGS);
    try {
      Tab alice1 = open(node, Door.NETTY, "alice");
      assertRows("alice 1");
      Tab alice2 = open(node, Door.PEKKO_HTTP, "alice");
      assertRows("alice 2");
      Tab bob1 = open(node, Door.NETTY, "bob");
      assertRows("alice 2", "bob 1");
      assertThat(node.api("/api/presence/alice").body()).contains("\"online\":true", ":2}");
      alice1.close();
      assertRows("alice 1", "bob 1");
      Tab bob2 = open(node, Door.NETTY, "bob");
      assertRows("alice 1", "bob 2");

      // A reload: away for less than the linger.
      alice2.close();
      alice2 = open(node, Door.NETTY, "alice");
      Thread.sleep(1_000);
      assertRows("alice 1", "bob 2");

      alice2.close();
      assertRows("alice gone", "bob 2");
      assertThat(node.api("/api/presence/alice").body()).contains("\"online\":false", "lastSeen");
      Tab alice3 = open(node, Door.NETTY, "alice");
      assertRows("alice gone", "bob 2", "alice 1");

      bob1.close();
      bob2.close();
      assertRows("alice gone", "bob gone", "alice 1");
      assertThat(node.api("/api/online").body()).isEqualTo("{\"count\":1,\"users\":[\"alice\"]}");

      // The node goes: nobody is left behind, and the SDK is told to come back.
      node.close();
      assertRows("alice gone", "bob gone", "alice gone");
      assertThat(alice3.disconnected).isNotDone();
      alice3.close();
    } finally {
      node.close();
    }
  }

  @Test
  void whilePostgreSqlIsAwayClientsStayAndPresenceCatchesUp() throws Exception {
    TestNode node = TestNode.ready(parts, SETTINGS);
    try (Tab stays = open(node, Door.NETTY, "stays")) {
      assertThat(node.management("/ready").statusCode()).isEqualTo(200);
      parts.postgreSql.stop();
      try (Tab comes = open(node, Door.NETTY, "comes")) {
        await()
            .atMost(Duration.ofMinutes(2))
            .until(() -> node.metric("hawser_postgresql_reachable") == 0);
        // It is away from all nodes: no other would serve the clients better.
        assertThat(node.management("/ready").statusCode()).isEqualTo(200);
        var answer = node.api("/api/presence/stays");
        assertThat(answer.statusCode()).isEqualTo(503);
        assertThat(answer.headers().firstValue("Retry-After")).isPresent();
        parts.push("stays", "\"still here\"");
        await().until(() -> stays.received.contains("\"still here\""));
        parts.postgreSql.restart();
        await()
            .atMost(Duration.ofMinutes(2))
            .until(() -> node.api("/api/presence/comes").body().contains("\"online\":true"));
        assertThat(comes.disconnected).isNotDone();
      }
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> node.metric("hawser_postgresql_reachable") == 1);
      assertThat(node.api("/api/presence/stays").body()).contains("\"online\":true");
    } finally {
      node.close();
    }
  }

  @Test
  void aNodeThatStartsWithoutPostgreSqlWaitsForIt() throws Exception {
    parts.postgreSql.stop();
    TestNode node = TestNode.start(parts, SETTINGS);
    try {
      await()
          .atMost(Duration.ofMinutes(2))
          .ignoreExceptions()
          .untilAsserted(
              () ->
                  assertThat(node.management("/ready").body())
                      .contains("PostgreSQL is not reachable"));
      parts.postgreSql.restart();
      node.gateway.ready().toCompletableFuture().orTimeout(60, TimeUnit.SECONDS).join();
      open(node, Door.NETTY, "early").close();
    } finally {
      node.close();
    }
  }

  private static void awaitViewer(TestNode node, boolean idle) {
    await()
        .untilAsserted(
            () ->
                assertThat(node.api("/api/resources/lesson%207/viewers").body())
                    .contains("\"user\":\"alice\"", "\"idle\":" + idle));
  }

  /** What clients look at is in the table, in an answer, and told with the rest on Kafka. */
  @Test
  void whatUsersLookAtAndWhenTheyComeAndGoIsTold() throws Exception {
    TestNode node = TestNode.ready(parts, SETTINGS + "\nhawser.presence.events.enabled = on");
    try {
      Tab tab = open(node, Door.NETTY, "alice");
      call(tab, "viewing", "{\"resource\": \"lesson 7\"}");
      awaitViewer(node, false);
      call(tab, "idle", "{\"idle\": true}");
      awaitViewer(node, true);
      tab.close();
      List<String> told =
          parts.records("hawser.presence", 6).stream()
              .map(record -> new String(record.value(), UTF_8))
              .map(event -> event.replaceAll("\"(at|since|stay)\":[^,]*,", ""))
              .toList();
      assertThat(told)
          .containsExactlyInAnyOrder(
              "{\"event\":\"online\",\"user\":\"alice\",\"connections\":1}",
              "{\"event\":\"view-began\",\"user\":\"alice\",\"connections\":1,\"resource\":\"lesson 7\",\"idle\":false}",
              "{\"event\":\"view-ended\",\"user\":\"alice\",\"connections\":0,\"resource\":\"lesson 7\",\"idle\":false}",
              "{\"event\":\"view-began\",\"user\":\"alice\",\"connections\":1,\"resource\":\"lesson 7\",\"idle\":true}",
              "{\"event\":\"view-ended\",\"user\":\"alice\",\"connections\":0,\"resource\":\"lesson 7\",\"idle\":true}",
              "{\"event\":\"offline\",\"user\":\"alice\",\"connections\":0}");
      assertThat(told.getFirst()).contains("online");
    } finally {
      node.close();
    }
  }

  private static void call(Tab tab, String method, String data) throws Exception {
    var done = new CompletableFuture<@Nullable Throwable>();
    tab.client.rpc(method, data.getBytes(UTF_8), (failure, result) -> done.complete(failure));
    assertThat(done.get(20, TimeUnit.SECONDS)).isNull();
  }
}
