package dev.hawser.gateway.journal;

import static java.util.Objects.requireNonNull;

import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.presence.PresenceDatabase;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.Done;

/**
 * Last offsets in the tables {@code stream_offsets} and {@code stream_shards}. A storm of users who
 * come back reads with few statements: those that ask while one is under way share the next.
 */
public final class StoredOffsets implements LastOffsets {

  private static final int ROWS = 2_000;

  private record Question(String user, CompletableFuture<Long> answer) {}

  private final PresenceDatabase database;
  private final String epoch;
  private final CompletableFuture<Done> migrated = new CompletableFuture<>();
  private final AtomicBoolean migrating = new AtomicBoolean();

  /** By shard: the offset since which all users' last offsets were kept. */
  private final Map<Integer, CompletableFuture<Long>> since = new ConcurrentHashMap<>();

  private final Queue<Question> questions = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean reading = new AtomicBoolean();

  /**
   * Of one life of the events topic.
   *
   * @param epoch names it
   */
  public StoredOffsets(PresenceDatabase database, String epoch) {
    this.database = database;
    this.epoch = epoch;
  }

  @Override
  public CompletionStage<Done> open(Map<Integer, Long> starts) {
    Integer[] shards = starts.keySet().toArray(Integer[]::new);
    Long[] offsets = starts.values().toArray(Long[]::new);
    return migrate()
        .thenCompose(
            done ->
                database
                    .query(
                        """
                        WITH opened AS (
                          INSERT INTO stream_shards (epoch, shard, since)
                          SELECT $1, shard, since
                          FROM unnest($2::int[], $3::bigint[]) AS given (shard, since)
                          ON CONFLICT DO NOTHING
                          RETURNING shard, since)
                        SELECT shard, since FROM opened
                        UNION ALL
                        SELECT shard, since FROM stream_shards WHERE epoch = $1 AND shard = ANY($2)
                        """,
                        row ->
                            since(requireNonNull(row.get("shard", Integer.class)))
                                .complete(requireNonNull(row.get("since", Long.class))),
                        List.of(epoch, shards, offsets))
                    .toFuture())
        .thenApply(rows -> Done.getInstance());
  }

  private CompletionStage<Done> migrate() {
    if (migrating.compareAndSet(false, true)) {
      var unused =
          CompletableFuture.runAsync(() -> database.migrate("streams"))
              .whenComplete(
                  (done, failure) -> {
                    if (failure == null) {
                      migrated.complete(Done.getInstance());
                    } else {
                      migrating.set(false);
                    }
                  });
      return unused.thenApply(done -> Done.getInstance());
    }
    return migrated.copy();
  }

  @Override
  public CompletionStage<Done> keep(Map<String, Long> offsets) {
    // In the order of user ids, so that two nodes never wait for each other.
    var sorted = new TreeMap<>(offsets);
    List<String> users = new ArrayList<>(sorted.keySet());
    CompletionStage<Done> kept = CompletableFuture.completedFuture(Done.getInstance());
    for (int from = 0; from < users.size(); from += ROWS) {
      List<String> page = users.subList(from, Math.min(from + ROWS, users.size()));
      kept = kept.thenCompose(done -> keep(page, page.stream().map(sorted::get).toList()));
    }
    return kept;
  }

  private CompletionStage<Done> keep(List<String> users, List<Long> offsets) {
    return database
        .query(
            """
            INSERT INTO stream_offsets AS known (user_id, epoch, last_offset)
            SELECT user_id, $1, last_offset
            FROM unnest($2::text[], $3::bigint[]) AS given (user_id, last_offset)
            ON CONFLICT (user_id, epoch) DO UPDATE SET last_offset = excluded.last_offset
            WHERE known.last_offset < excluded.last_offset
            """,
            row -> true,
            List.of(epoch, users.toArray(String[]::new), offsets.toArray(Long[]::new)))
        .toFuture()
        .thenApply(rows -> Done.getInstance());
  }

  @Override
  public CompletionStage<Long> of(int shard, String user) {
    var question = new Question(user, new CompletableFuture<>());
    // Who asks before the shard is opened waits; sessions know how long.
    return since(shard)
        .thenCompose(
            complete -> {
              questions.add(question);
              read();
              return question.answer().thenApply(offset -> Math.max(offset, complete));
            });
  }

  private CompletableFuture<Long> since(int shard) {
    return since.computeIfAbsent(shard, unopened -> new CompletableFuture<>());
  }

  private void read() {
    if (questions.isEmpty() || !reading.compareAndSet(false, true)) {
      return;
    }
    List<Question> asked = new ArrayList<>();
    for (Question next = questions.poll(); next != null; next = questions.poll()) {
      asked.add(next);
      if (asked.size() == ROWS) {
        break;
      }
    }
    String[] users = asked.stream().map(Question::user).distinct().toArray(String[]::new);
    Map<String, Long> found = new HashMap<>();
    var unused =
        database
            .query(
                "SELECT user_id, last_offset FROM stream_offsets WHERE epoch = $1 AND user_id = ANY($2)",
                row -> {
                  found.put(
                      requireNonNull(row.get("user_id", String.class)),
                      requireNonNull(row.get("last_offset", Long.class)));
                  return true;
                },
                List.of(epoch, users))
            .toFuture()
            .whenComplete(
                (rows, failure) -> {
                  reading.set(false);
                  for (Question question : asked) {
                    if (failure == null) {
                      question.answer().complete(found.getOrDefault(question.user(), 0L));
                    } else {
                      question.answer().completeExceptionally(failure);
                    }
                  }
                  read();
                });
  }
}
