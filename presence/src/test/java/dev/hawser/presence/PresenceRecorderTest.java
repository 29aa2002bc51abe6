package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Nodes as PostgreSQL sees them: leases, flushes, and what happens when both meet. */
@ExtendWith(PostgreSqlExtension.class)
class PresenceRecorderTest {

  private static final int PAGE_SIZE = 2;
  private static final Instant LATER = Instant.parse("2999-01-01T00:00:00Z");

  private TestDatabase database;
  private PresenceDatabase connections;
  private NodeRegistry registry;

  private final class Node extends TestNode {
    Node(String name) {
      super(connections, database.settings(), name);
    }
  }

  @BeforeEach
  void open(TestDatabase empty) {
    database = empty;
    connections = empty.open();
    registry = new NodeRegistry(connections, database.settings());
  }

  @AfterEach
  void close() {
    connections.close();
  }

  private void silence(NodeLease lease, String howLong) {
    database.execute(
        "UPDATE gateway_nodes SET last_seen_at = now() - interval '%s' WHERE incarnation = %d"
            .formatted(howLong, lease.incarnation()));
  }

  private boolean removePage() {
    return Boolean.TRUE.equals(registry.removePage(PAGE_SIZE).block());
  }

  private List<String> removeDead() {
    List<String> dead = registry.endDead(LATER).block();
    while (removePage()) {
      // The next one.
    }
    return Objects.requireNonNull(dead);
  }

  private List<String> terms(String user) {
    return database.rows(
        "SELECT join_at AT TIME ZONE 'UTC', terminate_at AT TIME ZONE 'UTC' FROM watching_times"
            + " WHERE user_id = '%s' ORDER BY join_at".formatted(user));
  }

  @Test
  void aUserOnTwoNodesIsOnlineUntilBothSayOtherwise() {
    var first = new Node("10.0.0.1:7355");
    var second = new Node("10.0.0.2:7355");
    first.recorder.connected("alice");
    first.settle();
    second.recorder.connected("alice");
    second.recorder.connected("alice");
    second.settle();
    assertThat(database.stays())
        .containsExactly(
            "alice|t|{\"%s\": 1, \"%s\": 2}".formatted(first.lease.key(), second.lease.key()));
    first.recorder.disconnected("alice");
    first.settle();
    assertThat(database.stays())
        .containsExactly("alice|t|{\"%s\": 2}".formatted(second.lease.key()));
    second.recorder.disconnected("alice");
    second.settle();
    assertThat(database.stays())
        .containsExactly("alice|t|{\"%s\": 1}".formatted(second.lease.key()));
    second.clock.pass(Duration.ofMinutes(1));
    second.recorder.disconnected("alice");
    second.settle();
    assertThat(database.stays()).containsExactly("alice|f|{}");
    assertThat(terms("alice")).containsExactly("2026-11-23 12:00:00|2026-11-23 12:01:00");
  }

  @Test
  void aDeadNodesUsersEndWhenItWasLastSeenAndOthersStay() {
    var dead = new Node("10.0.0.1:7355");
    var alive = new Node("10.0.0.2:7355");
    dead.recorder.connected("alice");
    dead.recorder.connected("bob");
    dead.settle();
    alive.recorder.connected("bob");
    alive.settle();
    assertThat(removeDead()).isEmpty();
    silence(dead.lease, "2 s");
    assertThat(registry.endDead(Instant.EPOCH).block()).isEmpty();
    assertThat(removeDead()).containsExactly(dead.lease.key());
    assertThat(removeDead()).isEmpty();
    assertThat(database.stays())
        .containsExactly("alice|f|{}", "bob|t|{\"%s\": 1}".formatted(alive.lease.key()));
    assertThat(
            database.rows(
                "SELECT terminate_at = greatest(join_at + interval '1 microsecond', last_seen_at)"
                    + " FROM watching_times, gateway_nodes"
                    + " WHERE user_id = 'alice' AND incarnation = "
                    + dead.lease.incarnation()))
        .containsExactly("t");
  }

