package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import dev.hawser.protocol.event.EventHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three nodes in one process: sessions follow partitions, clients follow sessions or do not. */
@Tag("alone")
class ClusterTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  /** Clients a second, of each door. */
  private static final String SLOW_DRAIN = "hawser.drain.rate = 10";

  private static Parts parts;
  private static List<TestNode> nodes;

  @BeforeAll
  static void start() throws Exception {
    parts = Parts.start();
    nodes = new ArrayList<>(TestNode.startCluster(parts, Collections.nCopies(3, SLOW_DRAIN)));
    for (TestNode node : nodes) {
      node.awaitReady();
    }
    await().atMost(PATIENCE).until(() -> places().size() == 3);
  }

  @AfterAll
  static void stop() {
    nodes.forEach(TestNode::close);
    parts.close();
  }

  private static List<String> users(String prefix, int count) {
    return IntStream.range(0, count).mapToObj(i -> prefix + "-" + i).toList();
  }

  /** Addresses that connection-url names, the same on all nodes. */
  private static Set<String> places() throws Exception {
    Set<String> urls = new HashSet<>();
    for (String user : users("place", 64)) {
      urls.add(nodes.getFirst().connectionUrl(user));
    }
    return urls;
  }

  @Test
  void everyNodeNamesTheSameNodeForAUser() throws Exception {
    for (String user : users("anybody", 20)) {
      Set<String> urls = new HashSet<>();
      for (TestNode node : nodes) {
        urls.add(node.connectionUrl(user));
      }
      assertThat(urls).hasSize(1).first().asString().startsWith("ws://127.0.0.1:");
    }
  }

  @Test
  void whoGoesWhereItIsToldHasItsSessionThere() throws Exception {
    List<Tab> tabs = new ArrayList<>();
    double before = local();
    try {
      for (String user : users("local", 30)) {
        String url = nodes.getFirst().connectionUrl(user);
        tabs.add(Tab.open(url, Node.token(user)).awaitConnected());
      }
      assertThat(local() - before).isEqualTo(30);
    } finally {
      tabs.forEach(Tab::close);
    }
  }

  private static double local() throws Exception {
    double local = 0;
    for (TestNode node : nodes) {
      local += node.metric("hawser_connections_local");
    }
    return local;
  }

  @Test
  void tabsOnEveryNodeGetEachEventOnceAndInOrder() throws Exception {
    List<String> users = users("everywhere", 12);
    Map<Tab, String> tabs = new HashMap<>();
    try {
      for (String user : users) {
        for (TestNode node : nodes) {
          for (Door door : Door.values()) {
            tabs.put(Tab.open(node.url(door), Node.token(user)).awaitConnected(), user);
          }
        }
      }
      List<String> expected = parts.pushNumbered(users, 100);
      for (Tab tab : tabs.keySet()) {
        await().atMost(PATIENCE).until(() -> tab.received.size() >= expected.size());
        assertThat(tab.received).isEqualTo(expected);
      }
    } finally {
      tabs.keySet().forEach(Tab::close);
    }
  }

  @Test
  void anEventInAnotherPartitionThanItsUsersArrives() throws Exception {
    try (Tab tab = Tab.open(nodes.getFirst().url(Door.NETTY), Node.token("misrouted"))) {
      tab.awaitConnected();
      for (int partition = 0; partition < Parts.PARTITIONS; partition++) {
        var record =
            new ProducerRecord<>(
                "hawser.events",
                partition,
                null,
                "x".getBytes(UTF_8),
                ("" + partition).getBytes(UTF_8));
        record.headers().add(EventHeaders.USER, "misrouted".getBytes(UTF_8));
        parts.push(record);
      }
      await()
          .atMost(PATIENCE)
          .untilAsserted(
              () -> assertThat(tab.received).containsExactlyInAnyOrder("0", "1", "2", "3"));
      double misrouted = 0;
      for (TestNode node : nodes) {
        misrouted += node.metric("hawser_events_total{to=\"other-partition\"}");
      }
      assertThat(misrouted).isEqualTo(Parts.PARTITIONS - 1);
    }
  }

  @Test
  void whoIsSentAwayIsToldOfANodeThatStays() throws Exception {
    String leaving = nodes.get(2).url(Door.NETTY);
    List<String> users = new ArrayList<>();
    for (String user : users("leaving", 400)) {
      if (users.size() < 50 && nodes.get(2).connectionUrl(user).equals(leaving)) {
        users.add(user);
      }
    }
    assertThat(users).hasSize(50);
    List<Tab> tabs = new ArrayList<>();
    try {
      for (String user : users) {
        tabs.add(Tab.open(leaving, Node.token(user)).awaitConnected());
      }
      var stopped = nodes.get(2).gateway.stop();
      CompletableFuture.anyOf(
              tabs.stream().map(tab -> tab.sentAwayAt).toArray(CompletableFuture<?>[]::new))
          .get(20, TimeUnit.SECONDS);
      // It has its partitions until the last client is told, some seconds later.
      for (TestNode asked : nodes.subList(0, 2)) {
        await()
            .atMost(Duration.ofMillis(500))
            .until(() -> !asked.connectionUrl(users.getFirst()).equals(leaving));
        for (String user : users.subList(0, 10)) {
          assertThat(asked.connectionUrl(user)).isNotEqualTo(leaving);
        }
      }
      assertThat(tabs).anyMatch(tab -> !tab.sentAwayAt.isDone());
      try (Tab tab =
          Tab.open(
              nodes.getFirst().connectionUrl(users.getFirst()), Node.token(users.getFirst()))) {
        tab.awaitConnected();
      }
      stopped.toCompletableFuture().get(60, TimeUnit.SECONDS);
    } finally {
      tabs.forEach(Tab::close);
      restart(2);
    }
  }

  @Test
  void aRollingRestartLosesNothingAndRepeatsNothing() throws Exception {
    List<String> users = users("rolling", 24);
    List<Tab> tabs = new ArrayList<>();
    List<String> doors = nodes.stream().map(node -> node.url(Door.NETTY)).toList();
    try {
      for (int i = 0; i < users.size(); i++) {
        // A balancer would take them elsewhere; these wait until their node is back.
        tabs.add(Tab.open(doors.get(i % 3), Node.token(users.get(i))).awaitConnected());
      }
      try (var pushes = new Pushes(parts, users, 10)) {
        for (int i = 0; i < 3; i++) {
          restart(i);
        }
        pushes.stop();
        for (int i = 0; i < users.size(); i++) {
          Tab tab = tabs.get(i);
          List<String> expected = pushes.of(users.get(i));
          await()
              .atMost(PATIENCE)
              .untilAsserted(
                  () -> assertThat(tab.received).hasSizeGreaterThanOrEqualTo(expected.size()));
          assertThat(tab.received).as(users.get(i)).isEqualTo(expected);
        }
      }
    } finally {
      tabs.forEach(Tab::close);
    }
  }

  private static void restart(int i) throws Exception {
    TestNode old = nodes.get(i);
    old.close();
    var contactPoints = nodes.stream().map(node -> node.managementPort).toList();
    nodes.set(i, old.startAgain(parts, Node.cluster(contactPoints) + SLOW_DRAIN).awaitReady());
  }
}
