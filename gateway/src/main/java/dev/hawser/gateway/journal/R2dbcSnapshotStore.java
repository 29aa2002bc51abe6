package dev.hawser.gateway.journal;

import static java.util.Objects.requireNonNull;

import dev.hawser.gateway.journal.JournalDatabase.Stored;
import io.r2dbc.spi.Row;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.apache.pekko.persistence.SelectedSnapshot;
import org.apache.pekko.persistence.SnapshotMetadata;
import org.apache.pekko.persistence.SnapshotSelectionCriteria;
import org.apache.pekko.persistence.snapshot.japi.SnapshotStore;
import org.apache.pekko.persistence.typed.PersistenceId;
import scala.concurrent.Future;
import scala.jdk.javaapi.FutureConverters;

/** Snapshots beside {@link R2dbcJournal}, and like it: many actors share a statement. */
public final class R2dbcSnapshotStore extends SnapshotStore {

  private static final int MOST = 1_000;
  private static final int MOST_BYTES = 1 << 20;

  private record Snapshot(String actor, long number, long at, Stored stored) {

    String key() {
      return number + "|" + actor;
    }
  }

  private record Selection(String actor, SnapshotSelectionCriteria criteria) {}

  private final JournalDatabase journal = JournalDatabase.get(context().system());
  private final Batches<Snapshot, Boolean> saves =
      new Batches<>(MOST, MOST_BYTES, snapshot -> snapshot.stored().bytes().length, this::save);
  private final Batches<Selection, Optional<Snapshot>> loads = new Batches<>(MOST, this::load);
  private final Batches<Selection, Boolean> deletions = new Batches<>(MOST, this::delete);

  @Override
  public Future<Void> doSaveAsync(SnapshotMetadata metadata, Object snapshot) {
    return done(
        CompletableFuture.completedFuture(snapshot)
            .thenApply(journal::store)
            .thenCompose(
                stored ->
                    saves.ask(
                        new Snapshot(
                            metadata.persistenceId(),
                            metadata.sequenceNr(),
                            metadata.timestamp(),
                            stored))));
  }

  private CompletionStage<List<Boolean>> save(List<Snapshot> asked) {
    Map<String, Snapshot> last = new LinkedHashMap<>();
    asked.forEach(snapshot -> last.put(snapshot.key(), snapshot));
    List<Snapshot> snapshots = List.copyOf(last.values());
    Payloads payloads = Payloads.of(snapshots.stream().map(Snapshot::stored).toList());
    return query(
            """
            INSERT INTO snapshot (slice, entity_type, persistence_id, seq_nr, write_timestamp,
              ser_id, ser_manifest, snapshot)
            SELECT slice, entity_type, persistence_id, seq_nr, at, ser_id, ser_manifest,
              substring($8 FROM start FOR length)
            FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::int[],
              $7::text[], $9::int[], $10::int[])
              AS given (slice, entity_type, persistence_id, seq_nr, at, ser_id, ser_manifest,
                start, length)
            ON CONFLICT (persistence_id, seq_nr) DO UPDATE SET
              write_timestamp = excluded.write_timestamp, ser_id = excluded.ser_id,
              ser_manifest = excluded.ser_manifest, snapshot = excluded.snapshot
            """,
            row -> true,
            snapshots.stream()
                .map(each -> R2dbcJournal.slice(each.actor()))
                .toArray(Integer[]::new),
            snapshots.stream()
                .map(each -> PersistenceId.extractEntityType(each.actor()))
                .toArray(String[]::new),
            snapshots.stream().map(Snapshot::actor).toArray(String[]::new),
            snapshots.stream().map(Snapshot::number).toArray(Long[]::new),
            snapshots.stream().map(Snapshot::at).toArray(Long[]::new),
            snapshots.stream().map(each -> each.stored().serializer()).toArray(Integer[]::new),
            snapshots.stream().map(each -> each.stored().manifest()).toArray(String[]::new),
            payloads.bytes(),
            payloads.starts(),
            payloads.lengths())
        .thenApply(rows -> Collections.nCopies(asked.size(), true));
  }

