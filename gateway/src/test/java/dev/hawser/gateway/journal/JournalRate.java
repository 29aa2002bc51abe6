package dev.hawser.gateway.journal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.apache.pekko.Done;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/**
 * Measures the journal beside persistence-jdbc, on the same PostgreSQL, in turns. Not run by the
 * build (its name does not end with Test); {@code docs/performance.md} has the command and the
 * figures.
 */
class JournalRate {

  private static final String DATABASE = "journal";
  private static final int ROUNDS = 3;
  private static final int EVENTS_OF_AN_ACTOR = 10;
  private static final String LINE = "x".repeat(200);
  private static final Duration LONG = Duration.ofMinutes(2);

  /** Actors at a time, and actors in all. */
  private static final Map<Integer, Integer> ACTORS =
      new TreeMap<>(Map.of(1, 100, 100, 2_000, 5_000, 5_000));

  @Test
  void measure() throws Exception {
    try (var postgreSql = EmbeddedPostgreSql.startDurable()) {
      Map<String, List<Double>> persists = new TreeMap<>();
      Map<String, List<Double>> replays = new TreeMap<>();
      for (int round = 0; round <= ROUNDS; round++) {
        for (String plugin : List.of("hawser", "jdbc")) {
          postgreSql.createDatabase(DATABASE);
          ActorTestKit node = ActorTestKit.create(plugin, settings(postgreSql, plugin));
          try {
            new Diaries(node).write(100, 100, "warm");
            for (var actors : ACTORS.entrySet()) {
              int atATime = actors.getKey();
              var diaries = new Diaries(node);
              double persisted = diaries.write(atATime, actors.getValue(), "of-" + atATime);
              double replayed = diaries.replay(atATime);
              String row = "%5d actors, %s".formatted(atATime, plugin);
              System.out.printf(
                  Locale.ROOT,
                  "round %d, %s: %,.0f persists/s, %,.0f replays/s%n",
                  round,
                  row,
                  persisted,
                  replayed);
              if (round > 0) {
                persists.computeIfAbsent(row, known -> new ArrayList<>()).add(persisted);
                replays.computeIfAbsent(row, known -> new ArrayList<>()).add(replayed);
              }
            }
          } finally {
            node.shutdownTestKit();
          }
        }
      }
      persists.forEach(
          (row, figures) ->
              System.out.printf(
                  Locale.ROOT,
                  "median of %d, %s: %,.0f persists/s, %,.0f replays/s%n",
                  ROUNDS,
                  row,
                  median(figures),
                  median(requireNonNull(replays.get(row)))));
    }
  }

  private static double median(List<Double> figures) {
    return figures.stream().sorted().toList().get(figures.size() / 2);
  }

  private static Config settings(EmbeddedPostgreSql postgreSql, String plugin) throws Exception {
    Config settings = JournalTckTest.settings(postgreSql, DATABASE);
    if (plugin.equals("hawser")) {
      return settings;
    }
    String url = postgreSql.jdbcUrl(DATABASE);
    try (var connection = DriverManager.getConnection(url);
        var statement = connection.createStatement();
        var schema =
            requireNonNull(
                JournalRate.class.getResourceAsStream(
                    "/schema/postgres/postgres-create-schema.sql"))) {
      // All of it at once, which is a transaction.
      statement.execute(new String(schema.readAllBytes(), UTF_8).replace("CONCURRENTLY", ""));
    }
    return ConfigFactory.parseString(
            """
      pekko.persistence {
        journal.plugin = jdbc-journal
        snapshot-store.plugin = jdbc-snapshot-store
      }
      jdbc-journal.slick = ${slick}
      # By default it refuses what more than 1,000 actors write at a time.
      jdbc-journal.bufferSize = 10000
      jdbc-snapshot-store.slick = ${slick}
      jdbc-read-journal.slick = ${slick}
      slick {
        profile = "slick.jdbc.PostgresProfile$"
        db { url = "%s", driver = org.postgresql.Driver }
      }
      """
                .formatted(url))
        .withFallback(settings)
        .resolve();
  }

  /** Each of them persists, event by event, and is then started again. */
  private static final class Diaries {

    private final ActorTestKit node;
    private final ActorRef<Open> shelf;
    private final List<String> ids = new ArrayList<>();

    private record Open(List<String> ids, ActorRef<List<ActorRef<Diary.Command>>> replyTo) {}

    private Diaries(ActorTestKit node) {
      this.node = node;
      this.shelf = node.spawn(Behaviors.setup(Diaries::shelf));
    }

    private static Behavior<Open> shelf(ActorContext<Open> context) {
      return Behaviors.receiveMessage(
          open -> {
            open.replyTo()
                .tell(
                    open.ids().stream()
                        .map(id -> context.spawnAnonymous(Diary.create(id)))
                        .toList());
            return Behaviors.same();
          });
    }

    private List<ActorRef<Diary.Command>> open(List<String> wanted) {
      return AskPattern.<Open, List<ActorRef<Diary.Command>>>ask(
              shelf, replyTo -> new Open(wanted, replyTo), LONG, node.scheduler())
          .toCompletableFuture()
          .join();
    }

    /** Persisted events a second, from the first one until the last one is acknowledged. */
    private double write(int atATime, int count, String name) {
      double seconds = 0;
      for (int from = 0; from < count; from += atATime) {
        int first = from;
        IntStream.range(0, atATime).forEach(i -> ids.add("Diary|" + name + "-" + (first + i)));
        List<ActorRef<Diary.Command>> diaries = open(ids.subList(first, first + atATime));
        all(atATime, i -> ask(diaries.get(i), Diary.Read::new));
        seconds += time(() -> all(atATime, i -> write(diaries.get(i), EVENTS_OF_AN_ACTOR)));
        all(atATime, i -> ask(diaries.get(i), Diary.Forget::new));
      }
      return count * EVENTS_OF_AN_ACTOR / seconds;
    }

    private CompletionStage<Done> write(ActorRef<Diary.Command> diary, int left) {
      CompletionStage<Done> written = ask(diary, replyTo -> new Diary.Write(LINE, replyTo));
      return left == 1 ? written : written.thenCompose(done -> write(diary, left - 1));
    }

    /** Actors a second that have recovered. */
    private double replay(int atATime) {
      double seconds = 0;
      for (int from = 0; from < ids.size(); from += atATime) {
        List<ActorRef<Diary.Command>> diaries = new ArrayList<>();
        List<String> batch = ids.subList(from, from + atATime);
        seconds +=
            time(
                () -> {
                  diaries.addAll(open(batch));
                  all(atATime, i -> ask(diaries.get(i), Diary.Read::new));
                });
        all(atATime, i -> ask(diaries.get(i), Diary.Forget::new));
      }
      return ids.size() / seconds;
    }

    private <T> CompletionStage<T> ask(
        ActorRef<Diary.Command> diary,
        org.apache.pekko.japi.function.Function<ActorRef<T>, Diary.Command> command) {
      return AskPattern.ask(diary, command, LONG, node.scheduler());
    }

    private static <T> void all(int count, IntFunction<CompletionStage<T>> each) {
      CompletableFuture.allOf(
              IntStream.range(0, count)
                  .mapToObj(i -> each.apply(i).toCompletableFuture())
                  .toArray(CompletableFuture[]::new))
          .orTimeout(LONG.toSeconds(), TimeUnit.SECONDS)
          .join();
    }

    private static double time(Runnable work) {
      long startedAt = System.nanoTime();
      work.run();
      return (System.nanoTime() - startedAt) / 1e9;
    }
  }
}
