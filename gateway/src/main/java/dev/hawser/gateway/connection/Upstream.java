package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.Payload;
import java.util.concurrent.CompletionStage;

/** Where messages of clients go: to the business services, through Kafka. */
@FunctionalInterface
public interface Upstream {

  /**
   * Hands a message over without blocking. The stage completes once the broker has acknowledged it
   * and fails when that cannot be had now; the client may try again then.
   */
  CompletionStage<Void> send(Message message);

  /**
   * What one client says.
   *
   * @param user who sent it, empty for an anonymous connection
   * @param clientId the connection it came from
   * @param clientVersion application name and version of the client, {@code name/version}
   * @param event {@code publish} or {@code send}
   * @param payload the message, untouched
   */
  record Message(
      String user, String clientId, String clientVersion, String event, Payload payload) {}
}
