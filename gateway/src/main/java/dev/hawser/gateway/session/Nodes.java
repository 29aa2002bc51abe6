package dev.hawser.gateway.session;

import dev.hawser.gateway.session.Edge.Status;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.apache.pekko.cluster.UniqueAddress;

/** What is known of the gateway nodes, by what each says about itself, and by who reaches it. */
public final class Nodes {

  private final int shards;
  private final Map<UniqueAddress, Status> statuses = new ConcurrentHashMap<>();

  /** They never come back: a node that starts again is another one. */
  private final Set<UniqueAddress> gone = ConcurrentHashMap.newKeySet();

  /** They are suspected to be dead. */
  private final Set<UniqueAddress> unreachable = ConcurrentHashMap.newKeySet();

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
    unreachable.remove(node);
  }

  /** Nodes see the node, or do not. */
  void reachable(UniqueAddress node, boolean seen) {
    if (seen || gone.contains(node)) {
      unreachable.remove(node);
    } else {
      unreachable.add(node);
    }
  }

  /** Whether the node may be alive: it has not left, and is not suspected to be dead. */
  boolean isPresent(UniqueAddress node) {
    return !gone.contains(node) && !unreachable.contains(node);
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

  /**
   * Where clients reach the node that owns the user's session; empty while nobody does, or while
   * that node takes no clients.
   */
  public Optional<String> urlOf(String user) {
    int shard = Shards.of(user, shards);
    return ready()
        .filter(status -> status.reached(shard) != Feeds.NOT_FED)
        .map(Status::url)
        .findFirst();
  }

  /** Where clients reach any node that takes them, not always the same; empty if none does. */
  public Optional<String> anyUrl() {
    List<String> urls = ready().map(Status::url).toList();
    return urls.isEmpty()
        ? Optional.empty()
        : Optional.of(urls.get(ThreadLocalRandom.current().nextInt(urls.size())));
  }

  private Stream<Status> ready() {
    return statuses.values().stream().filter(status -> status.ready() && isPresent(status.node()));
  }

  /** How many nodes are known. */
  public int count() {
    return statuses.size();
  }
}