  @Override
  public Future<Optional<SelectedSnapshot>> doLoadAsync(
      String actor, SnapshotSelectionCriteria criteria) {
    // One that has a form that nobody knows is its actor's trouble alone.
    return FutureConverters.asScala(
        loads.ask(new Selection(actor, criteria)).thenApply(found -> found.map(this::selected)));
  }

  private CompletionStage<List<Optional<Snapshot>>> load(List<Selection> asked) {
    List<Optional<Snapshot>> found =
        new ArrayList<>(Collections.nCopies(asked.size(), Optional.empty()));
    return query(
            """
            SELECT number, seq_nr, write_timestamp, ser_id, ser_manifest, snapshot
            FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
              WITH ORDINALITY AS asked (actor, first, last, since, upto, number)
            CROSS JOIN LATERAL (
              SELECT * FROM snapshot
              WHERE persistence_id = actor AND seq_nr BETWEEN first AND last
                AND write_timestamp BETWEEN since AND upto
              ORDER BY seq_nr DESC LIMIT 1) AS newest
            """,
            row -> {
              int number = Math.toIntExact(requireNonNull(row.get("number", Long.class))) - 1;
              return found.set(number, Optional.of(snapshot(asked.get(number).actor(), row)));
            },
            criteria(asked))
        .thenApply(rows -> found);
  }

  private static Snapshot snapshot(String actor, Row row) {
    return new Snapshot(
        actor,
        requireNonNull(row.get("seq_nr", Long.class)),
        requireNonNull(row.get("write_timestamp", Long.class)),
        new Stored(
            requireNonNull(row.get("ser_id", Integer.class)),
            requireNonNull(row.get("ser_manifest", String.class)),
            requireNonNull(row.get("snapshot", byte[].class))));
  }

  private SelectedSnapshot selected(Snapshot found) {
    return SelectedSnapshot.create(
        new SnapshotMetadata(found.actor(), found.number(), found.at()),
        journal.restore(found.stored()));
  }

  @Override
  public Future<Void> doDeleteAsync(SnapshotMetadata metadata) {
    long number = metadata.sequenceNr();
    return doDeleteAsync(
        metadata.persistenceId(),
        SnapshotSelectionCriteria.create(
            number,
            metadata.timestamp() == 0 ? Long.MAX_VALUE : metadata.timestamp(),
            number,
            metadata.timestamp()));
  }

  @Override
  public Future<Void> doDeleteAsync(String actor, SnapshotSelectionCriteria criteria) {
    return done(deletions.ask(new Selection(actor, criteria)));
  }

  private CompletionStage<List<Boolean>> delete(List<Selection> asked) {
    return query(
            """
            DELETE FROM snapshot
            USING unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
              AS asked (actor, first, last, since, upto)
            WHERE persistence_id = actor AND seq_nr BETWEEN first AND last
              AND write_timestamp BETWEEN since AND upto
            """,
            row -> true,
            criteria(asked))
        .thenApply(rows -> Collections.nCopies(asked.size(), true));
  }

  private static Object[] criteria(List<Selection> asked) {
    return new Object[] {
      asked.stream().map(Selection::actor).toArray(String[]::new),
      asked.stream().map(each -> each.criteria().minSequenceNr()).toArray(Long[]::new),
      asked.stream().map(each -> each.criteria().maxSequenceNr()).toArray(Long[]::new),
      asked.stream().map(each -> each.criteria().minTimestamp()).toArray(Long[]::new),
      asked.stream().map(each -> each.criteria().maxTimestamp()).toArray(Long[]::new)
    };
  }

  private <T> CompletionStage<List<T>> query(
      String sql, Function<Row, T> mapper, Object... parameters) {
    return journal
        .ready()
        .thenCompose(database -> database.query(sql, mapper, List.of(parameters)).toFuture());
  }

  private static Future<Void> done(CompletionStage<?> stage) {
    return FutureConverters.asScala(
        stage.<Void>thenCompose(done -> CompletableFuture.completedFuture(null)));
  }
}
