package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Signal;
import org.apache.pekko.actor.typed.javadsl.AbstractMatchingBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.sharding.ShardCoordinator.ShardAllocationStrategy;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;
import org.jspecify.annotations.Nullable;

/**
 * The one owner of a user's connections in the whole cluster. A sharded entity whose id is the user
 * id: it lives while the user has connections, and while there are recent events.
 *
 * <p>When the session moves, or dies with its node, its connections attach again with the position
 * they have, and the recent past is fed again from Kafka. So nothing is kept anywhere else.
 */
public final class Session extends AbstractMatchingBehavior<Session.Command> {

  /** What a session takes; what comes from other nodes has a form in {@link SessionSerializer}. */
  public sealed interface Command {}

  /**
   * A connection of this user wants in. The outbox answers: attached, or disconnected.
   *
   * @param since what the connection has of the stream; null if it comes for the first time
   */
  record Attach(@Nullable StreamPosition since, Outbox outbox) implements Command {}

  /** A connection is gone; one that is unknown, or gone already, does no harm. */
  record Detach(long connectionId) implements Command {}

  /**
   * An event for all of the user's connections but the excluded one. One that was pushed before is
   * only acknowledged.
   *
   * @param offset its place in the user's stream, rising; 0 for the next one
   * @param excluded connection id, 0 for none
   * @param replyTo told when the event was handed to every connection
   */
  public record Push(PushEvent event, long offset, long excluded, ActorRef<Done> replyTo)
      implements Command {}

  /** Is the shard on this node? Answered if it is. */
  record Locate(UniqueAddress node, ActorRef<Done> replyTo) implements Command {}

  /** {@link LastOffsets#of}; null if it is not known. */
  private record LastOffset(@Nullable Long offset) implements Command {}

  private enum Timer implements Command {
    /** The shard is fed now. */
    FED,
    IDLE,
    OVERDUE
  }

  private enum Stop implements Command {
    INSTANCE
  }

