package dev.hawser.gateway.journal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.pekko.Done;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.RecoveryCompleted;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;
import org.apache.pekko.persistence.typed.javadsl.SignalHandler;
import org.junit.jupiter.api.Test;

/** Actors share statements, but not the trouble of one that has a row that nobody can read. */
class UnreadableRowTest {

  private static final Duration PATIENCE = Duration.ofMinutes(1);
  private static final int BROKEN = 25;

  /** Tells what it has if it could be read; else it has ended. */
  private static final class Reader extends EventSourcedBehavior<Done, String, Integer> {
    private final int number;
    private final ActorRef<String> told;

    Reader(int number, ActorRef<String> told) {
      super(PersistenceId.ofUniqueId(id(number)));
      this.number = number;
      this.told = told;
    }

    @Override
    public Integer emptyState() {
      return 0;
    }

    @Override
    public CommandHandler<Done, String, Integer> commandHandler() {
      return (lines, command) -> Effect().none();
    }

    @Override
    public EventHandler<Integer, String> eventHandler() {
      return (lines, line) -> lines + 1;
    }

    @Override
    public SignalHandler<Integer> signalHandler() {
      return newSignalHandlerBuilder()
          .onSignal(RecoveryCompleted.instance(), lines -> told.tell(number + " has " + lines))
          .build();
    }
  }

  private static String id(int number) {
    return PersistenceId.of("Diary", "unreadable-" + number).id();
  }

  @Test
  void theOthersAreRead() throws Exception {
    try (var postgreSql = EmbeddedPostgreSql.start()) {
      postgreSql.createDatabase("unreadable");
      var node = ActorTestKit.create(JournalTckTest.settings(postgreSql, "unreadable"));
      try {
        List<Integer> all = IntStream.range(0, 50).boxed().toList();
        var done = node.<Done>createTestProbe();
        for (int number : all) {
          var diary = node.spawn(Diary.create(id(number)));
          diary.tell(new Diary.Write("line", done.ref()));
          diary.tell(new Diary.Forget(done.ref()));
        }
        done.receiveSeveralMessages(2 * all.size(), PATIENCE);
        try (var connection = DriverManager.getConnection(postgreSql.jdbcUrl("unreadable"));
            var statement = connection.createStatement()) {
          int changed =
              statement.executeUpdate(
                  "UPDATE event_journal SET event_ser_id = 99999 WHERE persistence_id = '"
                      + id(BROKEN)
                      + "'");
          assertThat(changed).isEqualTo(1);
        }
        var told = node.<String>createTestProbe();
        all.forEach(number -> node.spawn(new Reader(number, told.ref())));
        assertThat(told.receiveSeveralMessages(all.size() - 1, PATIENCE))
            .containsExactlyInAnyOrderElementsOf(
                all.stream().filter(n -> n != BROKEN).map(n -> n + " has 1").toList());
      } finally {
        node.shutdownTestKit();
      }
    }
  }
}
