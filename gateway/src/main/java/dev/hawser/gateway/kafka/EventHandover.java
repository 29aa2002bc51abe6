package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;

import dev.hawser.gateway.connection.ConnectionId;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.session.Shards;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.pattern.Patterns;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings each record to where it belongs: to its user's session, to the partition of that user, or
 * to the dead letters.
 */
final class EventHandover {

  private static final Logger log = LoggerFactory.getLogger(EventHandover.class);

  /** Sharding delivers at most once: what is not acknowledged in this time is handed over again. */
  private static final Duration ATTEMPT = Duration.ofSeconds(2);

  /** What failed, and may work, is tried again after this time. */
  private static final Duration ATTEMPT_INTERVAL = Duration.ofMillis(100);

  private final ActorSystem<?> system;
  private final ClusterSharding sharding;
  private final KafkaSettings settings;
  private final int shards;
  private final String epoch;
  private final RecordPublisher publisher;
  private final LongAdder events = new LongAdder();
  private final LongAdder deadLetters = new LongAdder();
  private final LongAdder misrouted = new LongAdder();
  private final LongAdder inFlight = new LongAdder();

  /**
   * @param epoch of the topic, which makes a record's place unique
   */
  EventHandover(
      ActorSystem<?> system,
      KafkaSettings settings,
      int shards,
      String epoch,
      RecordPublisher publisher) {
    this.system = system;
    this.sharding = ClusterSharding.get(system);
    this.settings = settings;
    this.shards = shards;
    this.epoch = epoch;
    this.publisher = publisher;
  }

  long events() {
    return events.sum();
  }

  long deadLetters() {
    return deadLetters.sum();
  }

  long misrouted() {
    return misrouted.sum();
  }

  long inFlight() {
    return inFlight.sum();
  }

  /**
   * The user it is for; null if that is nobody, or its partition is not this user's: then its
   * offset means nothing in the user's stream.
   */
  @Nullable String userAtHome(ConsumerRecord<?, ?> record, EventRecord event) {
    return event instanceof EventRecord.ToUser toUser
            && Shards.of(toUser.event().user(), shards) == record.partition()
        ? toUser.event().user()
        : null;
  }

  /**
   * Completes when the record is where it belongs.
   *
   * @param generation of the partition's {@link dev.hawser.gateway.session.Feeds}
   * @param revoked whether the node has lost the partition: then its next owner does this
   */
  CompletionStage<?> handOver(
      ConsumerRecord<byte[], byte[]> record,
      EventRecord event,
      long generation,
      BooleanSupplier revoked) {
    inFlight.increment();
    Supplier<CompletionStage<?>> attempt =
        switch (event) {
          case EventRecord.ToUser toUser ->
              userAtHome(record, toUser) != null
                  ? push(record, toUser.event(), generation)
                  : reroute(record, toUser.event());
          case EventRecord.Inner inner -> () -> CompletableFuture.completedFuture(null);
          case EventRecord.Undeliverable undeliverable ->
              deadLetter(record, undeliverable.reason());
        };
    long giveUpAt = System.nanoTime() + settings.acknowledgeTimeout().toNanos();
    return insist(attempt, revoked, giveUpAt)
        .whenComplete((handedOver, failure) -> inFlight.decrement());
  }

  private CompletionStage<Object> insist(
      Supplier<CompletionStage<?>> attempt, BooleanSupplier revoked, long giveUpAt) {
    return attempt
        .get()
        .<Object>thenApply(done -> done)
        .exceptionallyCompose(
            failure -> {
              if (revoked.getAsBoolean()) {
                // Nothing of this partition is committed here any more.
                return CompletableFuture.completedFuture(null);
              }
              Throwable cause =
                  failure instanceof CompletionException ? failure.getCause() : failure;
              boolean mayWork =
                  cause instanceof TimeoutException || cause instanceof RetriableException;
              return mayWork && System.nanoTime() < giveUpAt
                  ? Patterns.after(
                      ATTEMPT_INTERVAL, system, () -> insist(attempt, revoked, giveUpAt))
                  : CompletableFuture.failedFuture(failure);
            });
  }

  private Supplier<CompletionStage<?>> push(
      ConsumerRecord<byte[], byte[]> record, PushEvent event, long generation) {
    events.increment();
    String client = event.excludedClient();
    long excluded = client == null ? 0 : ConnectionId.fromText(client);
    long offset = record.offset() + 1;
    var session = sharding.entityRefFor(Session.KEY, event.user());
    return () ->
        session.<Done>ask(
            replyTo -> new Session.Push(event, offset, excluded, generation, replyTo), ATTEMPT);
  }

  /**
   * Written by a producer with another partitioner: its user's session is somewhere else. The next
   * owner of the partition may read it again, so it gets an id by which the second is known.
   */
  private Supplier<CompletionStage<?>> reroute(
      ConsumerRecord<byte[], byte[]> record, PushEvent event) {
    misrouted.increment();
    var headers = new RecordHeaders(record.headers());
    if (event.id() == null) {
      addHeader(
          headers,
          EventHeaders.ID,
          "%s/%d@%d".formatted(epoch, record.partition(), record.offset()));
    }
    var home =
        new ProducerRecord<>(
            record.topic(),
            Shards.of(event.user(), shards),
            event.user().getBytes(StandardCharsets.UTF_8),
            record.value(),
            headers);
    return () -> publisher.send(home);
  }

  private Supplier<CompletionStage<?>> deadLetter(
      ConsumerRecord<byte[], byte[]> record, String reason) {
    String source = "%s-%d@%d".formatted(record.topic(), record.partition(), record.offset());
    log.warn("{} goes to {}: {}", source, settings.deadLetters(), reason);
    deadLetters.increment();
    var headers = new RecordHeaders(record.headers());
    addHeader(headers, EventHeaders.DEAD_LETTER_REASON, reason);
    addHeader(headers, EventHeaders.DEAD_LETTER_SOURCE, source);
    return () ->
        publisher
            .send(deadLetter(record, record.value(), headers))
            .exceptionallyCompose(
                failure ->
                    // With its new headers it is larger than Kafka allows: better without its value
                    // than the end of the partition.
                    failure instanceof RecordTooLargeException
                        ? publisher.send(deadLetter(record, null, headers))
                        : CompletableFuture.failedFuture(failure));
  }

  private ProducerRecord<byte[], byte[]> deadLetter(
      ConsumerRecord<byte[], byte[]> record, byte @Nullable [] value, RecordHeaders headers) {
    return new ProducerRecord<>(settings.deadLetters(), null, null, record.key(), value, headers);
  }
}