  @Test
  void aNodeThatWasTakenForDeadWritesNothingUntilItRegistersAgain() {
    var paused = new Node("10.0.0.1:7355");
    paused.recorder.connected("alice");
    paused.settle();
    silence(paused.lease, "2 s");
    removeDead();
    paused.recorder.connected("bob");
    assertThat(paused.settle()).isFalse();
    assertThat(registry.heartbeat(paused.lease).block()).isFalse();
    assertThat(database.stays()).containsExactly("alice|f|{}");

    NodeLease before = paused.lease;
    NodeLease after = paused.register("10.0.0.1:7355");
    assertThat(after.number()).isNotEqualTo(before.number());
    assertThat(paused.settle()).isTrue();
    assertThat(database.stays())
        .containsExactly(
            "alice|f|{}",
            "alice|t|{\"%s\": 1}".formatted(after.key()),
            "bob|t|{\"%s\": 1}".formatted(after.key()));
  }

  @Test
  void aRemovalGoesOnWhereTheLastOneStopped() {
    var dead = new Node("10.0.0.1:7355");
    var alive = new Node("10.0.0.2:7355");
    for (int user = 0; user < 10; user++) {
      (user % 3 == 0 ? alive : dead).recorder.connected("user-" + user);
    }
    dead.settle();
    alive.settle();
    silence(dead.lease, "2 s");
    registry.endDead(LATER).block();
    // There are no views.
    assertThat(removePage()).isTrue();
    assertThat(removePage()).isTrue();
    assertThat(removePage()).isTrue();
    String open = "SELECT user_id FROM watching_times WHERE terminate_at IS NULL ORDER BY 1";
    assertThat(database.rows(open))
        .containsExactly(
            "user-0", "user-3", "user-4", "user-5", "user-6", "user-7", "user-8", "user-9");
    assertThat(database.rows("SELECT removed_at FROM gateway_nodes WHERE left_at IS NOT NULL"))
        .containsExactly("null");

    try (var somebodyElse = database.open()) {
      var next = new NodeRegistry(somebodyElse, database.settings());
      while (Boolean.TRUE.equals(next.removePage(PAGE_SIZE).block())) {
        // The next one.
      }
    }
    assertThat(database.rows(open)).containsExactly("user-0", "user-3", "user-6", "user-9");
    assertThat(database.rows("SELECT removed_at IS NULL FROM gateway_nodes ORDER BY incarnation"))
        .containsExactly("f", "t");
  }

  @Test
  void leasesAreForgottenOnlyWhenAllTheyCountedIsRemoved() {
    var dead = new Node("10.0.0.1:7355");
    dead.recorder.connected("alice");
    dead.settle();
    registry.leave(dead.lease).block();
    database.execute("UPDATE gateway_nodes SET left_at = now() - interval '2 days'");
    registry.forget().block();
    assertThat(database.rows("SELECT count(*) FROM gateway_nodes")).containsExactly("1");
    removeDead();
    assertThat(database.stays()).containsExactly("alice|f|{}");
    database.execute("UPDATE gateway_nodes SET removed_at = now() - interval '2 days'");
    registry.forget().block();
    assertThat(database.rows("SELECT count(*) FROM gateway_nodes")).containsExactly("0");
  }

  @Test
  void aUserOnTwoDeadNodesStaysUntilTheLastOfThemWasSeen() {
    var longer = new Node("10.0.0.1:7355");
    var shorter = new Node("10.0.0.2:7355");
    for (Node node : List.of(longer, shorter)) {
      node.recorder.connected("alice");
      node.settle();
    }
    database.execute(
        "UPDATE watching_times SET join_at = now() - interval '1 min',"
            + " begins = presence_begins(nodes, NULL, now() - interval '1 min')");
    silence(longer.lease, "2 s");
    silence(shorter.lease, "9 s");
    assertThat(removeDead()).hasSize(2);
    assertThat(
            database.rows(
                "SELECT terminate_at = last_seen_at FROM watching_times, gateway_nodes"
                    + " WHERE incarnation = "
                    + longer.lease.incarnation()))
        .containsExactly("t");
  }

