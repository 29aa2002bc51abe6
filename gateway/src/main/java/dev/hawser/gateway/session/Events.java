package dev.hawser.gateway.session;

import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;

/** How events of back ends come into their users' streams. */
@FunctionalInterface
public interface Events {

  /**
   * Hands an event over without blocking. Completes with its place in the user's stream once it is
   * there for sure; fails with an {@link IllegalArgumentException} when it cannot be there ever,
   * and with anything else when it is not known to be there. Nothing is tried twice.
   */
  CompletionStage<StreamPosition> publish(PushEvent event);

  /** Without Kafka the session itself gives the event its place. */
  static Events toSessions(ClusterSharding sharding) {
    return event ->
        sharding
            .entityRefFor(Session.KEY, event.user())
            .<Session.Published>ask(
                replyTo -> new Session.Publish(event, replyTo), Duration.ofSeconds(10))
            .thenApply(Session.Published::position);
  }
}
