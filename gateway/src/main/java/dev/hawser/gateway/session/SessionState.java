package dev.hawser.gateway.session;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a session knows: its user's connections, oldest first, and the last event it has passed on.
 * Not thread-safe. Most users have one connection, so the list is kept at its exact size.
 */
final class SessionState {

  /** One of the user's connections. */
  record Connection(long id, Outbox outbox) {}

  private final DevicePolicy policy;
  private final ArrayList<Connection> connections = new ArrayList<>(1);
  private int lastPartition = -1;
  private long lastOffset = -1;

  SessionState(DevicePolicy policy) {
    this.policy = policy;
  }

  /**
   * Adds a connection; a second attach of the same one changes nothing.
   *
   * @return the connection that has to go by the device policy, possibly the new one; null if none
   */
  @Nullable Connection attach(Connection connection) {
    if (connections.stream().anyMatch(known -> known.id() == connection.id())) {
      return null;
    }
    if (connections.size() < policy.maxConnections()) {
      connections.add(connection);
      return null;
    }
    return switch (policy.excess()) {
      case REJECT_NEWEST -> connection;
      case KICK_OLDEST -> {
        connections.add(connection);
        yield connections.removeFirst();
      }
    };
  }

  /** Removes a connection, if it is there: one that was kicked still says goodbye later. */
  void detach(long id) {
    connections.removeIf(connection -> connection.id() == id);
    connections.trimToSize();
  }

  /** The user's connections but the excluded one. */
  List<Connection> receivers(long excluded) {
    if (excluded == 0) {
      return connections;
    }
    return connections.stream().filter(connection -> connection.id() != excluded).toList();
  }

  boolean isEmpty() {
    return connections.isEmpty();
  }

  /**
   * Whether this record is new. A consumer that starts again reads from its last commit, and
   * records of one partition come in the order of their offsets.
   */
  boolean advance(int partition, long offset) {
    if (partition == lastPartition && offset <= lastOffset) {
      return false;
    }
    lastPartition = partition;
    lastOffset = offset;
    return true;
  }
}
