package dev.hawser.protocol.event;

import dev.hawser.protocol.client.Payload;
import org.jspecify.annotations.Nullable;

/**
 * An event on its way to a user, as the headers and the value of a Kafka record describe it.
 *
 * @param user the user it is for, never empty
 * @param id message id, null when the producer gave none
 * @param name event name, null when the producer gave none
 * @param excludedClient the connection that must not get it, null when all of the user's do
 * @param kept whether it is kept for a user who is away for longer than the recovery window
 * @param payload what clients receive, untouched
 */
public record PushEvent(
    String user,
    @Nullable String id,
    @Nullable String name,
    @Nullable String excludedClient,
    boolean kept,
    Payload payload) {}
