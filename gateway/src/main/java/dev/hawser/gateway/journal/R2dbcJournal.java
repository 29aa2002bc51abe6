package dev.hawser.gateway.journal;

import static java.util.Objects.requireNonNull;

import dev.hawser.gateway.journal.JournalDatabase.Stored;
import dev.hawser.presence.PresenceDatabase;
import io.r2dbc.spi.R2dbcDataIntegrityViolationException;
import io.r2dbc.spi.Row;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.persistence.AtomicWrite;
import org.apache.pekko.persistence.PersistentRepr;
import org.apache.pekko.persistence.journal.Tagged;
import org.apache.pekko.persistence.journal.japi.AsyncWriteJournal;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.jspecify.annotations.Nullable;
import scala.concurrent.Future;
import scala.jdk.javaapi.CollectionConverters;
import scala.jdk.javaapi.FutureConverters;

/**
 * A journal for very many actors that persist little each: what they write, read and delete at the
 * same time goes in one statement. A second writer of an actor, a node that was paused, fails by
 * the primary key. Settings are those of {@code hawser.presence.database}.
 */
public final class R2dbcJournal extends AsyncWriteJournal {

  private static final int MOST_WRITES = 1_000;
  private static final int MOST_BYTES = 1 << 20;
  private static final int MOST_READS = 1_000;

  /** Of one actor in one statement: long replays go on in later ones, short ones do not wait. */
  private static final long MOST_EVENTS = 200;

  private static final int SLICES = 1_024;

  /** An event of an actor on its way into the table. */
  private record Event(
      String actor, long number, String writer, String manifest, String[] tags, Stored stored) {}

  /** A row, which may have a form that nobody knows: that is its actor's trouble alone. */
  private record Found(long number, long at, String writer, String manifest, Stored stored) {}

  private record Replay(String actor, long from, long to, long most) {}

  private record Deletion(String actor, long to) {}

  private final JournalDatabase journal = JournalDatabase.get(context().system());
  private final Batches<List<Event>, Optional<Throwable>> writes =
      new Batches<>(MOST_WRITES, MOST_BYTES, R2dbcJournal::size, this::write);
  private final Batches<Replay, List<Found>> replays = new Batches<>(MOST_READS, this::replay);
  private final Batches<String, Long> highest = new Batches<>(MOST_READS, this::highest);
  private final Batches<Deletion, Boolean> deletions = new Batches<>(MOST_READS, this::delete);

  /** Of a persistence id, as Pekko's projections count. */
  static int slice(String actor) {
    return Math.abs(actor.hashCode() % SLICES);
  }

  private static int size(List<Event> events) {
    return events.stream().mapToInt(event -> event.stored().bytes().length).sum();
  }

  // Writing.

  @Override
  public Future<Iterable<Optional<Exception>>> doAsyncWriteMessages(Iterable<AtomicWrite> asked) {
    List<Optional<Exception>> rejections = new ArrayList<>();
    List<Event> events = new ArrayList<>();
    for (AtomicWrite atomic : asked) {
      try {
        events.addAll(
            CollectionConverters.asJava(atomic.payload()).stream().map(this::event).toList());
        rejections.add(Optional.empty());
      } catch (Exception noForm) {
        rejections.add(Optional.of(noForm));
      }
    }
    if (events.isEmpty()) {
      return Future.successful(rejections);
    }
    return FutureConverters.asScala(
        writes
            .ask(events)
            .thenApply(
                failure -> {
                  failure.ifPresent(
                      cause -> {
                        throw new CompletionException(cause);
                      });
                  return rejections;
                }));
  }

  private Event event(PersistentRepr message) {
    boolean tagged = message.payload() instanceof Tagged;
    Object payload = tagged ? ((Tagged) message.payload()).payload() : message.payload();
    String[] tags =
        tagged
            ? CollectionConverters.asJava(((Tagged) message.payload()).tags())
                .toArray(String[]::new)
            : new String[0];
    return new Event(
        message.persistenceId(),
        message.sequenceNr(),
        message.writerUuid(),
        message.manifest(),
        tags,
        journal.store(payload));
  }

