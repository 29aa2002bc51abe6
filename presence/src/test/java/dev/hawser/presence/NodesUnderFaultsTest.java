package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Nodes in processes of their own under churn, while they are killed and paused and PostgreSQL is
 * restarted; the model's own books are the judge. Each user's time online has to be right to within
 * one heartbeat, and so has the time of looking at something; and every stay is told on Kafka once.
 * For longer, and otherwise: {@code -Dhawser.presence.faults.seconds=300
 * -Dhawser.presence.faults.seed=5 -Dhawser.presence.faults.rate=200}.
 */
@Tag("alone")
class NodesUnderFaultsTest {

  private static final int NODES = 3;
  private static final long HEARTBEAT = 1_000;
  private static final long NODE_TIMEOUT = 4_000;
  private static final long LINGER = 500;

  /** A busy machine lets the node or the heartbeat wait. */
  private static final long SLACK = 500;

  private static final long TOLERANCE = HEARTBEAT + SLACK;

  /** From a node's last heartbeat until its users are gone: who comes back meanwhile stayed. */
  private static final long REMOVAL = NODE_TIMEOUT + 2 * HEARTBEAT + SLACK;

  private static final int SECONDS = Integer.getInteger("hawser.presence.faults.seconds", 25);
  private static final long SEED = Long.getLong("hawser.presence.faults.seed", 1);
  private static final int RATE = Integer.getInteger("hawser.presence.faults.rate", 60);

  private enum Fault {
    KILL,
    SHORT_PAUSE,
    LONG_PAUSE,
    RESTART_POSTGRESQL
  }

  /**
   * A user had connections to a node.
   *
   * @param latestEnd may be taken for the end: the node died within the linger
   * @param crashed ended with the node
   */
  private record Term(int node, long begin, long end, long latestEnd, boolean crashed) {}

  private record Span(long begin, long end) {}

  /** What is true. All under its lock. */
  private static final class Books {
    final Map<String, List<Integer>> connections = new HashMap<>();
    final Map<String, Map<Integer, Long>> begins = new HashMap<>();
    final Map<String, List<Term>> terms = new HashMap<>();
    final Set<Integer> closedNodes = new HashSet<>();

    void connected(String user, int node) {
      connections.computeIfAbsent(user, key -> new ArrayList<>()).add(node);
      begins
          .computeIfAbsent(user, key -> new HashMap<>())
          .putIfAbsent(node, System.currentTimeMillis());
    }

    void disconnected(String user, int node) {
      List<Integer> left = connections.getOrDefault(user, new ArrayList<>());
      left.remove((Integer) node);
      if (!left.contains(node)) {
        end(user, node, System.currentTimeMillis(), false);
      }
    }

    /** The node, and with it all its connections, ended. */
    void ended(int node, long at) {
      terms.values().forEach(all -> all.replaceAll(term -> lingered(term, node, at)));
      connections.forEach(
          (user, nodes) -> {
            if (nodes.removeAll(List.of(node))) {
              end(user, node, at, true);
            }
          });
    }

    private static Term lingered(Term term, int node, long at) {
      return term.node() == node && term.end() > at - LINGER - SLACK && term.end() < at
          ? new Term(node, term.begin(), term.end(), at, true)
          : term;
    }

    private void end(String user, int node, long at, boolean crashed) {
      Long begin = begins.getOrDefault(user, new HashMap<>()).remove(node);
      if (begin != null && begin < at) {
        terms
            .computeIfAbsent(user, key -> new ArrayList<>())
            .add(new Term(node, begin, at, at, crashed));
      }
    }
  }

  private final Books books = new Books();
  private final Random random = new Random(SEED);
  private final NodeProcess[] nodes = new NodeProcess[NODES];
  private final long[] pausedAt = new long[NODES];
  private volatile boolean churning = true;

