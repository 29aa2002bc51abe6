package dev.hawser.gateway.journal;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;

/** A persistent actor that keeps every line it is told. */
final class Diary extends EventSourcedBehavior<Diary.Command, String, List<String>> {

  sealed interface Command {}

  /** Answered when it is kept; not at all if that fails. */
  record Write(String line, ActorRef<Done> replyTo) implements Command {}

  record Read(ActorRef<List<String>> replyTo) implements Command {}

  record Forget(ActorRef<Done> replyTo) implements Command {}

  /** Starts again when something could not be kept. */
  static Behavior<Command> create(String id) {
    return new Diary(id);
  }

  private Diary(String id) {
    super(
        PersistenceId.ofUniqueId(id),
        SupervisorStrategy.restartWithBackoff(Duration.ofMillis(100), Duration.ofSeconds(1), 0.2));
  }

  @Override
  public List<String> emptyState() {
    return List.of();
  }

  @Override
  public CommandHandler<Command, String, List<String>> commandHandler() {
    return (lines, command) ->
        switch (command) {
          case Write write ->
              Effect().persist(write.line()).thenReply(write.replyTo(), kept -> Done.getInstance());
          case Read read -> Effect().reply(read.replyTo(), List.copyOf(lines));
          case Forget forget ->
              Effect().stop().thenReply(forget.replyTo(), stopped -> Done.getInstance());
        };
  }

  @Override
  public EventHandler<List<String>, String> eventHandler() {
    return (lines, line) -> {
      List<String> more = new ArrayList<>(lines);
      more.add(line);
      return more;
    };
  }
}