  /** If one of them cannot be written, the others are, each by itself. */
  private CompletionStage<List<Optional<Throwable>>> write(List<List<Event>> asked) {
    return insert(asked.stream().flatMap(List::stream).toList())
        .handle(
            (done, failure) -> {
              Throwable cause = unwrap(failure);
              if (cause == null) {
                return completed(Collections.nCopies(asked.size(), Optional.<Throwable>empty()));
              }
              return asked.size() > 1 && cause instanceof R2dbcDataIntegrityViolationException
                  ? oneByOne(asked)
                  : completed(Collections.nCopies(asked.size(), Optional.of(cause)));
            })
        .thenCompose(results -> results);
  }

  private CompletionStage<List<Optional<Throwable>>> oneByOne(List<List<Event>> asked) {
    List<Optional<Throwable>> results = new ArrayList<>();
    CompletionStage<?> last = completed(results);
    for (List<Event> events : asked) {
      last =
          last.thenCompose(
              before ->
                  insert(events)
                      .handle(
                          (done, failure) -> results.add(Optional.ofNullable(unwrap(failure)))));
    }
    return last.thenApply(all -> results);
  }

  private CompletionStage<?> insert(List<Event> events) {
    Payloads payloads = Payloads.of(events.stream().map(Event::stored).toList());
    return query(
        """
        INSERT INTO event_journal (slice, entity_type, persistence_id, seq_nr, db_timestamp,
          event_ser_id, event_ser_manifest, event_payload, writer, adapter_manifest, tags)
        SELECT slice, entity_type, persistence_id, seq_nr, statement_timestamp(), ser_id,
          ser_manifest, substring($7 FROM start FOR length), writer, adapter_manifest,
          nullif(string_to_array(tags, chr(10)), '{}')
        FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::text[],
          $8::int[], $9::int[], $10::text[], $11::text[], $12::text[])
          AS given (slice, entity_type, persistence_id, seq_nr, ser_id, ser_manifest,
            start, length, writer, adapter_manifest, tags)
        """,
        row -> true,
        events.stream().map(event -> slice(event.actor())).toArray(Integer[]::new),
        texts(events, event -> PersistenceId.extractEntityType(event.actor())),
        texts(events, Event::actor),
        events.stream().map(Event::number).toArray(Long[]::new),
        events.stream().map(event -> event.stored().serializer()).toArray(Integer[]::new),
        texts(events, event -> event.stored().manifest()),
        payloads.bytes(),
        payloads.starts(),
        payloads.lengths(),
        texts(events, Event::writer),
        texts(events, Event::manifest),
        texts(events, event -> String.join("\n", event.tags())));
  }

  private static String[] texts(
      List<Event> events, java.util.function.Function<Event, String> text) {
    return events.stream().map(text).toArray(String[]::new);
  }

  // Reading.

  @Override
  public Future<Void> doAsyncReplayMessages(
      String actor, long from, long to, long most, Consumer<PersistentRepr> receiver) {
    return FutureConverters.asScala(replay(new Replay(actor, from, to, most), receiver));
  }

  private CompletionStage<Void> replay(Replay wanted, Consumer<PersistentRepr> receiver) {
    if (wanted.most() <= 0 || wanted.from() > wanted.to()) {
      return CompletableFuture.completedFuture(null);
    }
    long page = Math.min(wanted.most(), MOST_EVENTS);
    return replays
        .ask(new Replay(wanted.actor(), wanted.from(), wanted.to(), page))
        .thenCompose(
            events -> {
              events.forEach(event -> receiver.accept(message(wanted.actor(), event)));
              return events.size() < page
                  ? CompletableFuture.completedFuture(null)
                  : replay(
                      new Replay(
                          wanted.actor(),
                          events.getLast().number() + 1,
                          wanted.to(),
                          wanted.most() - page),
                      receiver);
            });
  }

  private CompletionStage<List<List<Found>>> replay(List<Replay> asked) {
    List<List<Found>> found =
        IntStream.range(0, asked.size())
            .mapToObj(i -> (List<Found>) new ArrayList<Found>())
            .toList();
    return query(
            """
            SELECT number, seq_nr, event_ser_id, event_ser_manifest, event_payload, writer,
              adapter_manifest, (extract(epoch FROM db_timestamp) * 1000)::bigint AS at
            FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
              AS asked (actor, first, last, most, number)
            CROSS JOIN LATERAL (
              SELECT * FROM event_journal
              WHERE persistence_id = actor AND seq_nr BETWEEN first AND last AND NOT deleted
              ORDER BY seq_nr LIMIT most) AS events
            ORDER BY number, seq_nr
            """,
            row -> {
              int number = Math.toIntExact(requireNonNull(row.get("number", Long.class))) - 1;
              return found.get(number).add(found(row));
            },
            asked.stream().map(Replay::actor).toArray(String[]::new),
            asked.stream().map(Replay::from).toArray(Long[]::new),
            asked.stream().map(Replay::to).toArray(Long[]::new),
            asked.stream().map(Replay::most).toArray(Long[]::new))
        .thenApply(rows -> found);
  }