  /** Name of sessions in cluster sharding. */
  public static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "Session");

  /** Which nodes have sessions. */
  private static final String GATEWAY_ROLE = "gateway";

  /** How long a client waits until it is known what it missed; then it is told: unknown. */
  private static final Duration RECOVERY_PATIENCE = Duration.ofSeconds(8);

  /** How long one waits that has missed nothing. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  /** An attach that comes before it is known what the client missed. */
  private record Waiting(Attach attach, long until) {}

  /** What all sessions of a node share. */
  private record Node(
      UniqueAddress address,
      Feeds feeds,
      Nodes nodes,
      @Nullable LastOffsets lastOffsets,
      SessionSettings settings) {}

  private final String user;
  private final int shard;
  private final Node node;
  private final ActorRef<ClusterSharding.ShardCommand> shardRef;
  private final SessionState state;
  private final StreamLog log;
  private final String epoch;
  private @Nullable List<Waiting> waiting;
  private boolean idleTimer;
  private boolean lookingBack;

  /** Whether PostgreSQL has told all it can. */
  private boolean lookedBack;

  /**
   * Lets this node host sessions.
   *
   * @param lastOffsets what is known about users who had no event for long; null for nothing
   * @param strategy which node gets which shard; null to leave it to sharding
   */
  public static void init(
      ClusterSharding sharding,
      Cluster cluster,
      SessionSettings settings,
      Feeds feeds,
      @Nullable LastOffsets lastOffsets,
      Nodes nodes,
      @Nullable ShardAllocationStrategy strategy) {
    var node = new Node(cluster.selfMember().uniqueAddress(), feeds, nodes, lastOffsets, settings);
    var entity =
        Entity.of(
                KEY,
                context ->
                    Shards.isShardItself(context.getEntityId())
                        ? shardItself(node.address())
                        : Behaviors.setup(
                            actor ->
                                new Session(
                                    actor, context.getEntityId(), context.getShard(), node)))
            .withMessageExtractor(new Shards(feeds.shards()))
            .withRole(GATEWAY_ROLE)
            .withStopMessage(Stop.INSTANCE);
    sharding.init(strategy == null ? entity : entity.withAllocationStrategy(strategy));
  }

  /** Nobody's session: tells where its shard is. */
  private static Behavior<Command> shardItself(UniqueAddress here) {
    return Behaviors.receiveMessage(
        command -> {
          if (command instanceof Locate locate && locate.node().equals(here)) {
            locate.replyTo().tell(Done.getInstance());
          }
          return command == Stop.INSTANCE ? Behaviors.stopped() : Behaviors.same();
        });
  }

  /** Completes with whether a shard's sessions are on this node, starting it if it is nowhere. */
  public static CompletionStage<Boolean> isHere(
      ActorSystem<?> system, int shard, Duration patience) {
    var here = Cluster.get(system).selfMember().uniqueAddress();
    return ClusterSharding.get(system)
        .entityRefFor(KEY, Shards.itself(shard))
        .<Done>ask(replyTo -> new Locate(here, replyTo), patience)
        .handle((answered, silent) -> silent == null);
  }

  /** The user's own stream, which every connection of the user is subscribed to. */
  public static String personalChannel(String user) {
    return "#" + user;
  }

  private Session(
      ActorContext<Command> context,
      String user,
      ActorRef<ClusterSharding.ShardCommand> shardRef,
      Node node) {
    super(context);
    this.user = user;
    this.shard = Shards.of(user, node.feeds().shards());
    this.node = node;
    this.shardRef = shardRef;
    this.state = new SessionState(node.settings().devices());
    this.log = new StreamLog(node.settings().recovery());
    String topic = node.feeds().epoch();
    this.epoch = topic.isEmpty() ? Long.toHexString(ThreadLocalRandom.current().nextLong()) : topic;
    adjustIdleTimer();
  }

  @Override
  public Behavior<Command> onMessage(Command command) {
    switch (command) {
      case Attach attach -> onAttach(attach);
      case Detach detach -> onDetach(detach);
      case Push push -> onPush(push);
      case LastOffset last -> onLastOffset(last.offset());
      case Timer timer -> onTimer(timer);
      case Locate locate -> {}
      case Stop stop -> {
        return Behaviors.stopped();
      }
    }
    adjustIdleTimer();
    return this;
  }

  /** However the session ends, no connection is left behind. */
  @Override
  public Behavior<Command> onSignal(Signal signal) {
    if (signal instanceof PostStop) {
      node.feeds().forgot(shard, log.top());
      state.connections().forEach(Outbox::released);
      if (waiting != null) {
        waiting.forEach(each -> each.attach().outbox().released());
      }
    }
    return this;
  }

  private void onAttach(Attach attach) {
    state.prune(node.nodes());
    Duration patience = attach.since() == null ? PATIENCE : RECOVERY_PATIENCE;
    attachOrWait(new Waiting(attach, Attachments.now() + patience.toMillis()));
  }

  private void attachOrWait(Waiting comer) {
    boolean fed = isFed();
    if (fed && !needsLastOffset(comer.attach().since())) {
      attach(comer.attach());
      return;
    }
    if (waiting == null) {
      waiting = new ArrayList<>(1);
      scheduleOverdue();
      if (!fed) {
        getContext().pipeToSelf(node.feeds().start(shard), (start, failure) -> Timer.FED);
      }
    }
    long connection = comer.attach().outbox().id();
    waiting.removeIf(known -> known.attach().outbox().id() == connection);
    waiting.add(comer);
    LastOffsets lastOffsets = node.lastOffsets();
    if (fed && !lookingBack && lastOffsets != null) {
      lookingBack = true;
      getContext()
          .pipeToSelf(lastOffsets.of(shard, user), (offset, failure) -> new LastOffset(offset));
    }
  }

  /** Whether the log does not tell what was behind an old position, but PostgreSQL may. */
  private boolean needsLastOffset(@Nullable StreamPosition since) {
    return node.lastOffsets() != null
        && since != null
        && since.epoch().equals(epoch)
        && !lookedBack
        && !log.covers(since.offset())
        && !log.forgotBehind(since.offset())
        && node.feeds().completeSince(shard) <= node.feeds().kept(shard);
  }

  private void onLastOffset(@Nullable Long offset) {
    lookingBack = false;
    lookedBack = offset != null;
    if (offset != null) {
      log.nothingBackTo(offset);
    }
    answerWaiting(Long.MAX_VALUE);
  }

  /** Whether it is known from where on the log has everything. */
  private boolean isFed() {
    if (!log.isFed()) {
      long since = node.feeds().completeSince(shard);
      if (since != Feeds.NOT_FED) {
        log.completeSince(since);
      }
    }
    return log.isFed();
  }

  private void attach(Attach attach) {
    var outbox = attach.outbox();
    var excess = state.attach(outbox);
    if (excess != null) {
      excess.disconnect(DisconnectCode.CONNECTION_LIMIT);
      if (excess.id() == outbox.id()) {
        return;
      }
    }
    var since = attach.since();
    if (since != null && since.epoch().equals(epoch) && log.covers(since.offset())) {
      outbox.attached(node.address(), since, true);
      long previous = since.offset();
      for (StreamEvent event : log.since(since.offset())) {
        outbox.push(event, encode(event), previous);
        previous = event.offset();
      }
    } else {
      var top = new StreamPosition(Math.max(log.top(), node.feeds().present(shard)), epoch);
      outbox.attached(node.address(), top, false);
    }
  }

  /** Answers those that do not want to wait any longer with what is known. */
  private void answerWaiting(long until) {
    List<Waiting> comers = waiting;
    if (comers == null) {
      return;
    }
    waiting = null;
    for (Waiting comer : comers) {
      if (comer.until() <= until) {
        attach(comer.attach());
      } else {
        waiting = waiting == null ? new ArrayList<>(1) : waiting;
        waiting.add(comer);
      }
    }
  }

  private void scheduleOverdue() {
    var unused =
        getContext().scheduleOnce(Duration.ofSeconds(1), getContext().getSelf(), Timer.OVERDUE);
  }

  private void onDetach(Detach detach) {
    state.detach(detach.connectionId());
    if (waiting != null) {
      waiting.removeIf(each -> each.attach().outbox().id() == detach.connectionId());
    }
  }

  private void onPush(Push push) {
    if (push.offset() != 0 && !push.replyTo().path().address().hasLocalScope()) {
      // From a node that had the partition before this one: it is ahead of what is fed here.
      return;
    }
    long previous = log.top();
    long offset = push.offset() == 0 ? previous + 1 : push.offset();
    var event = new StreamEvent(push.event(), offset, push.excluded());
    if (log.append(event, Attachments.now())) {
      pushToAll(event, previous);
    }
    push.replyTo().tell(Done.getInstance());
  }

  /** What goes to several connections on another node goes there once. */
  private void pushToAll(StreamEvent event, long previous) {
    List<Outbox> connections = state.connections();
    EncodedPush encoded = encode(event);
    for (int i = 0; i < connections.size(); i++) {
      Outbox connection = connections.get(i);
      if (connection instanceof RemoteOutbox remote) {
        if (connections.subList(0, i).stream().noneMatch(remote::sharesEdgeWith)) {
          long[] together =
              connections.stream().filter(remote::sharesEdgeWith).mapToLong(Outbox::id).toArray();
          remote.edge().tell(new Edge.Deliver(together, event, previous));
        }
      } else {
        connection.push(event, encoded, previous);
      }
    }
  }

  private void onTimer(Timer timer) {
    switch (timer) {
      case FED -> {
        List<Waiting> comers = waiting;
        waiting = null;
        if (comers != null) {
          comers.forEach(this::attachOrWait);
        }
      }
      case OVERDUE -> {
        answerWaiting(Attachments.now());
        if (waiting != null) {
          scheduleOverdue();
        }
      }
      case IDLE -> {
        log.expire(Attachments.now());
        state.prune(node.nodes());
        if (state.isEmpty() && log.isEmpty() && waiting == null) {
          shardRef.tell(new ClusterSharding.Passivate<>(getContext().getSelf()));
        }
      }
    }
  }

  /** A session that only holds connections of its own node has no timer. */
  private void adjustIdleTimer() {
    boolean needed = state.isEmpty() || !log.isEmpty() || state.hasRemote();
    if (needed && !idleTimer) {
      getContext().setReceiveTimeout(node.settings().idleTimeout(), Timer.IDLE);
    } else if (!needed && idleTimer) {
      getContext().cancelReceiveTimeout();
    }
    idleTimer = needed;
  }

  static EncodedPush encode(StreamEvent event) {
    PushEvent pushed = event.event();
    return new EncodedPush(
        new ServerFrame.Push(
            personalChannel(pushed.user()),
            new Publication(pushed.payload(), null, event.offset(), tags(pushed), 0, "")));
  }

  private static Map<String, String> tags(PushEvent event) {
    if (event.id() == null && event.name() == null) {
      return Map.of();
    }
    var tags = new HashMap<String, String>();
    if (event.id() != null) {
      tags.put("id", event.id());
    }
    if (event.name() != null) {
      tags.put("event", event.name());
    }
    return tags;
  }
}
