package dev.hawser.gateway.journal;

import static java.util.Objects.requireNonNull;

import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.presence.PresenceDatabase;
import io.r2dbc.spi.Row;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import org.apache.pekko.Done;

/**
 * Last offsets in the tables {@code stream_offsets} and {@code stream_shards}. A storm of users who
 * come back reads with few statements: those that ask while one is under way share the next.
 */
public final class StoredOffsets implements LastOffsets {

  /** Name of the scripts that make these tables, and the journal's, which are asked, too. */
  static final String TABLES = "streams";

  private static final int ROWS = 2_000;

  private static final Past NOTHING = new Past(0, false);

  /** One statement tells of many users what they had last, and whether they may have mail. */
  private static final String PASTS =
      """
      SELECT user_id, coalesce(last_offset, 0) AS last,
        EXISTS (SELECT FROM event_journal
                WHERE persistence_id = mailbox AND NOT deleted)
        OR EXISTS (SELECT FROM snapshot WHERE persistence_id = mailbox) AS mail
      FROM unnest($2::text[], $3::text[]) AS asked (user_id, mailbox)
      LEFT JOIN (SELECT user_id, last_offset FROM stream_offsets WHERE epoch = $1) AS known
        USING (user_id)
      """;

  private final PresenceDatabase database;
  private final String epoch;
  private final UnaryOperator<String> mailboxOf;
  private final CompletableFuture<Done> migrated = new CompletableFuture<>();
  private final AtomicBoolean migrating = new AtomicBoolean();

  /** By shard: the offset since which all users' last offsets were kept. */
  private final Map<Integer, CompletableFuture<Long>> since = new ConcurrentHashMap<>();

  private final Batches<String, Past> questions = new Batches<>(ROWS, this::read);

  /**
   * Of one life of the events topic.
   *
   * @param epoch names it
   * @param mailboxOf what a user's mailbox is called in the journal
   */
  public StoredOffsets(PresenceDatabase database, String epoch, UnaryOperator<String> mailboxOf) {
    this.database = database;
    this.epoch = epoch;
    this.mailboxOf = mailboxOf;
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
          CompletableFuture.runAsync(() -> database.migrate(TABLES), Thread::startVirtualThread)
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
  public CompletionStage<Past> of(int shard, String user) {
    // Who asks before the shard is opened waits; sessions know how long.
    return since(shard)
        .thenCompose(
            complete ->
                questions
                    .ask(user)
                    .thenApply(past -> new Past(Math.max(past.last(), complete), past.mail())));
  }

  private CompletableFuture<Long> since(int shard) {
    return since.computeIfAbsent(shard, unopened -> new CompletableFuture<>());
  }

  private CompletionStage<List<Past>> read(List<String> users) {
    Map<String, Past> found = new HashMap<>();
    String[] asked = users.stream().distinct().toArray(String[]::new);
    String[] mailboxes = Arrays.stream(asked).map(mailboxOf).toArray(String[]::new);
    return database
        .query(
            PASTS,
            row -> {
              found.put(requireNonNull(row.get("user_id", String.class)), past(row));
              return true;
            },
            List.of(epoch, asked, mailboxes))
        .toFuture()
        .thenApply(rows -> users.stream().map(user -> found.getOrDefault(user, NOTHING)).toList());
  }

  private static Past past(Row row) {
    return new Past(
        requireNonNull(row.get("last", Long.class)),
        requireNonNull(row.get("mail", Boolean.class)));
  }
}