  private static Found found(Row row) {
    return new Found(
        requireNonNull(row.get("seq_nr", Long.class)),
        requireNonNull(row.get("at", Long.class)),
        requireNonNull(row.get("writer", String.class)),
        requireNonNull(row.get("adapter_manifest", String.class)),
        new Stored(
            requireNonNull(row.get("event_ser_id", Integer.class)),
            requireNonNull(row.get("event_ser_manifest", String.class)),
            requireNonNull(row.get("event_payload", byte[].class))));
  }

  private PersistentRepr message(String actor, Found event) {
    return PersistentRepr.apply(
            journal.restore(event.stored()),
            event.number(),
            actor,
            event.manifest(),
            false,
            ActorRef.noSender(),
            event.writer())
        .withTimestamp(event.at());
  }

  @Override
  public Future<Long> doAsyncReadHighestSequenceNr(String actor, long from) {
    return FutureConverters.asScala(highest.ask(actor));
  }

  private CompletionStage<List<Long>> highest(List<String> actors) {
    Map<String, Long> found = new HashMap<>();
    return query(
            """
            SELECT actor, highest FROM unnest($1::text[]) AS asked (actor)
            CROSS JOIN LATERAL (
              SELECT seq_nr AS highest FROM event_journal
              WHERE persistence_id = actor ORDER BY seq_nr DESC LIMIT 1) AS last
            """,
            row -> {
              found.put(
                  requireNonNull(row.get("actor", String.class)),
                  requireNonNull(row.get("highest", Long.class)));
              return true;
            },
            (Object) actors.stream().distinct().toArray(String[]::new))
        .thenApply(rows -> actors.stream().map(actor -> found.getOrDefault(actor, 0L)).toList());
  }

  // Deleting.

  @Override
  public Future<Void> doAsyncDeleteMessagesTo(String actor, long to) {
    return FutureConverters.asScala(
        deletions
            .ask(new Deletion(actor, to))
            .<Void>thenCompose(done -> CompletableFuture.completedFuture(null)));
  }

  /**
   * The last of them stays, without its payload: the highest sequence number is never forgotten.
   */
  private CompletionStage<List<Boolean>> delete(List<Deletion> asked) {
    Map<String, Long> to = new HashMap<>();
    asked.forEach(deletion -> to.merge(deletion.actor(), deletion.to(), Math::max));
    return query(
            """
            WITH last AS (
              SELECT persistence_id AS actor, max(seq_nr) AS seq_nr
              FROM unnest($1::text[], $2::bigint[]) AS asked (actor, upto)
              JOIN event_journal ON persistence_id = actor AND seq_nr <= upto
              GROUP BY persistence_id),
            gone AS (
              DELETE FROM event_journal AS event USING last
              WHERE event.persistence_id = actor AND event.seq_nr < last.seq_nr)
            UPDATE event_journal AS event SET deleted = true, event_payload = ''
            FROM last WHERE event.persistence_id = actor AND event.seq_nr = last.seq_nr
            """,
            row -> true,
            to.keySet().toArray(String[]::new),
            to.values().toArray(Long[]::new))
        .thenApply(rows -> Collections.nCopies(asked.size(), true));
  }

  private <T> CompletionStage<List<T>> query(
      String sql, java.util.function.Function<Row, T> mapper, Object... parameters) {
    return journal
        .ready()
        .thenCompose(
            (PresenceDatabase database) ->
                database.query(sql, mapper, List.of(parameters)).toFuture());
  }

  private static <T> CompletionStage<T> completed(T value) {
    return CompletableFuture.completedFuture(value);
  }

  private static @Nullable Throwable unwrap(@Nullable Throwable failure) {
    return failure instanceof CompletionException && failure.getCause() != null
        ? failure.getCause()
        : failure;
  }
}
