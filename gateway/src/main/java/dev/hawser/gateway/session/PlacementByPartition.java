package dev.hawser.gateway.session;

import java.time.Duration;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.Cluster;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.sharding.external.ExternalShardAllocationStrategy;
import org.apache.pekko.util.Timeout;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Map;
import scala.collection.immutable.Set;
import scala.concurrent.Future;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A shard goes where its partition is, and not while a node comes, goes or is lost: Pekko's
 * coordinator waits for the hand-over of a node that ends meanwhile until it times out, with nobody
 * serving the shard. What such a node leaves behind is placed anew without being handed over.
 */
public final class PlacementByPartition extends ExternalShardAllocationStrategy {

  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private final Cluster cluster;

  /** Of the sessions of this cluster. */
  public PlacementByPartition(ActorSystem<?> system) {
    super(system, Session.KEY.name(), Timeout.create(TIMEOUT));
    this.cluster = Cluster.get(system);
  }

  @Override
  public Future<Set<String>> rebalance(
      Map<ActorRef, IndexedSeq<String>> places, Set<String> moving) {
    return CollectionConverters.asJava(places.keySet()).stream().allMatch(this::stays)
        ? super.rebalance(places, moving)
        : Future.successful(scala.collection.immutable.Set$.MODULE$.<String>empty());
  }

  private boolean stays(ActorRef region) {
    Address address = region.path().address();
    if (address.hasLocalScope()) {
      return true;
    }
    for (Member member : cluster.state().getMembers()) {
      if (member.address().equals(address)) {
        return member.status() == MemberStatus.up()
            && !cluster.state().getUnreachable().contains(member);
      }
    }
    return false;
  }
}
