package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractMatchingBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.apache.pekko.actor.typed.receptionist.ServiceKey;
import org.apache.pekko.cluster.ClusterEvent.MemberRemoved;
import org.apache.pekko.cluster.ClusterEvent.ReachabilityEvent;
import org.apache.pekko.cluster.ClusterEvent.ReachableMember;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Subscribe;

/**
 * The one actor of a node's connections: passes on what sessions of other nodes say to them, tells
 * the other nodes about this one, and notices when a node or a shard is elsewhere.
 */
final class Edge extends AbstractMatchingBehavior<Edge.Message> {

  /** What an edge hears; what comes from other nodes has a form in {@link SessionSerializer}. */
  sealed interface Message {}

  /** {@link Outbox#attached}. */
  record Attached(long connection, UniqueAddress owner, StreamPosition position, boolean recovered)
      implements Message {}

  /** {@link Outbox#push}, for all of the user's connections on the node at once. */
  record Deliver(long[] connections, StreamEvent event, long previous) implements Message {}

  /** {@link Outbox#nothing}, for all of the user's connections on the node at once. */
  record Nothing(long[] connections, long behind, long upTo) implements Message {}

  /** {@link Outbox#refresh}. */
  record Refresh(long connection, long expiresAt) implements Message {}

  /** {@link Outbox#disconnect}. */
  record Disconnect(long connection, DisconnectCode code) implements Message {}

  /** {@link Outbox#released}. */
  record Released(long connection) implements Message {}

  /**
   * What a node says about itself.
   *
   * @param url where clients reach it
   * @param ready whether it takes clients
   * @param reached for each shard, {@link Feeds#all} there: up to where connections have everything
   */
  record Status(UniqueAddress node, String url, boolean ready, long[] reached) implements Message {

    long reached(int shard) {
      return shard < reached.length ? reached[shard] : Feeds.NOT_FED;
    }
  }

  /** What is on this node? */
  record Describe(ActorRef<NodeInfo> replyTo) implements Message {}

  /** A connection of this node needs its session. */
  record Ask(Attachment attachment) implements Message {}

  private record NodeRemoved(UniqueAddress node) implements Message {}

  private record NodeReachable(UniqueAddress node, boolean seen) implements Message {}

  private record Edges(Set<ActorRef<Message>> edges) implements Message {}

  enum Tick implements Message {
    RETRY,
    /** The other nodes are told about this one. */
    STATUS
  }

  static final ServiceKey<Message> KEY = ServiceKey.create(Message.class, "hawser-edge");
  private static final Duration RETRY_INTERVAL = Duration.ofMillis(100);
  private static final Duration STATUS_INTERVAL = Duration.ofSeconds(1);

  /** A session tells its connections that it moves; this long after, those that missed it. */
  private static final Duration AUDIT_DELAY = Duration.ofSeconds(3);

  /** Where a shard's sessions are. */
  private static final class Place {
    final UniqueAddress node;

    /** When to look for connections that are elsewhere, 0 when that is done. */
    long auditAt;

    Place(UniqueAddress node, long auditAt) {
      this.node = node;
      this.auditAt = auditAt;
    }
  }

  private final Attachments attachments;
  private final Nodes nodes;
  private final Feeds feeds;
  private final UniqueAddress self;
  private final String url;
  private final BooleanSupplier ready;
  private final Map<Integer, Place> places = new HashMap<>();
  private Set<ActorRef<Message>> edges = Set.of();
  private boolean toldReady;

