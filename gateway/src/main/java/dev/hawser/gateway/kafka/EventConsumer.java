package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;

import dev.hawser.gateway.connection.ConnectionId;
import dev.hawser.gateway.session.Session;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.kafka.CommitterSettings;
import org.apache.pekko.kafka.ConsumerMessage.Committable;
import org.apache.pekko.kafka.ConsumerMessage.CommittableMessage;
import org.apache.pekko.kafka.ConsumerSettings;
import org.apache.pekko.kafka.RestrictedConsumer;
import org.apache.pekko.kafka.Subscriptions;
import org.apache.pekko.kafka.javadsl.Committer;
import org.apache.pekko.kafka.javadsl.Consumer;
import org.apache.pekko.kafka.javadsl.PartitionAssignmentHandler;
import org.apache.pekko.stream.RestartSettings;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.RestartSource;
import org.apache.pekko.stream.javadsl.Sink;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the events topic and hands each event to its user's session, per partition in order. An
 * offset is committed after the session has acknowledged the event, or the dead-letter topic has
 * taken it: a crash repeats events and loses none. Any failure reads again from the last commit.
 */
public final class EventConsumer {

  private static final Logger log = LoggerFactory.getLogger(EventConsumer.class);
  private static final int MAX_PARTITIONS = 4_096;

  private final ActorSystem<?> system;
  private final KafkaSettings settings;
  private final ClusterSharding sharding;
  private final RecordPublisher publisher;
  private final AtomicReference<Consumer.Control> control =
      new AtomicReference<>(Consumer.createNoopControl());
  private final CompletionStage<Done> ended;
  private final LongAdder events = new LongAdder();
  private final LongAdder deadLetters = new LongAdder();
  private final LongAdder inFlight = new LongAdder();
  private volatile boolean assigned;

  /** Starts to read, and goes on until stopped. */
  public EventConsumer(ActorSystem<?> system, KafkaSettings settings, RecordPublisher publisher) {
    this.system = system;
    this.settings = settings;
    this.sharding = ClusterSharding.get(system);
    this.publisher = publisher;
    var consumer =
        ConsumerSettings.create(system, new ByteArrayDeserializer(), new ByteArrayDeserializer())
            .withBootstrapServers(settings.bootstrapServers())
            .withGroupId(settings.consumerGroup())
            .withProperty(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest")
            // How long the partitions of a node that was killed belong to nobody.
            .withProperty(
                ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
                Long.toString(settings.sessionTimeout().toMillis()))
            // Draining knows when it is done; this would be waited out on top.
            .withStopTimeout(Duration.ZERO);
    var committer = CommitterSettings.create(system);
    var backoff = RestartSettings.create(Duration.ofMillis(500), Duration.ofSeconds(10), 0.2);
    this.ended =
        RestartSource.onFailuresWithBackoff(
                backoff,
                () ->
                    Consumer.committablePartitionedSource(
                            consumer,
                            Subscriptions.topics(settings.events())
                                .withPartitionAssignmentHandler(new Assignments()))
                        .mapMaterializedValue(
                            started -> {
                              control.set(started);
                              return started;
                            })
                        .flatMapMerge(
                            MAX_PARTITIONS,
                            partition ->
                                partition
                                    .second()
                                    .mapAsync(settings.eventsInFlight(), this::handOver))
                        .via(Committer.<Committable>flow(committer)))
            .toMat(Sink.ignore(), Keep.right())
            .run(system);
  }

  /** Whether this node is a member of the consumer group, with its share of the partitions. */
  public boolean assigned() {
    return assigned;
  }

  private final class Assignments implements PartitionAssignmentHandler {
    @Override
    public void onAssign(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      assigned = true;
    }

    @Override
    public void onRevoke(Set<TopicPartition> partitions, RestrictedConsumer consumer) {}

    @Override
    public void onLost(Set<TopicPartition> partitions, RestrictedConsumer consumer) {
      assigned = false;
    }

    @Override
    public void onStop(Set<TopicPartition> partitions, RestrictedConsumer consumer) {}
  }

  /** Events read for a user since the start, repeated ones included. */
  public long events() {
    return events.sum();
  }

  /** Records sent to the dead-letter topic since the start. */
  public long deadLetters() {
    return deadLetters.sum();
  }

  /** Records handed over and not yet acknowledged. */
  public long inFlight() {
    return inFlight.sum();
  }

  /** Finishes what was handed over and commits it. */
  public CompletionStage<Done> stop() {
    return control.get().drainAndShutdown(ended, system.executionContext());
  }

  private CompletionStage<Committable> handOver(CommittableMessage<byte[], byte[]> message) {
    var record = message.record();
    inFlight.increment();
    CompletionStage<?> done =
        switch (EventRecord.of(record, settings.requireJson())) {
          case EventRecord.ToUser toUser -> push(record, toUser.event());
          case EventRecord.Inner inner -> CompletableFuture.completedFuture(Done.getInstance());
          case EventRecord.Undeliverable undeliverable ->
              deadLetter(record, undeliverable.reason());
        };
    return done.whenComplete((handedOver, failure) -> inFlight.decrement())
        .thenApply(handedOver -> message.committableOffset());
  }

  private CompletionStage<Done> push(ConsumerRecord<byte[], byte[]> record, PushEvent event) {
    events.increment();
    String client = event.excludedClient();
    long excluded = client == null ? 0 : ConnectionId.fromText(client);
    return sharding
        .entityRefFor(Session.KEY, event.user())
        .ask(
            replyTo ->
                new Session.Push(event, record.partition(), record.offset(), excluded, replyTo),
            settings.acknowledgeTimeout());
  }

  private CompletionStage<Void> deadLetter(ConsumerRecord<byte[], byte[]> record, String reason) {
    String source = "%s-%d@%d".formatted(record.topic(), record.partition(), record.offset());
    log.warn("{} goes to {}: {}", source, settings.deadLetters(), reason);
    deadLetters.increment();
    var headers = new RecordHeaders(record.headers());
    addHeader(headers, EventHeaders.DEAD_LETTER_REASON, reason);
    addHeader(headers, EventHeaders.DEAD_LETTER_SOURCE, source);
    return publisher
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
