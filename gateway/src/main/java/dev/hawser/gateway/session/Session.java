package dev.hawser.gateway.session;

import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractMatchingBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;

/**
 * The one owner of a user's connections in the whole cluster. A sharded entity whose id is the user
 * id: it lives while the user has connections and a little longer. A rebalance or a crash loses
 * which connections it had.
 */
public final class Session extends AbstractMatchingBehavior<Session.Command> {

  /** What a session takes. */
  public sealed interface Command {}

  /**
   * A connection of this user wants in. The outbox answers: attached, or disconnected.
   *
   * @param connectionId unique in the cluster
   */
  public record Attach(long connectionId, Outbox outbox) implements Command {}

  /** A connection is gone; one that is unknown, or gone already, does no harm. */
  public record Detach(long connectionId) implements Command {}

  /**
   * An event for all of the user's connections but the excluded one, in the order of arrival. A
   * record that was pushed before is only acknowledged.
   *
   * @param partition where the event stands in Kafka
   * @param offset its place there
   * @param excluded connection id, 0 for none
   * @param replyTo told when the event was handed to every connection
   */
  public record Push(
      PushEvent event, int partition, long offset, long excluded, ActorRef<Done> replyTo)
      implements Command {}

  private enum Idle implements Command {
    INSTANCE
  }

  private enum Stop implements Command {
    INSTANCE
  }

  /** Name of sessions in cluster sharding. */
  public static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "Session");

  private final String user;
  private final Duration idleTimeout;
  private final ActorRef<ClusterSharding.ShardCommand> shard;
  private final SessionState state;

  /**
   * Lets this node host sessions.
   *
   * @param idleTimeout how long a session without connections stays in memory
   */
  public static void init(ClusterSharding sharding, DevicePolicy policy, Duration idleTimeout) {
    if (!idleTimeout.isPositive()) {
      throw new IllegalArgumentException(
          "hawser.session.idle-timeout is %s, expected more than 0".formatted(idleTimeout));
    }
    sharding.init(
        Entity.of(
                KEY,
                entity ->
                    Behaviors.setup(
                        context ->
                            new Session(
                                context,
                                entity.getEntityId(),
                                entity.getShard(),
                                policy,
                                idleTimeout)))
            .withStopMessage(Stop.INSTANCE));
  }

  /** The user's own stream, which every connection of the user is subscribed to. */
  public static String personalChannel(String user) {
    return "#" + user;
  }

  private Session(
      ActorContext<Command> context,
      String user,
      ActorRef<ClusterSharding.ShardCommand> shard,
      DevicePolicy policy,
      Duration idleTimeout) {
    super(context);
    this.user = user;
    this.shard = shard;
    this.idleTimeout = idleTimeout;
    this.state = new SessionState(policy);
    context.setReceiveTimeout(idleTimeout, Idle.INSTANCE);
  }

  @Override
  public Behavior<Command> onMessage(Command command) {
    return switch (command) {
      case Attach attach -> onAttach(attach);
      case Detach detach -> onDetach(detach);
      case Push push -> onPush(push);
      case Idle idle -> onIdle();
      case Stop stop -> Behaviors.stopped();
    };
  }

  private Behavior<Command> onAttach(Attach attach) {
    var connection = new SessionState.Connection(attach.connectionId(), attach.outbox());
    var excess = state.attach(connection);
    if (excess != null) {
      excess.outbox().disconnect(DisconnectCode.CONNECTION_LIMIT);
    }
    if (excess == null || excess.id() != connection.id()) {
      getContext().cancelReceiveTimeout();
      attach.outbox().attached();
    }
    return this;
  }

  private Behavior<Command> onDetach(Detach detach) {
    state.detach(detach.connectionId());
    if (state.isEmpty()) {
      getContext().setReceiveTimeout(idleTimeout, Idle.INSTANCE);
    }
    return this;
  }

  private Behavior<Command> onPush(Push push) {
    if (state.advance(push.partition(), push.offset())) {
      List<SessionState.Connection> receivers = state.receivers(push.excluded());
      if (!receivers.isEmpty()) {
        var encoded = new EncodedPush(publication(push.event()));
        receivers.forEach(connection -> connection.outbox().push(encoded));
      }
    }
    push.replyTo().tell(Done.getInstance());
    return this;
  }

  private Behavior<Command> onIdle() {
    if (state.isEmpty()) {
      shard.tell(new ClusterSharding.Passivate<>(getContext().getSelf()));
    }
    return this;
  }

  private ServerFrame.Push publication(PushEvent event) {
    return new ServerFrame.Push(
        personalChannel(user), new Publication(event.payload(), null, 0, tags(event), 0, ""));
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
