package dev.hawser.gateway.session;

import dev.hawser.gateway.session.Edge.Status;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.cluster.UniqueAddress;

/** What is known of the gateway nodes, by what each says about itself once a second. */
public final class Nodes {

  private final int shards;
  private final Map<UniqueAddress, Status> statuses = new ConcurrentHashMap<>();

  /** They never come back: a node that starts again is another one. */
  private final Set<UniqueAddress> gone = ConcurrentHashMap.newKeySet();

  Nodes(int shards) {
    this.shards = shards;
  }

  void heard(Status status) {
    if (!gone.contains(status.node())) {
      statuses.put(status.node(), status);
    }
  }

  void removed(UniqueAddress node) {
    gone.add(node);
    statuses.remove(node);
  }

  /** Whether the node has left the cluster, one way or the other. */
  boolean isGone(UniqueAddress node) {
    return gone.contains(node);
  }

  /**
   * Up to where the connections of a shard that a node feeds have everything, by what it said last;
   * {@link Feeds#NOT_FED} if it does not feed the shard.
   */
  long reached(UniqueAddress node, int shard) {
    Status status = statuses.get(node);
    return status == null ? Feeds.NOT_FED : status.reached(shard);
  }

  /** Where clients reach the node that owns the user's session; empty while nobody does. */
  public Optional<String> urlOf(String user) {
    int shard = Shards.of(user, shards);
    return statuses.values().stream()
        .filter(status -> status.reached(shard) != Feeds.NOT_FED)
        .map(Status::url)
        .findFirst();
  }

  /** How many nodes are known. */
  public int count() {
    return statuses.size();
  }
}
