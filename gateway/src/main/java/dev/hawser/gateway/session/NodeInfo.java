package dev.hawser.gateway.session;

/**
 * A gateway node and what is on it.
 *
 * @param uid of this life of the node: {@code host:port#number}
 * @param name {@code host:port}
 * @param version of Hawser
 * @param connections of users; those without a token do not count
 * @param users who have connections here
 * @param uptime seconds since the start
 */
public record NodeInfo(
    String uid, String name, String version, int connections, int users, long uptime) {}
