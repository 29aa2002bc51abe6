package dev.hawser.presence;

import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import io.r2dbc.pool.ConnectionPool;
import io.r2dbc.pool.ConnectionPoolConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.spi.Connection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The recorder beside a design with one statement for each connect and each disconnect, on the same
 * PostgreSQL in the same run; and how long a killed node's users stay online. Not run by the build
 * (its name does not end with Test); {@code docs/presence.md} has the command and the figures.
 *
 * <p>A transition is a user's first connect or last disconnect. In turns one user leaves and
 * another one comes, so the number of users online stays; nobody comes back within a batch, so the
 * recorder has nothing to save by coalescing and writes every transition. Both write the same
 * table; {@code -Dhawser.presence.primary-key=true} gives it the index by id that it once had.
 */
class RecorderBenchmark {

  private static final int ROUNDS = 3;
  private static final long WARM_UP_MILLIS = 2_000;
  private static final long MEASURED_MILLIS = 8_000;

  private static final int BATCH_SIZE = 1_000;

  private enum Variant {
    STATEMENTS("a statement each"),
    RECORDER("recorder"),
    RECORDER_WITH_EVENTS("recorder, events written down");

    final String text;

    Variant(String text) {
      this.text = text;
    }
  }

  /** Of the design with one statement a transition. */
  private static final int POOL = 8;

  private static final String CONNECT =
      """
      INSERT INTO watching_times (user_id, join_at, nodes) VALUES ($1, $2, $3::text::jsonb)
      ON CONFLICT (user_id) WHERE terminate_at IS NULL
      DO UPDATE SET nodes = watching_times.nodes || excluded.nodes
      """;

  private static final String DISCONNECT =
      """
      UPDATE watching_times SET terminate_at = $2, nodes = '{}'
      WHERE user_id = $1 AND terminate_at IS NULL
      """;

  private static final long TICKS_PER_SECOND = 100;

  private int databases;

  /** Writes some transitions, beginning with the one of that number. */
  private interface Design {
    void write(long first, int number);
  }

  private record Figures(double transitionsPerSecond, double cpuSeconds, double walBytes) {}

  @Test
  void compare() {
    System.out.println("users online | design | round | transitions/s | CPU s and WAL bytes/1,000");
    try (var server = EmbeddedPostgreSql.startDurable()) {
      System.out.println(
          new TestDatabase(server, "settings")
              .rows("SELECT current_setting('fsync'), current_setting('synchronous_commit')"));
      for (int users : new int[] {1_000, 100_000}) {
        for (int round = 1; round <= ROUNDS; round++) {
          for (Variant variant : Variant.values()) {
            var database = new TestDatabase(server, "benchmark_" + databases++);
            Figures figures =
                variant == Variant.STATEMENTS
                    ? statements(database, users)
                    : recorder(database, users, variant == Variant.RECORDER_WITH_EVENTS);
            System.out.printf(
                Locale.ROOT,
                "| %,d | %s | %d | %,.0f | %.4f | %,.0f |%n",
                users,
                variant.text,
                round,
                figures.transitionsPerSecond(),
                figures.cpuSeconds(),
                figures.walBytes());
            database.execute("DROP TABLE watching_times, presence_events CASCADE");
          }
        }
      }
    }
  }

  private static Figures recorder(TestDatabase database, int users, boolean events) {
    try (PresenceDatabase connections = database.open()) {
      PresencePublisher.enable(connections, events);
      var settings = database.settings("linger = 0s, batch-size = " + BATCH_SIZE);
      var recorder =
          new PresenceRecorder(connections, settings, Clock.systemUTC(), Clock.systemUTC());
      recorder.use(lease(connections, settings));
      for (int user = 0; user < users; user++) {
        recorder.connected(name(user));
      }
      recorder.flush(false);
      return measure(
          database,
          (first, number) -> {
            for (long transition = first; transition < first + number; transition++) {
              String user = user(transition, users);
              if (isConnect(transition)) {
                recorder.connected(user);
              } else {
                recorder.disconnected(user);
              }
            }
            recorder.flush(false);
          },
          BATCH_SIZE);
    }
  }

  private static Figures statements(TestDatabase database, int users) {
    try (PresenceDatabase connections = database.open()) {
      String nodes = "{\"%s\": 1}".formatted(lease(connections, database.settings()).key());
      database.execute(
          """
          INSERT INTO watching_times (user_id, join_at, nodes)
          SELECT 'user-' || lpad(number::text, 7, '0'), now(), '%s'
          FROM generate_series(0, %d) AS number
          """
              .formatted(nodes, users - 1));
      var pool = pool(database);
      try {
        return measure(
            database,
            (first, number) ->
                Flux.range(0, number)
                    .flatMap(i -> statement(pool, first + i, users, nodes), POOL)
                    .blockLast(),
            1_000);
      } finally {
        pool.dispose();
      }
    }
  }

