package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.Upstream;
import dev.hawser.protocol.event.EventHeaders;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes messages of clients to the upstream topic, keyed by user, for business services to read.
 */
public final class UpstreamPublisher implements Upstream {

  private final RecordPublisher publisher;
  private final String topic;
  private final String serverVersion;
  private final LongAdder inFlight = new LongAdder();
  private final LongAdder acknowledged = new LongAdder();
  private final LongAdder failed = new LongAdder();

  public UpstreamPublisher(RecordPublisher publisher, KafkaSettings settings, String version) {
    this.publisher = publisher;
    this.topic = settings.upstream();
    this.serverVersion = version;
  }

  /** Messages that the broker has not yet acknowledged. */
  public long inFlight() {
    return inFlight.sum();
  }

  /** Messages that the broker has acknowledged since the start. */
  public long acknowledged() {
    return acknowledged.sum();
  }

  /** Messages that were given up since the start; their clients were told. */
  public long failed() {
    return failed.sum();
  }

  @Override
  public CompletionStage<Void> send(Message message) {
    byte[] key = message.user().isEmpty() ? null : message.user().getBytes(UTF_8);
    var record = new ProducerRecord<>(topic, key, message.payload().bytes());
    var headers = record.headers();
    addHeader(headers, EventHeaders.ID, UUID.randomUUID().toString());
    addHeader(headers, EventHeaders.USER, message.user());
    addHeader(headers, EventHeaders.EVENT, message.event());
    addHeader(headers, EventHeaders.AUTH_TYPE, message.user().isEmpty() ? "anonymous" : "jwt");
    addHeader(headers, EventHeaders.CLIENT_VERSION, message.clientVersion());
    addHeader(headers, EventHeaders.SERVER_VERSION, serverVersion);
    addHeader(headers, EventHeaders.PUSH_CLIENT_ID, message.clientId());
    inFlight.increment();
    return publisher
        .send(record)
        .whenComplete(
            (sent, failure) -> {
              inFlight.decrement();
              (failure == null ? acknowledged : failed).increment();
            })
        .thenAccept(sent -> {});
  }
}
