package dev.hawser.presence;

import java.time.Clock;
import java.util.Locale;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Measures how many users a second one node writes: first connections, changed counts, ends; and
 * how long the removal of a dead node's users takes. Not run by the build (its name does not end
 * with Test); {@code docs/performance.md} has the command and the figures.
 */
@ExtendWith(PostgreSqlExtension.class)
class FlushRate {

  private static final int USERS = 100_000;
  private static final int ROUNDS = 3;

  @Test
  void measure(TestDatabase empty) {
    try (PresenceDatabase database = empty.open()) {
      var registry = new NodeRegistry(database, empty.settings());
      var settings = empty.settings("batch-size = 1000");
      for (int round = 1; round <= ROUNDS; round++) {
        var recorder =
            new PresenceRecorder(database, settings, Clock.systemUTC(), Clock.systemUTC());
        recorder.use(Objects.requireNonNull(registry.lease("10.0.0." + round + ":7355").block()));
        forEachUser(round, recorder::connected);
        report(round, "first connections", recorder);
        forEachUser(round, recorder::connected);
        report(round, "second connections", recorder);
        forEachUser(round, recorder::disconnected);
        forEachUser(round, recorder::disconnected);
        report(round, "ends", recorder);
      }
    }
  }

  /** Two million ended stays of the users who come: in the same table, and in the archive. */
  @Test
  void measureWithHistory(TestDatabase empty) {
    try (PresenceDatabase database = empty.open()) {
      var registry = new NodeRegistry(database, empty.settings());
      var settings = empty.settings("batch-size = 1000");
      empty.execute(
          """
          INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
          SELECT format('user-1-%s', lpad((number * 7919::bigint % 100000)::text, 6, '0')),
                 start, start + interval '10 minutes', '{}'
          FROM (SELECT number, now() - interval '60 days' + number * interval '2.5 seconds' AS start
                FROM generate_series(1, 2000000) AS number) AS stays
          """);
      empty.execute("VACUUM ANALYZE watching_times");
      for (String where : new String[] {"same table", "archive"}) {
        if (where.equals("archive")) {
          long start = System.nanoTime();
          empty.archive(database);
          System.out.printf(
              Locale.ROOT, "2,000,000 moved in %.1f s%n", (System.nanoTime() - start) / 1e9);
          empty.execute("VACUUM ANALYZE watching_times");
        }
        for (int round = 1; round <= ROUNDS; round++) {
          var recorder =
              new PresenceRecorder(database, settings, Clock.systemUTC(), Clock.systemUTC());
          recorder.use(Objects.requireNonNull(registry.lease("10.0.0." + round + ":7355").block()));
          forEachUser(1, recorder::connected);
          report(round, where + ", first connections", recorder);
          forEachUser(1, recorder::disconnected);
          report(round, where + ", ends", recorder);
        }
      }
    }
  }

  @Test
  void measureRemoval(TestDatabase empty) {
    try (PresenceDatabase database = empty.open()) {
      var registry = new NodeRegistry(database, empty.settings());
      for (int users : new int[] {50_000, 300_000, 700_000}) {
        NodeLease dead = Objects.requireNonNull(registry.lease("10.0.0.1:7355").block());
        NodeLease alive = Objects.requireNonNull(registry.lease("10.0.0.2:7355").block());
        for (NodeLease lease : new NodeLease[] {dead, alive}) {
          empty.execute(
              """
              INSERT INTO watching_times (user_id, join_at, nodes)
              SELECT 'user-' || %d || '-' || number, now(), '{"%s": 1}'
              FROM generate_series(1, %d) AS number
              """
                  .formatted(lease.incarnation(), lease.key(), users));
        }
        var unused = registry.leave(dead).block();
        long start = System.nanoTime();
        long slowest = 0;
        boolean more = true;
        while (more) {
          long page = System.nanoTime();
          more = Boolean.TRUE.equals(registry.removePage(PresenceService.PAGE_SIZE).block());
          slowest = Math.max(slowest, System.nanoTime() - page);
        }
        System.out.printf(
            Locale.ROOT,
            "removal of %,d of %,d users: %.1f s, slowest page %d ms%n",
            users,
            2 * users,
            (System.nanoTime() - start) / 1e9,
            slowest / 1_000_000);
        empty.execute("TRUNCATE watching_times");
      }
    }
  }

  private static void forEachUser(int round, java.util.function.Consumer<String> action) {
    for (int user = 0; user < USERS; user++) {
      action.accept("user-%d-%06d".formatted(round, user));
    }
  }

  private static void report(int round, String what, PresenceRecorder recorder) {
    long start = System.nanoTime();
    recorder.flush(true);
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(Locale.ROOT, "round %d, %s: %,.0f users/s%n", round, what, USERS / seconds);
  }
}