  @Test
  void aNamesakeIsEndedOnlyWhenItIsSilent() {
    var namesake = new Node("127.0.0.1:7355");
    namesake.recorder.connected("alice");
    namesake.settle();
    var node = new Node("127.0.0.1:7355");
    assertThat(registry.endNamesakes(node.lease).block()).isEmpty();
    assertThat(registry.others(node.lease).block()).containsExactly("127.0.0.1:7355");
    assertThat(namesake.settle()).isTrue();

    silence(namesake.lease, "500 ms");
    silence(node.lease, "500 ms");
    var another = new Node("127.0.0.2:7355");
    assertThat(registry.endNamesakes(another.lease).block()).isEmpty();
    assertThat(registry.endNamesakes(node.lease).block()).containsExactly(namesake.lease.key());
    namesake.recorder.connected("bob");
    assertThat(namesake.settle()).isFalse();
    assertThat(registry.others(node.lease).block()).containsExactly("127.0.0.2:7355");
    removeDead();
    assertThat(database.stays()).containsExactly("alice|f|{}");
  }

  @Test
  void aNodeThatLeavesTakesItsCountsAlong() {
    var leaving = new Node("10.0.0.1:7355");
    leaving.recorder.connected("alice");
    leaving.settle();
    registry.leave(leaving.lease).block();
    removeDead();
    assertThat(database.stays()).containsExactly("alice|f|{}");
    assertThat(leaving.recorder.flush(true)).isTrue();
    assertThat(database.rows("SELECT count(*) FROM gateway_nodes WHERE left_at IS NULL"))
        .containsExactly("0");
  }

  @Test
  void staysOfAUserDoNotOverlapWhateverTheClocksSay() {
    var ahead = new Node("10.0.0.1:7355");
    var behind = new Node("10.0.0.2:7355");
    ahead.clock.pass(Duration.ofSeconds(30));
    ahead.recorder.connected("alice");
    ahead.settle();
    ahead.recorder.disconnected("alice");
    ahead.settle();
    for (int i = 0; i < 3; i++) {
      behind.recorder.connected("alice");
      behind.settle();
      behind.recorder.disconnected("alice");
      behind.settle();
    }
    assertThat(database.stays()).hasSize(4).allMatch(row -> row.equals("alice|f|{}"));
    assertThat(
            database.rows(
                """
                SELECT count(*) FROM watching_times AS a JOIN watching_times AS b
                ON a.id < b.id AND a.join_at < b.terminate_at AND b.join_at < a.terminate_at
                """))
        .containsExactly("0");
  }

  @Test
  void aClockThatIsSetBackHoldsUpNobodysEnd() {
    var node = new Node("10.0.0.1:7355");
    node.recorder.connected("alice");
    node.settle();
    node.clock.pass(Duration.ofMinutes(1));
    node.recorder.disconnected("alice");
    node.clock.pass(Duration.ofSeconds(-30));
    node.steadyClock.pass(Duration.ofSeconds(1));
    assertThat(node.recorder.flush(false)).isTrue();
    assertThat(terms("alice")).containsExactly("2026-11-23 12:00:00|2026-11-23 12:00:29");
    assertThat(node.recorder.lag()).isZero();
  }

  @Test
  void numbersAreNotGivenTwiceHoweverManyStartAtOnce() {
    List<Thread> starters = new ArrayList<>();
    List<NodeLease> leases = java.util.Collections.synchronizedList(new ArrayList<>());
    for (int i = 0; i < 20; i++) {
      String name = "10.0.0." + i + ":7355";
      starters.add(
          Thread.ofVirtual()
              .start(() -> leases.add(Objects.requireNonNull(registry.lease(name).block()))));
    }
    starters.forEach(
        starter -> {
          try {
            starter.join();
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          }
        });
    assertThat(leases)
        .extracting(NodeLease::number)
        .containsExactlyInAnyOrderElementsOf(IntStream.range(0, 20).boxed().toList());
    assertThat(leases).extracting(NodeLease::incarnation).doesNotHaveDuplicates();
  }

