package dev.hawser.presence;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.r2dbc.spi.Row;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes {@code presence_events} to Kafka, each row once and those of a user in order, whatever
 * ends in between.
 *
 * <p>One node at a time publishes: it holds a lease in {@code presence_publishing}. What makes this
 * safe is Kafka: all nodes share a transactional id, so who begins fences off who went before,
 * however late that one finds out. Each transaction also commits how far it got, as an offset of a
 * consumer group that nobody consumes in. Rows are deleted after it; who takes over reads that
 * offset and deletes what the one before did not get to.
 *
 * <p>How far: rows are taken in windows. A window is all rows of transactions below a horizon (the
 * lowest that is still running), so it gets no more rows, and within it rows go by id. An id alone
 * would not do: a transaction with lower ids may commit after one with higher ids.
 *
 * <p>Blocks; for one thread, but for {@link #stopWaiting}.
 */
final class PresencePublisher implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(PresencePublisher.class);

  /** Rows in one transaction. */
  static final int PAGE_SIZE = 2_000;

  private static final Duration LEASE = Duration.ofSeconds(10);
  private static final Duration KAFKA_TIMEOUT = Duration.ofSeconds(5);

  private static final String ENABLE = "SELECT presence_events_enable($1)";

  private static final String HOLD =
      """
      UPDATE presence_publishing SET holder = $1, until = now() + $2 * interval '1 millisecond'
      WHERE holder = $1 OR until < now()
      RETURNING identity::text AS identity
      """;

  private static final String RELEASE =
      "UPDATE presence_publishing SET until = now() WHERE holder = $1";

  private static final String HORIZON =
      "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon";

  private static final String READ =
      """
      SELECT id, user_id, event, at, stay, since, connections, resource, idle FROM presence_events
      WHERE transaction < $1::text::xid8 AND id > $2
      ORDER BY id LIMIT $3
      """;

  private static final String DELETE =
      "DELETE FROM presence_events WHERE transaction < $1::text::xid8 AND id <= $2";

  /**
   * What a record on Kafka says, as JSON.
   *
   * @param stay the id of the row that it is about: the stay, or the view
   * @param connections of the user at this time, on all nodes; of a view: that have this one
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Event(
      String event,
      String user,
      String at,
      long stay,
      String since,
      int connections,
      @Nullable String resource,
      @Nullable Boolean idle) {}

  private record Waiting(long id, Event event) {}

  /** All rows below the horizon with no higher id are published. */
  private record Place(String horizon, long id) {}

  private final PresenceDatabase database;
  private final PresenceSettings.Events settings;
  private final ObjectMapper json = new ObjectMapper();

  /** Of this process. */
  private final String holder = UUID.randomUUID().toString();

  /** Where the group of the published places has its one offset. */
  private final TopicPartition placesPartition;

  private @Nullable Session session;
  private long holdUntil;
  private boolean failed;

  /** Of a session that waits for Kafka to let it begin. */
  private volatile @Nullable Producer<byte[], byte[]> beginning;

  private volatile boolean stopping;

  PresencePublisher(PresenceDatabase database, PresenceSettings.Events settings) {
    this.database = database;
    this.settings = settings;
    this.placesPartition = new TopicPartition(settings.topic(), 0);
  }

  /** Says for all nodes whether events are written down; what waits is discarded if not. */
  static void enable(PresenceDatabase database, boolean enabled) {
    var unused = database.query(ENABLE, row -> true, List.of(enabled)).block();
  }

  /** Publishes all that waits, if it is this node's turn. Kafka being away is logged once. */
  void publish() {
    try {
      Session current = hold();
      while (current != null && current.publishPage()) {
        current = hold();
      }
      if (current != null && failed) {
        failed = false;
        log.info("presence events are published again");
      }
    } catch (KafkaException failure) {
      end();
      if (!failed && !stopping) {
        failed = true;
        log.warn(
            "presence events cannot be published to {} and wait: {}",
            settings.topic(),
            failure.getMessage());
      }
    } catch (RuntimeException failure) {
      // Rows that were published may still be there; a new session deletes them first.
      end();
      throw failure;
    }
  }

  /**
   * From now on no session begins, and one that waits for Kafka to begin fails at once; one that
   * has begun goes on. For any thread.
   */
  void stopWaiting() {
    stopping = true;
    Producer<byte[], byte[]> waiting = beginning;
    if (waiting != null) {
      waiting.close(Duration.ZERO);
    }
  }

  /** The session while it is this node's turn; kept so by a write now and then. */
  private @Nullable Session hold() {
    if (session == null ? stopping : System.nanoTime() - holdUntil < 0) {
      return session;
    }
    long now = System.nanoTime();
    List<String> held =
        Objects.requireNonNull(
            database
                .query(
                    HOLD,
                    row -> Objects.requireNonNull(row.get("identity", String.class)),
                    List.of(holder, LEASE.toMillis()))
                .block());
    if (held.isEmpty()) {
      end();
      return null;
    }
    holdUntil = now + LEASE.toNanos() / 3;
    if (session == null) {
      session = new Session(held.getFirst());
    }
    return session;
  }

  private void end() {
    if (session != null) {
      session.close();
      session = null;
    }
  }

  @Override
  public void close() {
    if (session != null) {
      end();
      var unused = database.query(RELEASE, row -> true, List.of(holder)).block();
    }
  }

  /** From taking over to the first failure. */
  private final class Session implements AutoCloseable {
    private final Producer<byte[], byte[]> producer;
    private final ConsumerGroupMetadata places;
    private Place place;

    /**
     * Fences off whoever published before.
     *
     * @param identity of the database: another one's places mean nothing here
     */
    Session(String identity) {
      String name = "hawser-presence-" + identity;
      producer =
          new KafkaProducer<>(
              settings
                  .kafka()
                  .client(
                      Map.of(
                          "transactional.id",
                          name,
                          "transaction.timeout.ms",
                          Math.toIntExact(2 * KAFKA_TIMEOUT.toMillis()),
                          "max.block.ms",
                          KAFKA_TIMEOUT.toMillis(),
                          "request.timeout.ms",
                          Math.toIntExact(KAFKA_TIMEOUT.toMillis()),
                          "delivery.timeout.ms",
                          Math.toIntExact(2 * KAFKA_TIMEOUT.toMillis()),
                          "linger.ms",
                          5,
                          "compression.type",
                          "lz4")),
              new ByteArraySerializer(),
              new ByteArraySerializer());
      boolean begun = false;
      beginning = producer;
      try {
        if (stopping) {
          throw new KafkaException("this node stops");
        }
        producer.initTransactions();
        try (var consumer = placesConsumer(name)) {
          places = consumer.groupMetadata();
          OffsetAndMetadata committed =
              consumer.committed(Set.of(placesPartition), KAFKA_TIMEOUT).get(placesPartition);
          place =
              committed == null
                  ? new Place("0", 0)
                  : new Place(committed.metadata(), committed.offset());
        }
        delete();
        begun = true;
      } finally {
        beginning = null;
        if (!begun) {
          close();
        }
      }
      log.info("this node publishes presence events to {}", settings.topic());
    }

    /** False if nothing is left to publish now. */
    boolean publishPage() {
      List<Waiting> page = read();
      if (page.isEmpty()) {
        String horizon =
            Objects.requireNonNull(
                    database
                        .query(
                            HORIZON,
                            row -> Objects.requireNonNull(row.get("horizon", String.class)),
                            List.of())
                        .block())
                .getFirst();
        place = new Place(horizon, 0);
        page = read();
      }
      if (page.isEmpty()) {
        return false;
      }
      var next = new Place(place.horizon(), page.getLast().id());
      producer.beginTransaction();
      for (Waiting waiting : page) {
        var unused = producer.send(record(waiting));
      }
      producer.sendOffsetsToTransaction(
          Map.of(placesPartition, new OffsetAndMetadata(next.id(), next.horizon())), places);
      producer.commitTransaction();
      place = next;
      delete();
      return true;
    }

    private List<Waiting> read() {
      return Objects.requireNonNull(
          database
              .query(
                  READ, PresencePublisher::waiting, List.of(place.horizon(), place.id(), PAGE_SIZE))
              .block());
    }

    private void delete() {
      var unused =
          database.query(DELETE, row -> true, List.of(place.horizon(), place.id())).block();
    }

    @Override
    public void close() {
      producer.close(Duration.ZERO);
    }
  }

  /** Sees what is committed, and waits for transactions that are about to be. */
  private KafkaConsumer<byte[], byte[]> placesConsumer(String group) {
    return new KafkaConsumer<>(
        settings.kafka().client(Map.of("group.id", group, "isolation.level", "read_committed")),
        new ByteArrayDeserializer(),
        new ByteArrayDeserializer());
  }

  private static Waiting waiting(Row row) {
    return new Waiting(
        Objects.requireNonNull(row.get("id", Long.class)),
        new Event(
            Objects.requireNonNull(row.get("event", String.class)),
            Objects.requireNonNull(row.get("user_id", String.class)),
            Objects.requireNonNull(row.get("at", Instant.class)).toString(),
            Objects.requireNonNull(row.get("stay", Long.class)),
            Objects.requireNonNull(row.get("since", Instant.class)).toString(),
            Objects.requireNonNull(row.get("connections", Integer.class)),
            row.get("resource", String.class),
            row.get("idle", Boolean.class)));
  }

  private ProducerRecord<byte[], byte[]> record(Waiting waiting) {
    byte[] user = waiting.event().user().getBytes(UTF_8);
    try {
      var record =
          new ProducerRecord<>(
              settings.topic(), user, json.writeValueAsString(waiting.event()).getBytes(UTF_8));
      record.headers().add("X-Uid", user);
      record.headers().add("X-ID", Long.toString(waiting.id()).getBytes(UTF_8));
      record.headers().add("X-Event", waiting.event().event().getBytes(UTF_8));
      return record;
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
