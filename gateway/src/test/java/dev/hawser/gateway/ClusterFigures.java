package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.IdleClients.Closed;
import dev.hawser.gateway.Node.Door;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Measures how long three nodes, processes of their own, take to form a cluster, to heal it, and to
 * be restarted, and how many clients have their session on their node. Not run by the build (its
 * name does not end with Test); {@code docs/cluster.md} has the command and the figures.
 */
class ClusterFigures {

  private static final Duration PATIENCE = Duration.ofSeconds(90);
  private static final Duration PAUSE = Duration.ofSeconds(30);

  private static final int NODES = 3;
  private static final int ROUNDS = 3;

  /** To see who is served where. */
  private static final int PLACED_CLIENTS = 300;

  /** Under push load. */
  private static final int USERS = 30;

  /** To each user, a second. */
  private static final int EVENTS = 10;

  /** On one node. */
  private static final int DRAINED_CLIENTS = 5_000;

  private static final Pattern SELF = Pattern.compile("\"selfNode\":\"([^\"]+)\"");
  private static final Pattern OLDEST = Pattern.compile("\"oldest\":\"([^\"]+)\"");

  private static final Path LOGS = Path.of("target", "figures");

  private final Parts parts = Parts.start();
  private List<NodeProcess> nodes = List.of();

  @Test
  void measure() throws Exception {
    try {
      System.out.println("| what | median | range | rounds |\n| --- | --- | --- | --- |");
      forming();
      settle();
      coLocation();
      kill();
      pause();
      drain();
      rollingRestart();
    } finally {
      nodes.forEach(NodeProcess::close);
      parts.close();
    }
  }