  private static Mono<Long> statement(
      ConnectionPool pool, long transition, int users, String nodes) {
    return Mono.usingWhen(
        pool.create(),
        connection -> {
          var statement =
              connection
                  .createStatement(isConnect(transition) ? CONNECT : DISCONNECT)
                  .bind(0, user(transition, users))
                  .bind(1, Instant.now());
          if (isConnect(transition)) {
            statement.bind(2, nodes);
          }
          return Flux.from(statement.execute())
              .flatMap(io.r2dbc.spi.Result::getRowsUpdated)
              .reduce(0L, Long::sum);
        },
        Connection::close);
  }

  /** In turns the user who has been online for longest leaves, and another one comes. */
  private static boolean isConnect(long transition) {
    return transition % 2 == 1;
  }

  private static String user(long transition, int users) {
    return name((transition / 2 + (isConnect(transition) ? users : 0)) % (2L * users));
  }

  private static String name(long user) {
    return "user-%07d".formatted(user);
  }

  private static NodeLease lease(PresenceDatabase connections, PresenceSettings settings) {
    return Objects.requireNonNull(
        new NodeRegistry(connections, settings).lease("10.0.0.1:7355").block());
  }

  private static ConnectionPool pool(TestDatabase database) {
    PresenceSettings.Database settings = database.settings().database();
    return new ConnectionPool(
        ConnectionPoolConfiguration.builder(
                new PostgresqlConnectionFactory(
                    PostgresqlConnectionConfiguration.builder()
                        .host(settings.host())
                        .port(settings.port())
                        .database(settings.name())
                        .username(settings.user())
                        .build()))
            .initialSize(POOL)
            .maxSize(POOL)
            .build());
  }

  private static Figures measure(TestDatabase database, Design design, int batch) {
    if (Boolean.getBoolean("hawser.presence.primary-key")) {
      database.execute("ALTER TABLE watching_times ADD PRIMARY KEY (id)");
    }
    database.execute("VACUUM ANALYZE watching_times");
    database.execute("CHECKPOINT");
    var next = new AtomicLong();
    run(design, next, batch, WARM_UP_MILLIS);
    long first = next.get();
    long cpu = cpuTicks(database);
    double wal = wal(database);
    long start = System.nanoTime();
    run(design, next, batch, MEASURED_MILLIS);
    double seconds = (System.nanoTime() - start) / 1e9;
    double thousands = (next.get() - first) / 1_000.0;
    return new Figures(
        thousands * 1_000 / seconds,
        (cpuTicks(database) - cpu) / (double) TICKS_PER_SECOND / thousands,
        (wal(database) - wal) / thousands);
  }

  private static void run(Design design, AtomicLong next, int batch, long millis) {
    long end = System.nanoTime() + millis * 1_000_000;
    while (System.nanoTime() < end) {
      design.write(next.getAndAdd(batch), batch);
    }
  }

  private static double wal(TestDatabase database) {
    return Double.parseDouble(
        database.rows("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").getFirst());
  }

  /** Of the server, of its processes, and of those that have ended. */
  private static long cpuTicks(TestDatabase database) {
    String server =
        database.rows("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").getFirst();
    try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
      return processes
          .filter(process -> process.getFileName().toString().matches("\\d+"))
          .mapToLong(process -> cpuTicks(process, server))
          .sum();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private static long cpuTicks(Path process, String server) {
    String stat;
    try {
      stat = Files.readString(process.resolve("stat"));
    } catch (IOException ended) {
      return 0;
    }
    // Behind the name, in parentheses: state, parent, …; 12th and 13th own time, then children's.
    List<String> fields = List.of(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1));
    boolean isServer = process.getFileName().toString().equals(server);
    int times = isServer ? 4 : fields.get(1).equals(server) ? 2 : 0;
    return IntStream.range(11, 11 + times).mapToLong(i -> Long.parseLong(fields.get(i))).sum();
  }

  /** With the settings that nodes have by default. */
  @Test
  void recovery() throws Exception {
    try (var server = EmbeddedPostgreSql.start()) {
      var database = new TestDatabase(server, "recovery");
      String defaults =
          """
          database { host = "127.0.0.1", port = %d, name = recovery, user = postgres }
          """
              .formatted(server.port());
      var survivor =
          PresenceService.start(
              PresenceSettings.from(
                  ConfigFactory.parseString(defaults)
                      .withFallback(ConfigFactory.load().getConfig("hawser.presence"))),
              "10.0.0.1:7355");
      var unused = survivor.registered().toCompletableFuture().get();
      String online = "SELECT count(*) FROM watching_times WHERE terminate_at IS NULL";
      for (int round = 1; round <= 5; round++) {
        var node = new NodeProcess(defaults, "10.0.0.2:7355");
        node.awaitRegistered();
        for (int user = 0; user < 5_000; user++) {
          node.connected(name(user));
        }
        while (!database.rows(online).equals(List.of("5000"))) {
          Thread.sleep(50);
        }
        // At any time between two heartbeats.
        Thread.sleep(5_000 + round * 400L);
        long start = System.nanoTime();
        node.kill();
        while (!database.rows(online).equals(List.of("0"))) {
          Thread.sleep(20);
        }
        System.out.printf(
            Locale.ROOT,
            "round %d: 5,000 users closed %.1f s after kill -9%n",
            round,
            (System.nanoTime() - start) / 1e9);
      }
      survivor.stop().toCompletableFuture().get();
    }
  }
}
