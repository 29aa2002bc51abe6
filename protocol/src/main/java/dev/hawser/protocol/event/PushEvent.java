package dev.hawser.protocol.event;

import dev.hawser.protocol.client.Payload;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An event on its way to a user, as the headers and the value of a Kafka record describe it.
 *
 * @param user the user it is for, never empty
 * @param id message id, null when the producer gave none
 * @param name event name, null when the producer gave none
 * @param excludedClient the connection that must not get it, null when all of the user's do
 * @param kept whether it is kept for a user who is away for longer than the recovery window
 * @param tags what else the producer wants clients to know, by name
 * @param payload what clients receive, untouched
 */
public record PushEvent(
    String user,
    @Nullable String id,
    @Nullable String name,
    @Nullable String excludedClient,
    boolean kept,
    Map<String, String> tags,
    Payload payload) {

  public PushEvent {
    tags = Map.copyOf(tags);
  }
}
