package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Three nodes in processes of their own, behind a balancer: they are killed, paused, stopped and
 * restarted while events are pushed to stock clients.
 */
@Tag("alone")
class ChaosTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final Duration PRESENCE_IS_RIGHT = Duration.ofSeconds(15);

  private static final int USERS = 24;
  private static final int TABS = 2;

  /** To each user, a second. */
  private static final int EVENTS = 5;

  /** Which node it hits: any, but the same again with -Dchaos.seed=…. */
  private static final long SEED = Long.getLong("chaos.seed", System.nanoTime());

  private static final Random RANDOM = new Random(SEED);

  /** What nodes say is kept for whoever looks into a failure. */
  private static final Path LOGS = Path.of("target", "chaos");

  private static Parts parts;
  private static List<NodeProcess> nodes;
  private static Balancer balancer;
  private static final Map<String, List<Tab>> quiet = new HashMap<>();

  private interface Disturbance {
    void run() throws Exception;
  }

  private static NodeProcess anyNode() {
    int node = RANDOM.nextInt(nodes.size());
    System.out.printf("node %d, by -Dchaos.seed=%d%n", node, SEED);
    return nodes.get(node);
  }

  @BeforeAll
  static void start() throws Exception {
    Files.createDirectories(LOGS);
    parts = Parts.start();
    nodes = NodeProcess.startCluster(parts, 3, LOGS);
    nodes.forEach(NodeProcess::awaitReady);
    balancer = new Balancer(nodes);
    openQuietTabs();
  }

  /** Users who never get anything: that they missed nothing has to be known, too. */
  private static void openQuietTabs() throws Exception {
    for (int i = 0; i < USERS; i++) {
      String user = "quiet-" + i;
      quiet.put(user, List.of(Tab.open(balancer.url(), Node.token(user)).awaitConnected()));
    }
  }

  /** One event each, and nobody was told that something might be missing. */
  private static void verifyQuietTabs() throws Exception {
    for (var entry : quiet.entrySet()) {
      parts.push(entry.getKey(), "\"at last\"");
    }
    quiet.forEach(
        (user, own) -> {
          Tab tab = own.getFirst();
          await().atMost(PATIENCE).until(() -> !tab.received.isEmpty());
          assertThat(tab.received).containsExactly("\"at last\"");
          assertThat(tab.recoveries).as(user).doesNotContain(false);
          tab.close();
        });
  }

  @AfterAll
  static void stop() throws Exception {
    verifyQuietTabs();
    balancer.close();
    for (NodeProcess node : nodes) {
      node.close();
    }
    parts.close();
  }

  @Test
  void aNodeIsKilled() throws Exception {
    underLoad(
        "kill -9",
        () -> {
          NodeProcess killed = anyNode();
          killed.kill();
          // Its users are elsewhere, and it has left no ghosts, before it is back.
          awaitPresence("kill -9");
          killed.startAgain();
        });
  }

  @Test
  void aNodeIsPaused() throws Exception {
    NodeProcess paused = anyNode();
    underLoad(
        "SIGSTOP for 30 s",
        () -> {
          paused.pause();
          Thread.sleep(Duration.ofSeconds(30));
          paused.goOn();
          await().atMost(PATIENCE).until(() -> !paused.isReady());
        });
    assertThat(paused.log()).contains("it starts anew");
  }

  @Test
  void aNodeIsStopped() throws Exception {
    underLoad(
        "SIGTERM",
        () -> {
          NodeProcess stopped = anyNode();
          stopped.terminate();
          awaitPresence("SIGTERM");
          stopped.startAgain();
        });
  }

  @Test
  void allNodesAreRestartedInTurns() throws Exception {
    underLoad(
        "rolling restart",
        () -> {
          for (NodeProcess node : nodes) {
            node.terminate();
            node.startAgain();
            node.awaitReady();
          }
        });
  }

  private final Map<String, List<Tab>> tabs = new HashMap<>();

  private void underLoad(String what, Disturbance disturbance) throws Exception {
    List<String> users =
        IntStream.range(0, USERS).mapToObj(i -> what.replace(' ', '-') + "-" + i).toList();
    try {
      for (String user : users) {
        tabs.put(user, new ArrayList<>());
        for (int i = 0; i < TABS; i++) {
          tabs.get(user).add(Tab.open(balancer.url(), Node.token(user)).awaitConnected());
        }
      }
      awaitPresence("the start");
      try (var pushes = new Pushes(parts, users, EVENTS)) {
        awaitReceived(user -> 3 * EVENTS);
        long begin = System.nanoTime();
        disturbance.run();
        nodes.forEach(NodeProcess::awaitReady);
        await().atMost(PATIENCE).until(() -> all().stream().allMatch(Tab::isConnected));
        awaitPresence(what);
        pushes.stop();
        System.out.printf(
            Locale.ROOT,
            "%s: over after %.1f s; longest silence %s s for clients that stayed, %s s for others%n",
            what,
            (System.nanoTime() - begin) / 1e9,
            silence(0),
            silence(1));
        verify(what, pushes);
      }
    } finally {
      all().forEach(Tab::close);
    }
  }

  private List<Tab> all() {
    return tabs.values().stream().flatMap(List::stream).toList();
  }

  /** Of the clients whose connection was never interrupted, or of the others. */
  private String silence(int interruptions) {
    return all().stream()
        .filter(tab -> Math.min(tab.interruptions.get(), 1) == interruptions)
        .map(Tab::silence)
        .max(Comparator.naturalOrder())
        .map(longest -> String.format(Locale.ROOT, "%.1f", longest.toMillis() / 1_000.0))
        .orElse("-");
  }

  private void awaitReceived(java.util.function.ToIntFunction<String> expected) {
    tabs.forEach(
        (user, own) -> {
          for (Tab tab : own) {
            await().atMost(PATIENCE).until(() -> tab.received.size() >= expected.applyAsInt(user));
          }
        });
  }

  /** Every client has every event once and in order. */
  private void verify(String what, Pushes pushes) {
    int lost = 0;
    int doubled = 0;
    int events = 0;
    for (var entry : tabs.entrySet()) {
      List<String> expected = pushes.of(entry.getKey());
      for (Tab tab : entry.getValue()) {
        await().atMost(PATIENCE).until(() -> tab.received.contains(expected.getLast()));
        var distinct = new HashSet<>(tab.received);
        events += expected.size();
        lost += expected.size() - distinct.size();
        doubled += tab.received.size() - distinct.size();
      }
    }
    System.out.printf("%s: of %,d events %d are lost, %d doubled%n", what, events, lost, doubled);
    tabs.forEach(
        (user, own) ->
            assertThat(own)
                .allSatisfy(tab -> assertThat(tab.received).as(user).isEqualTo(pushes.of(user))));
  }

  /** Every user has one open row with all its connections, and nobody else has one. */
  private void awaitPresence(String after) {
    Map<String, Integer> open =
        Stream.of(tabs, quiet)
            .flatMap(map -> map.entrySet().stream())
            .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().size()));
    await("presence is right after " + after)
        .atMost(PRESENCE_IS_RIGHT)
        .untilAsserted(() -> assertThat(connectionsInSql()).isEqualTo(open));
  }

  /** Those with an open row. */
  private static Map<String, Integer> connectionsInSql() throws SQLException {
    Map<String, Integer> connections = new HashMap<>();
    try (var database = DriverManager.getConnection(parts.postgreSql.jdbcUrl(Parts.DATABASE));
        var statement = database.createStatement();
        var rows =
            statement.executeQuery(
                """
                SELECT user_id, (SELECT sum(value::int) FROM jsonb_each_text(nodes))
                FROM watching_times WHERE terminate_at IS NULL
                """)) {
      while (rows.next()) {
        connections.put(rows.getString(1), rows.getInt(2));
      }
    }
    return connections;
  }
}
