package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.session.Events;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.Shards;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.jspecify.annotations.Nullable;

/**
 * Writes events of the HTTP API to the events topic: so there is one order per user, whoever
 * publishes.
 */
public final class EventPublisher implements Events {

  private final RecordPublisher publisher;
  private final String topic;
  private final Feeds feeds;
  private final LongAdder acknowledged = new LongAdder();
  private final LongAdder failed = new LongAdder();

  public EventPublisher(RecordPublisher publisher, KafkaSettings settings, Feeds feeds) {
    this.publisher = publisher;
    this.topic = settings.events();
    this.feeds = feeds;
  }

  /** Events that the broker has acknowledged since the start. */
  public long acknowledged() {
    return acknowledged.sum();
  }

  /** Events that it has not; their publishers were told. */
  public long failed() {
    return failed.sum();
  }

  @Override
  public CompletionStage<StreamPosition> publish(PushEvent event) {
    var record =
        new ProducerRecord<>(
            topic,
            Shards.of(event.user(), feeds.shards()),
            event.user().getBytes(UTF_8),
            event.payload().bytes());
    var headers = record.headers();
    addHeader(headers, EventHeaders.USER, event.user());
    addHeader(headers, EventHeaders.ID, orEmpty(event.id()));
    addHeader(headers, EventHeaders.EVENT, orEmpty(event.name()));
    addHeader(headers, EventHeaders.PUSH_CLIENT_ID, orEmpty(event.excludedClient()));
    if (!event.kept()) {
      addHeader(headers, EventHeaders.OFFLINE, "drop");
    }
    event
        .tags()
        .forEach(
            (name, value) -> headers.add(EventHeaders.TAG_PREFIX + name, value.getBytes(UTF_8)));
    return publisher
        .send(record)
        .whenComplete((sent, failure) -> (failure == null ? acknowledged : failed).increment())
        .thenApply(this::position)
        .exceptionallyCompose(
            failure ->
                CompletableFuture.failedFuture(
                    failure.getCause() instanceof RecordTooLargeException
                        ? new IllegalArgumentException("the event is larger than Kafka takes")
                        : failure));
  }

  private StreamPosition position(RecordMetadata sent) {
    return new StreamPosition(sent.hasOffset() ? sent.offset() + 1 : 0, feeds.epoch());
  }

  private static String orEmpty(@Nullable String value) {
    return value == null ? "" : value;
  }
}