  @Test
  void aNumberRestsBeforeSomebodyElseGetsIt() {
    var first = new Node("10.0.0.1:7355");
    registry.leave(first.lease).block();
    assertThat(new Node("10.0.0.2:7355").lease.number()).isNotEqualTo(first.lease.number());
    database.execute("UPDATE gateway_nodes SET left_at = left_at - interval '3 s'");
    assertThat(new Node("10.0.0.3:7355").lease.number()).isEqualTo(first.lease.number());
  }

  @Test
  void usersWhoseIdsPostgreSqlCannotHoldAreLeftOut() {
    var node = new Node("10.0.0.1:7355");
    node.recorder.connected("nul\u0000");
    node.recorder.connected("half\ud83d");
    node.recorder.connected("\udca9half");
    node.recorder.connected("");
    node.recorder.connected("whole\ud83d\udca9");
    assertThat(node.settle()).isTrue();
    assertThat(database.rows("SELECT user_id FROM watching_times"))
        .containsExactly("whole\ud83d\udca9");
  }

  @Test
  void aRowThatCannotBeWrittenDoesNotHoldUpTheOthers() {
    var node = new Node("10.0.0.1:7355");
    database.execute("ALTER TABLE watching_times ADD CHECK (user_id <> 'poison')");
    for (String user : List.of("alice", "poison", "zoe")) {
      node.recorder.connected(user);
    }
    assertThat(node.settle()).isTrue();
    assertThat(node.recorder.lag()).isZero();
    assertThat(database.rows("SELECT user_id FROM watching_times ORDER BY 1"))
        .containsExactly("alice", "zoe");
  }

  @Test
  void nobodyIsForgottenWhileTheTableCannotBeWritten() {
    var node = new Node("10.0.0.1:7355");
    node.recorder.connected("alice");
    node.recorder.connected("bob");
    database.execute("ALTER TABLE watching_times RENAME TO moved");
    assertThat(catchThrowable(node::settle)).isNotNull();
    database.execute("ALTER TABLE moved RENAME TO watching_times");
    assertThat(node.settle()).isTrue();
    assertThat(database.rows("SELECT user_id FROM watching_times ORDER BY 1"))
        .containsExactly("alice", "bob");
  }

  /** Nodes that flush the same users, and one that reaps, at once and over and over. */
  @Test
  void nodesThatWriteTheSameUsersDoNotGetInEachOthersWay() throws Exception {
    int users = 200;
    List<Node> nodes = List.of(new Node("a:1"), new Node("b:1"), new Node("c:1"));
    var failures = new ArrayList<Throwable>();
    List<Thread> threads = new ArrayList<>();
    for (Node node : nodes) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int round = 0; round < 60; round++) {
                      for (int i = 0; i < users; i++) {
                        String user = "user-" + ThreadLocalRandom.current().nextInt(users);
                        if (ThreadLocalRandom.current().nextBoolean()) {
                          node.recorder.connected(user);
                        } else {
                          node.recorder.disconnected(user);
                        }
                      }
                      Throwable failure = catchThrowable(node::settle);
                      if (failure != null) {
                        synchronized (failures) {
                          failures.add(failure);
                        }
                      }
                    }
                  }));
    }
    threads.add(
        Thread.ofPlatform()
            .start(
                () -> {
                  for (int round = 0; round < 60; round++) {
                    registry.heartbeat(nodes.getFirst().lease).block();
                    removeDead();
                  }
                }));
    for (Thread thread : threads) {
      thread.join();
    }
    // A deadlock that PostgreSQL resolves is no loss, only a retry; it should be rare.
    assertThat(failures.size()).isLessThan(10);
    for (Node node : nodes) {
      for (int i = 0; i < users; i++) {
        for (int j = 0; j < 200; j++) {
          node.recorder.disconnected("user-" + i);
        }
      }
      // The first try may be refused: another's statement was in the way, or the machine is slow.
      await().until(node::settle);
    }
    assertThat(database.rows("SELECT count(*) FROM watching_times WHERE terminate_at IS NULL"))
        .containsExactly("0");
    assertThat(database.rows("SELECT count(*) FROM watching_times WHERE nodes <> '{}'"))
        .containsExactly("0");
  }
}
