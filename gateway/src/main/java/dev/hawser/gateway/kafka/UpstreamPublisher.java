package dev.hawser.gateway.kafka;

import static dev.hawser.gateway.kafka.RecordPublisher.addHeader;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.Upstream;
import dev.hawser.protocol.event.EventHeaders;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes messages of clients to the upstream topic, keyed by user, for business services to read.
 */
public final class UpstreamPublisher implements Upstream {

  private final RecordPublisher publisher;
  private final String topic;
  private final String serverVersion;

  public UpstreamPublisher(RecordPublisher publisher, KafkaSettings settings, String version) {
    this.publisher = publisher;
    this.topic = settings.upstream();
    this.serverVersion = version;
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
    return publisher.send(record);
  }
}
