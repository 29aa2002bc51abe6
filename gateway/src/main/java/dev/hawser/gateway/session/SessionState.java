package dev.hawser.gateway.session;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A user's connections, oldest first. Not thread-safe. Most users have one connection, so the list
 * is kept at its exact size.
 */
final class SessionState {

  private final DevicePolicy policy;
  private final ArrayList<Outbox> connections = new ArrayList<>(1);

  SessionState(DevicePolicy policy) {
    this.policy = policy;
  }

  /**
   * Adds a connection; one that attaches again takes its own place. Connections of a node that
   * seems to be dead do not count: their clients are about to come back, and must find room.
   *
   * @return the connection that has to go by the device policy, possibly the new one; null if none
   */
  @Nullable Outbox attach(Outbox connection, Nodes nodes) {
    for (int i = 0; i < connections.size(); i++) {
      if (connections.get(i).id() == connection.id()) {
        connections.set(i, connection);
        return null;
      }
    }
    if (connections.size() < policy.maxConnections()) {
      connections.add(connection);
      return null;
    }
    List<Outbox> present = connections.stream().filter(known -> isPresent(known, nodes)).toList();
    if (present.size() < policy.maxConnections()) {
      connections.add(connection);
      return null;
    }
    return switch (policy.excess()) {
      case REJECT_NEWEST -> connection;
      case KICK_OLDEST -> {
        Outbox oldest = present.getFirst();
        detach(oldest.id());
        connections.add(connection);
        yield oldest;
      }
    };
  }

  private static boolean isPresent(Outbox connection, Nodes nodes) {
    return !(connection instanceof RemoteOutbox remote) || nodes.isPresent(remote.node());
  }

  /** Removes a connection, if it is there: one that was kicked still says goodbye later. */
  void detach(long id) {
    remove(connection -> connection.id() == id);
  }

  /** Removes connections whose node is gone. */
  void prune(Nodes nodes) {
    remove(connection -> connection instanceof RemoteOutbox remote && nodes.isGone(remote.node()));
  }

  private void remove(Predicate<Outbox> gone) {
    if (connections.removeIf(gone)) {
      connections.trimToSize();
    }
  }

  /** The user's connections. */
  List<Outbox> connections() {
    return connections;
  }

  boolean isEmpty() {
    return connections.isEmpty();
  }

  /** Whether some of them are on other nodes, which may die. */
  boolean hasRemote() {
    return connections.stream().anyMatch(RemoteOutbox.class::isInstance);
  }
}
