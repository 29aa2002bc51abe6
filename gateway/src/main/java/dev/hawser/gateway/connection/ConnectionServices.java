package dev.hawser.gateway.connection;

import dev.hawser.gateway.session.Sessions;
import java.util.function.Supplier;

/**
 * What all connections of a node share.
 *
 * @param drain how clients are sent away when the node stops
 * @param version the server's version, told to clients
 */
public record ConnectionServices(
    ConnectionSettings settings,
    Admission admission,
    Supplier<DrainSettings> drain,
    Authenticator authenticator,
    ConnectionId ids,
    Sessions sessions,
    Upstream upstream,
    ConnectionListener listener,
    String version) {}
