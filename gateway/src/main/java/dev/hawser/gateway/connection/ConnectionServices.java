package dev.hawser.gateway.connection;

import dev.hawser.gateway.session.Session;
import java.util.function.BiConsumer;

/**
 * What all connections of a node share.
 *
 * @param sessions sends a command to the session of a user, wherever it is; at most once
 * @param version the server's version, told to clients
 */
public record ConnectionServices(
    ConnectionSettings settings,
    DrainSettings drain,
    Authenticator authenticator,
    ConnectionId ids,
    BiConsumer<String, Session.Command> sessions,
    Upstream upstream,
    ConnectionListener listener,
    String version) {}
