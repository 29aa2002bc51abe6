package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;
import org.apache.pekko.persistence.typed.javadsl.RetentionCriteria;

/**
 * Events for a user who is away, in the journal. A child of the user's session, there only while it
 * is needed. While PostgreSQL is away it starts again and again, and what it was asked meanwhile is
 * asked again.
 */
final class Mailbox extends EventSourcedBehavior<Mailbox.Command, Mailbox.Change, MailboxState> {

  sealed interface Command {}

  /**
   * Keeps events, unless they are kept.
   *
   * @param since every event behind this offset and up to {@code upTo} is among them
   * @param replyTo told which devices it is kept for, when it is kept
   */
  record Keep(
      String epoch,
      List<StreamEvent> events,
      long since,
      long upTo,
      Acknowledgements acknowledged,
      ActorRef<Acknowledgements> replyTo)
      implements Command {}

  /** A device has everything up to this offset. */
  record Acknowledge(String epoch, String device, long offset) implements Command {}

  /** What is there? */
  record Load(ActorRef<MailboxState> replyTo) implements Command {}

  private enum Idle implements Command {
    INSTANCE
  }

  /** What the journal has; its form is in {@link SessionSerializer}. */
  sealed interface Change {}

  /** {@link Keep}, at a time in milliseconds since 1970. */
  record Kept(
      String epoch,
      List<StreamEvent> events,
      long since,
      long upTo,
      Acknowledgements acknowledged,
      long at)
      implements Change {

    Kept {
      events = List.copyOf(events);
    }
  }

  /** {@link Acknowledge}. */
  record Acknowledged(String epoch, String device, long offset) implements Change {}

  private static final String TYPE = "Mailbox";
  private static final Duration IDLE = Duration.ofMinutes(1);
  private static final int CHANGES_PER_SNAPSHOT = 8;

  private final StreamLog.Limits limits;

  /** Of a user; it ends by itself when nobody asked for a while. */
  static Behavior<Command> create(String user, StreamLog.Limits limits) {
    return Behaviors.setup(
        context -> {
          context.setReceiveTimeout(IDLE, Idle.INSTANCE);
          return new Mailbox(persistenceId(user), limits);
        });
  }

  /** Its name in the journal. */
  static String persistenceId(String user) {
    return PersistenceId.of(TYPE, user).id();
  }

  private Mailbox(String persistenceId, StreamLog.Limits limits) {
    super(
        PersistenceId.ofUniqueId(persistenceId),
        SupervisorStrategy.restartWithBackoff(Duration.ofSeconds(1), Duration.ofSeconds(10), 0.2));
    this.limits = limits;
  }

  @Override
  public MailboxState emptyState() {
    return MailboxState.EMPTY;
  }

  @Override
  public CommandHandler<Command, Change, MailboxState> commandHandler() {
    return (state, command) ->
        switch (command) {
          case Keep keep -> onKeep(state, keep);
          case Acknowledge acknowledge ->
              changes(state, acknowledge)
                  ? Effect()
                      .persist(
                          new Acknowledged(
                              acknowledge.epoch(), acknowledge.device(), acknowledge.offset()))
                  : Effect().none();
          case Load load ->
              Effect().reply(load.replyTo(), state.within(limits, Clock.systemUTC().millis()));
          case Idle idle -> Effect().stop();
        };
  }

  private org.apache.pekko.persistence.typed.javadsl.Effect<Change, MailboxState> onKeep(
      MailboxState state, Keep keep) {
    boolean has = keep.epoch().equals(state.epoch()) && keep.upTo() <= state.upTo();
    return has
        ? Effect().reply(keep.replyTo(), state.acknowledged())
        : Effect()
            .persist(
                new Kept(
                    keep.epoch(),
                    keep.events(),
                    keep.since(),
                    keep.upTo(),
                    keep.acknowledged(),
                    Clock.systemUTC().millis()))
            .thenReply(keep.replyTo(), MailboxState::acknowledged);
  }

  /** A device that tells its name is remembered; else only what makes room is worth a write. */
  private static boolean changes(MailboxState state, Acknowledge acknowledge) {
    if (!state.epoch().equals(acknowledge.epoch())) {
      return !acknowledge.device().isEmpty();
    }
    Acknowledgements known = state.acknowledged();
    return known.knows(acknowledge.device())
        ? !state.isEmpty() && known.of(acknowledge.device()) < acknowledge.offset()
        : !state.isEmpty() || !acknowledge.device().isEmpty();
  }

  @Override
  public EventHandler<MailboxState, Change> eventHandler() {
    return (state, change) ->
        switch (change) {
          case Kept kept -> state.kept(kept, limits);
          case Acknowledged acknowledged ->
              state.acknowledged(
                  acknowledged.epoch(), acknowledged.device(), acknowledged.offset());
        };
  }

  @Override
  public RetentionCriteria retentionCriteria() {
    return RetentionCriteria.snapshotEvery(CHANGES_PER_SNAPSHOT, 1).withDeleteEventsOnSnapshot();
  }
}