  /** Leaves the cluster of the last round running. */
  private void forming() throws Exception {
    List<Double> ready = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      for (NodeProcess node : nodes) {
        node.terminate();
      }
      Path logs = LOGS.resolve("round" + round);
      Files.createDirectories(logs);
      long begin = System.nanoTime();
      nodes = NodeProcess.startCluster(parts, NODES, logs);
      nodes.forEach(NodeProcess::awaitReady);
      ready.add(secondsSince(begin));
    }
    row("three nodes launched at once, until all are ready", "s", ready);
  }

  private void coLocation() throws Exception {
    List<Double> anywhere = new ArrayList<>();
    List<Double> asTold = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      List<String> users = users("placed-" + round, PLACED_CLIENTS);
      List<String> clients = new ArrayList<>();
      for (int i = 0; i < users.size(); i++) {
        clients.add(IdleClients.client(nodes.get(i % NODES).webSocketPort, users.get(i)));
      }
      anywhere.add(localShare(clients));
      clients.clear();
      for (String user : users) {
        int port = URI.create(nodes.getFirst().connectionUrl(user)).getPort();
        clients.add(IdleClients.client(port, user));
      }
      asTold.add(localShare(clients));
    }
    row("clients whose session is on their node, nodes in turns", "%", anywhere);
    row("the same, each where connection-url sends it", "%", asTold);
  }

  private double localShare(List<String> clients) throws Exception {
    double share;
    try (var _ = IdleClients.open(clients.stream())) {
      assertThat(sum("hawser_connections")).isEqualTo(clients.size());
      share = sum("hawser_connections_local") / clients.size();
    }
    await().atMost(PATIENCE).until(() -> sum("hawser_connections") == 0);
    return share * 100;
  }

  private double sum(String metric) throws Exception {
    double sum = 0;
    for (NodeProcess node : nodes) {
      sum += node.metric(metric);
    }
    return sum;
  }

  private void kill() throws Exception {
    List<Double> oldest = new ArrayList<>();
    List<Double> others = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      oldest.add(killOne(oldest(), "oldest-" + round));
      others.add(killOne(nodes.get((nodes.indexOf(oldest()) + 1) % NODES), "other-" + round));
    }
    row("kill -9 of the oldest node, until events arrive again", "s", oldest);
    row("the same of another node", "s", others);
  }

  private double killOne(NodeProcess victim, String prefix) throws Exception {
    double silence;
    try (var load = loadOn(victim, prefix)) {
      victim.kill();
      load.awaitEvents();
      silence = load.silence();
    }
    victim.startAgain();
    settle();
    return silence;
  }

  private void pause() throws Exception {
    List<Double> silences = new ArrayList<>();
    List<Double> returns = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      NodeProcess victim = nodes.get(round);
      int logged = victim.log().length();
      try (var load = loadOn(victim, "pause-" + round)) {
        long begin = System.nanoTime();
        victim.pause();
        load.awaitEvents();
        silences.add(load.silence());
        TimeUnit.NANOSECONDS.sleep(begin + PAUSE.toNanos() - System.nanoTime());
        begin = System.nanoTime();
        victim.goOn();
        await()
            .atMost(PATIENCE)
            .until(() -> victim.log().substring(logged).contains("it starts anew"));
        victim.awaitReady();
        returns.add(secondsSince(begin));
      }
      settle();
    }
    row("SIGSTOP until events arrive again", "s", silences);
    row("SIGCONT after 30 s until the node is ready as a new one", "s", returns);
  }

  private void drain() throws Exception {
    List<Double> firsts = new ArrayList<>();
    List<Double> lasts = new ArrayList<>();
    List<Double> ends = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      NodeProcess node = nodes.get(round);
      List<String> users = users("drain-" + round, DRAINED_CLIENTS);
      try (var clients =
          IdleClients.open(
              users.stream().map(user -> IdleClients.client(node.webSocketPort, user)))) {
        long begin = System.currentTimeMillis();
        node.terminate();
        ends.add((System.currentTimeMillis() - begin) / 1e3);
        List<Closed> closed = clients.awaitClosed(DRAINED_CLIENTS);
        assertThat(closed).allMatch(client -> client.code() == 3001);
        var times = closed.stream().mapToLong(Closed::at).summaryStatistics();
        firsts.add((times.getMin() - begin) / 1e3);
        lasts.add((times.getMax() - begin) / 1e3);
      }
      node.startAgain();
      settle();
    }
    row("SIGTERM with 5,000 clients until the first is told", "s", firsts);
    row("until the last is told", "s", lasts);
    row("until the process has ended", "s", ends);
  }

  private void rollingRestart() throws Exception {
    List<Double> times = new ArrayList<>();
    List<Double> silences = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      List<String> users = users("rolling-" + round, USERS);
      try (var balancer = new Balancer(nodes);
          var load = new Load(parts, users, List.of(balancer.url()))) {
        long begin = System.nanoTime();
        for (NodeProcess node : nodes) {
          node.terminate();
          node.startAgain();
          node.awaitReady();
        }
        times.add(secondsSince(begin));
        load.awaitEvents();
        silences.add(load.silence());
      }
      settle();
    }
    row("rolling restart of three nodes", "s", times);
    row("longest that a client got no event meanwhile", "s", silences);
  }

  /** Of users whose session is on a node, and whose socket is on another one. */
  private Load loadOn(NodeProcess node, String prefix) throws Exception {
    List<String> users = new ArrayList<>();
    for (int i = 0; users.size() < USERS; i++) {
      String user = prefix + "-" + i;
      if (node.connectionUrl(user).equals(node.url(Door.NETTY))) {
        users.add(user);
      }
    }
    return new Load(
        parts,
        users,
        nodes.stream().filter(other -> other != node).map(other -> other.url(Door.NETTY)).toList());
  }

  /** A tab of each user, at the URLs in turns, and a steady stream of events. */
  private static final class Load implements AutoCloseable {

    private final List<Tab> tabs = new ArrayList<>();
    private final Pushes pushes;

    Load(Parts parts, List<String> users, List<String> urls) throws Exception {
      for (int i = 0; i < users.size(); i++) {
        tabs.add(Tab.open(urls.get(i % urls.size()), Node.token(users.get(i))).awaitConnected());
      }
      pushes = new Pushes(parts, users, EVENTS);
      awaitEvents();
    }

    /** Of two seconds: more than can be on their way when their source ends. */
    void awaitEvents() {
      List<Integer> before = tabs.stream().map(tab -> tab.received.size()).toList();
      for (int i = 0; i < tabs.size(); i++) {
        Tab tab = tabs.get(i);
        int expected = before.get(i) + 2 * EVENTS;
        await().atMost(PATIENCE).until(() -> tab.received.size() >= expected);
      }
    }

    /** The longest of all clients, in seconds. */
    double silence() {
      return tabs.stream().mapToLong(tab -> tab.silence().toMillis()).max().orElseThrow() / 1e3;
    }

    @Override
    public void close() {
      pushes.close();
      // Each takes a while.
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        tabs.forEach(tab -> threads.execute(tab::close));
      }
    }
  }

  /** Waits until all nodes are ready, and agree on who has which part of the users. */
  private void settle() {
    nodes.forEach(NodeProcess::awaitReady);
    await()
        .atMost(PATIENCE)
        .ignoreExceptions() // While a shard moves nobody has it.
        .until(
            () -> {
              Set<List<String>> places = new HashSet<>();
              for (NodeProcess node : nodes) {
                List<String> urls = new ArrayList<>();
                for (String user : users("anybody", 64)) {
                  urls.add(node.connectionUrl(user));
                }
                places.add(urls);
              }
              return places.size() == 1 && new HashSet<>(places.iterator().next()).size() == NODES;
            });
  }

  /** It places the shards, for all. */
  private NodeProcess oldest() throws Exception {
    for (NodeProcess node : nodes) {
      String members = node.management("/cluster/members").body();
      if (find(SELF, members).equals(find(OLDEST, members))) {
        return node;
      }
    }
    throw new AssertionError("no node is the oldest");
  }

  private static String find(Pattern pattern, String text) {
    var matcher = pattern.matcher(text);
    assertThat(matcher.find()).as(text).isTrue();
    return matcher.group(1);
  }

  private static List<String> users(String prefix, int count) {
    return IntStream.range(0, count).mapToObj(i -> prefix + "-" + i).toList();
  }

  private static double secondsSince(long begin) {
    return (System.nanoTime() - begin) / 1e9;
  }

  private static void row(String what, String unit, List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    System.out.printf(
        Locale.ROOT,
        "| %s | %.1f %s | %.1f to %.1f | %d |%n",
        what,
        sorted.get(sorted.size() / 2),
        unit,
        sorted.getFirst(),
        sorted.getLast(),
        sorted.size());
  }
}