  static Behavior<Message> create(
      Attachments attachments,
      Nodes nodes,
      Feeds feeds,
      UniqueAddress self,
      String url,
      BooleanSupplier ready) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  timers.startTimerWithFixedDelay(Tick.RETRY, RETRY_INTERVAL);
                  timers.startTimerWithFixedDelay(Tick.STATUS, Duration.ZERO, STATUS_INTERVAL);
                  return new Edge(context, attachments, nodes, feeds, self, url, ready);
                }));
  }

  private Edge(
      ActorContext<Message> context,
      Attachments attachments,
      Nodes nodes,
      Feeds feeds,
      UniqueAddress self,
      String url,
      BooleanSupplier ready) {
    super(context);
    context.setLoggerName(Edge.class);
    this.attachments = attachments;
    this.nodes = nodes;
    this.feeds = feeds;
    this.self = self;
    this.url = url;
    this.ready = ready;
    var system = context.getSystem();
    Cluster.get(system)
        .subscriptions()
        .tell(
            Subscribe.create(
                context.messageAdapter(
                    MemberRemoved.class,
                    removed -> new NodeRemoved(removed.member().uniqueAddress())),
                MemberRemoved.class));
    Cluster.get(system)
        .subscriptions()
        .tell(
            Subscribe.create(
                context.messageAdapter(
                    ReachabilityEvent.class,
                    event ->
                        new NodeReachable(
                            event.member().uniqueAddress(), event instanceof ReachableMember)),
                ReachabilityEvent.class));
    system.receptionist().tell(Receptionist.register(KEY, context.getSelf()));
    system
        .receptionist()
        .tell(
            Receptionist.subscribe(
                KEY,
                context.messageAdapter(
                    Receptionist.Listing.class,
                    listing -> new Edges(listing.getServiceInstances(KEY)))));
  }

  @Override
  public Behavior<Message> onMessage(Message message) {
    switch (message) {
      case Attached attached -> onAttached(attached);
      case Deliver deliver -> onDeliver(deliver);
      case Nothing nothing -> {
        for (long connection : nothing.connections()) {
          Attachment attachment = attachments.find(connection);
          if (attachment != null) {
            attachment.nothing(nothing.behind(), nothing.upTo());
          }
        }
      }
      case Refresh refresh -> {
        Attachment attachment = attachments.find(refresh.connection());
        if (attachment != null) {
          attachment.refresh(refresh.expiresAt());
        }
      }
      case Disconnect disconnect -> {
        Attachment attachment = attachments.find(disconnect.connection());
        if (attachment != null) {
          attachment.disconnect(disconnect.code());
        }
      }
      case Released released -> {
        Attachment attachment = attachments.find(released.connection());
        if (attachment != null) {
          attachment.released();
        }
      }
      case Status status -> onStatus(status);
      case Describe describe -> describe.replyTo().tell(attachments.describe());
      case Ask ask -> attachments.sendIfDue(ask.attachment());
      case NodeRemoved removed -> onRemoved(removed.node());
      case NodeReachable reachable -> nodes.reachable(reachable.node(), reachable.seen());
      case Edges found -> edges = found.edges();
      case Tick tick -> onTick(tick);
    }
    return this;
  }

  private void onAttached(Attached attached) {
    Attachment attachment = attachments.find(attached.connection());
    if (attachment != null) {
      attachment.attached(attached.owner(), attached.position(), attached.recovered());
    }
  }

  private void onDeliver(Deliver deliver) {
    String user = deliver.event().event().user();
    EncodedPush encoded = null;
    for (long connection : deliver.connections()) {
      Attachment attachment = attachments.find(connection);
      if (attachment == null) {
        attachments.disown(user, connection);
      } else {
        encoded = encoded == null ? Session.encode(deliver.event()) : encoded;
        attachment.push(deliver.event(), encoded, deliver.previous());
      }
    }
  }

  private void onStatus(Status status) {
    nodes.heard(status);
    for (int shard = 0; shard < status.reached().length; shard++) {
      if (status.reached(shard) != Feeds.NOT_FED) {
        Place known = places.get(shard);
        if (known == null || !known.node.equals(status.node())) {
          long auditAt = Attachments.now() + AUDIT_DELAY.toMillis();
          places.put(shard, new Place(status.node(), auditAt));
        }
      }
    }
  }

  private void onRemoved(UniqueAddress node) {
    int orphans = attachments.orphan(node);
    if (orphans > 0) {
      getContext()
          .getLog()
          .info("{} is gone; {} connections look for their sessions", node.address(), orphans);
    }
    nodes.removed(node);
  }

  private void onTick(Tick tick) {
    switch (tick) {
      case RETRY -> {
        attachments.sendDue();
        long now = Attachments.now();
        places.forEach(
            (shard, place) -> {
              if (place.auditAt != 0 && place.auditAt < now) {
                place.auditAt = 0;
                attachments.moved(shard, place.node);
              }
            });
        if (ready.getAsBoolean() != toldReady) {
          tellStatus();
        }
      }
      case STATUS -> tellStatus();
    }
  }

  private void tellStatus() {
    toldReady = ready.getAsBoolean();
    var status = new Status(self, url, toldReady, feeds.all());
    edges.forEach(edge -> edge.tell(status));
  }
}