  @Test
  void everybodysTimeIsRight() throws Exception {
    System.out.printf("seed %d%n", SEED);
    try (var server = EmbeddedPostgreSql.start();
        var kafka = PresenceEvents.kafka()) {
      var database = new TestDatabase(server, "presence");
      for (int node = 0; node < NODES; node++) {
        start(database, kafka, node);
      }
      Thread churn = Thread.ofPlatform().start(this::churn);
      long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
      Deque<Fault> faults = new ArrayDeque<>();
      while (System.nanoTime() < end) {
        if (faults.isEmpty()) {
          List<Fault> next = new ArrayList<>(List.of(Fault.values()));
          Collections.shuffle(next, random);
          faults.addAll(next);
        }
        inject(faults.remove(), random.nextInt(NODES), server, kafka, database);
        Thread.sleep(random.nextInt(1_500));
        assertThat(database.violations()).isEmpty();
      }
      churning = false;
      churn.join();
      // What killed nodes left behind is removed by the others.
      await()
          .atMost(Duration.ofMinutes(2))
          .until(
              () ->
                  database
                      .rows(
                          "SELECT count(*) FILTER (WHERE left_at IS NULL),"
                              + " count(*) FILTER (WHERE left_at IS NOT NULL AND removed_at IS NULL)"
                              + " FROM gateway_nodes")
                      .equals(List.of(NODES + "|0")));
      for (int node = 0; node < NODES; node++) {
        synchronized (books) {
          books.ended(node, System.currentTimeMillis());
        }
        nodes[node].stop();
      }
      assertThat(database.violations()).isEmpty();
      assertThat(database.rows("SELECT * FROM watching_times WHERE terminate_at IS NULL"))
          .isEmpty();
      judge(database, "presence_stays");
      judge(database, "viewing_stays");
      // What the last nodes left behind when they stopped is told by the next one that starts.
      start(database, kafka, 0);
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> database.rows("SELECT * FROM presence_events").isEmpty());
      nodes[0].stop();
      PresenceEvents.assertTold(kafka, database);
    } finally {
      churning = false;
      for (NodeProcess node : nodes) {
        if (node != null) {
          node.kill();
        }
      }
    }
  }

  private void start(TestDatabase database, EmbeddedKafka kafka, int node) throws Exception {
    var process =
        new NodeProcess(
            database.configuration(
                "linger = %dms, heartbeat-interval = %dms, node-timeout = %dms, events %s"
                    .formatted(
                        LINGER,
                        HEARTBEAT,
                        NODE_TIMEOUT,
                        PresenceEvents.settings(kafka, PresenceEvents.TOPIC))),
            "10.0.0.%d:7355".formatted(node));
    process.onLost(
        lost -> {
          synchronized (books) {
            // Not paused: the machine was so busy that the others took it for dead.
            books.ended(node, pausedAt[node] != 0 ? pausedAt[node] : lastSeen(database, node));
            lost.forgetClients();
          }
        });
    process.awaitRegistered();
    nodes[node] = process;
  }

  private long lastSeen(TestDatabase database, int node) {
    return Long.parseLong(
        database
            .rows(
                "SELECT (extract(epoch FROM max(last_seen_at)) * 1000)::bigint FROM gateway_nodes"
                    + " WHERE left_at IS NOT NULL AND node = '10.0.0.%d:7355'".formatted(node))
            .getFirst());
  }

  /** Users come and go, on all nodes that are there, with up to three connections. */
  private void churn() {
    var choice = new Random(SEED + 1);
    int users = 3 * RATE;
    long next = System.nanoTime();
    while (churning) {
      next += 1_000_000_000L / RATE;
      long wait = next - System.nanoTime();
      if (wait > 0) {
        LockSupport.parkNanos(wait);
      }
      synchronized (books) {
        String user = "user-" + choice.nextInt(users);
        int node = choice.nextInt(NODES);
        List<Integer> connections = books.connections.getOrDefault(user, List.of());
        if (!connections.isEmpty() && choice.nextInt(3) < connections.size()) {
          node = connections.get(choice.nextInt(connections.size()));
          if (!books.closedNodes.contains(node)) {
            nodes[node].disconnected(user);
            books.disconnected(user, node);
          }
        } else if (!books.closedNodes.contains(node)) {
          nodes[node].connected(user);
          books.connected(user, node);
        }
      }
    }
  }

  private void inject(
      Fault fault, int node, EmbeddedPostgreSql server, EmbeddedKafka kafka, TestDatabase database)
      throws Exception {
    System.out.printf("%s %d%n", fault, node);
    switch (fault) {
      case KILL -> {
        synchronized (books) {
          books.closedNodes.add(node);
          nodes[node].kill();
          books.ended(node, System.currentTimeMillis());
        }
        Thread.sleep(random.nextInt(3_000));
        start(database, kafka, node);
        reopen(node);
      }
      case SHORT_PAUSE -> pause(node, HEARTBEAT + random.nextLong(HEARTBEAT));
      case LONG_PAUSE -> pause(node, 2 * NODE_TIMEOUT);
      case RESTART_POSTGRESQL -> {
        server.stop();
        Thread.sleep(random.nextInt(2_000));
        server.restart();
        Thread.sleep(2 * HEARTBEAT);
      }
    }
  }

  private void pause(int node, long millis) throws Exception {
    synchronized (books) {
      books.closedNodes.add(node);
      pausedAt[node] = System.currentTimeMillis();
      nodes[node].signal("STOP");
    }
    Thread.sleep(millis);
    nodes[node].signal("CONT");
    // Time to find out that the lease is lost.
    Thread.sleep(3 * HEARTBEAT);
    synchronized (books) {
      pausedAt[node] = 0;
    }
    reopen(node);
  }

  private void reopen(int node) {
    synchronized (books) {
      books.closedNodes.remove(node);
    }
  }

  private void judge(TestDatabase database, String stays) {
    Map<String, List<Span>> recorded = new HashMap<>();
    for (String row :
        database.rows(
            """
            SELECT user_id, (extract(epoch FROM join_at) * 1000)::bigint,
                   (extract(epoch FROM terminate_at) * 1000)::bigint
            FROM %s ORDER BY join_at
            """
                .formatted(stays))) {
      List<String> fields = List.of(row.split("\\|", -1));
      recorded
          .computeIfAbsent(fields.getFirst(), user -> new ArrayList<>())
          .add(new Span(Long.parseLong(fields.get(1)), Long.parseLong(fields.get(2))));
    }
    List<String> wrong = new ArrayList<>();
    Set<String> users = new HashSet<>(books.terms.keySet());
    users.addAll(recorded.keySet());
    int terms = 0;
    for (String user : users) {
      List<Term> truth = books.terms.getOrDefault(user, List.of());
      terms += truth.size();
      List<Span> told = union(recorded.getOrDefault(user, List.of()));
      List<Span> allowed = union(allowed(truth));
      for (Span span : told) {
        if (!isCovered(span, allowed)) {
          wrong.add(user + " was not online all of " + span + ": " + truth);
        }
      }
      for (Span span :
          union(truth.stream().map(term -> new Span(term.begin(), term.end())).toList())) {
        var certain = new Span(span.begin() + TOLERANCE, span.end() - TOLERANCE);
        if (certain.begin() < certain.end() && !isCovered(certain, told)) {
          wrong.add(user + " was online " + span + ", recorded is " + told);
        }
      }
    }
    System.out.printf(
        "%s: %d users, %d terms, %d stays, %d wrong%n",
        stays,
        users.size(),
        terms,
        recorded.values().stream().mapToInt(List::size).sum(),
        wrong.size());
    assertThat(terms).isGreaterThan(SECONDS * RATE / 6);
    assertThat(wrong).isEmpty();
  }

  /** When a user may be recorded as online: true times, and gaps that look like a reload. */
  private static List<Span> allowed(List<Term> terms) {
    List<Term> ordered = new ArrayList<>(terms);
    ordered.sort(Comparator.comparingLong(Term::begin));
    List<Span> spans = new ArrayList<>();
    for (Term term : ordered) {
      spans.add(new Span(term.begin() - TOLERANCE, term.latestEnd() + TOLERANCE));
      long reload = term.crashed() ? REMOVAL : LINGER + SLACK;
      for (Term next : ordered) {
        if (next.begin() > term.end() && next.begin() <= term.end() + reload) {
          spans.add(gap(term, next));
        }
      }
    }
    return spans;
  }

  private static Span gap(Term before, Term after) {
    long begin = before.end();
    long end = after.begin();
    return new Span(begin, end);
  }

  /** The same time in as few spans as possible. */
  private static List<Span> union(List<Span> spans) {
    List<Span> ordered = new ArrayList<>(spans);
    ordered.sort(Comparator.comparingLong(Span::begin));
    List<Span> joined = new ArrayList<>();
    for (Span span : ordered) {
      if (!joined.isEmpty() && span.begin() <= joined.getLast().end()) {
        Span last = joined.removeLast();
        joined.add(new Span(last.begin(), Math.max(last.end(), span.end())));
      } else {
        joined.add(span);
      }
    }
    return joined;
  }

  private static boolean isCovered(Span span, List<Span> spans) {
    return spans.stream().anyMatch(all -> all.begin() <= span.begin() && span.end() <= all.end());
  }
}
