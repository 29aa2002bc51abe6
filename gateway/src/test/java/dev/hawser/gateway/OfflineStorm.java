package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Measures how fast events for users who are away are stored, and how long it takes until all have
 * got theirs when they come at once to a node that knows nothing yet. Not run by the build (its
 * name does not end with Test); {@code docs/performance.md} has the command and the figures.
 */
class OfflineStorm {

  private static final int USERS = 20_000;
  private static final int EVENTS_OF_A_USER = 5;
  private static final int ROUNDS = 3;

  /** A node lets in 5,000 at a time, hawser.admission.max-handshakes. */
  private static final int AT_A_TIME = 4_000;

  private static final String READ = "hawser_events_total{to=\"user\"}";

  private static final String SETTINGS = "hawser.recovery.window = 1s";

  private static final String PAYLOAD = "{\"n\":%d,\"text\":\"" + "x".repeat(80) + "\"}";

  @Test
  void measure() throws Exception {
    for (int round = 1; round <= ROUNDS; round++) {
      try (Parts parts = Parts.start()) {
        measure(parts, round);
      }
    }
  }

  /** The recent past, which whoever takes over a partition reads again; nobody is connected. */
  @Test
  void measureReplay() throws Exception {
    try (Parts parts = Parts.start()) {
      var node = TestNode.ready(parts, "hawser.recovery.window = 1h");
      List<String> users = IntStream.range(0, USERS).mapToObj(n -> "user-" + n).toList();
      parts.pushNumbered(users, EVENTS_OF_A_USER);
      for (int round = 0; round <= ROUNDS; round++) {
        double expected = USERS * EVENTS_OF_A_USER;
        TestNode running = node;
        await()
            .ignoreExceptions()
            .pollInterval(Duration.ofMillis(5))
            .atMost(Duration.ofMinutes(2))
            .until(() -> running.metric(READ) > 0);
        long begin = System.nanoTime();
        double already = node.metric(READ);
        await()
            .pollInterval(Duration.ofMillis(5))
            .atMost(Duration.ofMinutes(2))
            .until(() -> running.metric(READ) >= expected);
        double seconds = (System.nanoTime() - begin) / 1e9;
        if (round > 0) {
          System.out.printf(
              Locale.ROOT,
              "round %d: %,.0f records read again in %.2f s: %,.0f records/s%n",
              round,
              expected - already,
              seconds,
              (expected - already) / seconds);
        }
        node.close();
        node = node.startAgain(parts, "hawser.recovery.window = 1h");
      }
      node.close();
    }
  }

  private static void measure(Parts parts, int round) throws Exception {
    List<String> users = IntStream.range(0, USERS).mapToObj(n -> "user-" + n).toList();
    List<String> tokens = users.stream().map(Node::token).toList();
    TestNode node = TestNode.ready(parts, SETTINGS);
    try {
      long statements = statements(parts);
      long begin = System.nanoTime();
      try (var producer = parts.producer()) {
        for (int n = 0; n < EVENTS_OF_A_USER; n++) {
          for (String user : users) {
            var unused = producer.send(Parts.event(user, PAYLOAD.formatted(n)));
          }
        }
      }
      parts.awaitCommitted();
      report(round, "stored", USERS * EVENTS_OF_A_USER, begin, parts, statements);
      node.close();
      node = node.startAgain(parts, SETTINGS).awaitReady();
      int port = node.webSocketPort;
      statements = statements(parts);
      begin = System.nanoTime();
      var connected = new Semaphore(AT_A_TIME);
      try (var clients = Executors.newVirtualThreadPerTaskExecutor()) {
        List<Callable<Integer>> all =
            tokens.stream()
                .map(token -> (Callable<Integer>) () -> receive(port, token, connected))
                .toList();
        for (Future<Integer> received : clients.invokeAll(all)) {
          assertThat(received.get()).isEqualTo(EVENTS_OF_A_USER);
        }
      }
      report(round, "replayed", USERS * EVENTS_OF_A_USER, begin, parts, statements);
    } finally {
      node.close();
    }
  }

  /** Comes, and waits for all that was kept. */
  private static int receive(int port, String token, Semaphore connected)
      throws IOException, InterruptedException {
    connected.acquire();
    var connection = IdleClients.connect(port, token);
    try (var _ = connection.socket()) {
      int received = 0;
      while (received < EVENTS_OF_A_USER) {
        String frame = new String(connection.read().payload(), UTF_8);
        received += frame.split("\"pub\":", -1).length - 1;
      }
      return received;
    } finally {
      connected.release();
    }
  }

  private static void report(
      int round, String what, int events, long begin, Parts parts, long statementsBefore)
      throws SQLException {
    double seconds = (System.nanoTime() - begin) / 1e9;
    System.out.printf(
        Locale.ROOT,
        "round %d: %,d events of %,d users %s in %.1f s: %,.0f events/s, %,d statements%n",
        round,
        events,
        USERS,
        what,
        seconds,
        events / seconds,
        statements(parts) - statementsBefore);
  }

  /** Transactions that PostgreSQL has committed; every statement is one of its own. */
  private static long statements(Parts parts) throws SQLException {
    try (var connection = DriverManager.getConnection(parts.postgreSql.jdbcUrl(Parts.DATABASE));
        var statement = connection.createStatement();
        var rows =
            statement.executeQuery(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")) {
      rows.next();
      return rows.getLong(1);
    }
  }
}
