package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import reactor.core.publisher.Mono;

/** Several nodes write about the same users, and some of them should not. */
@ExtendWith(PostgreSqlExtension.class)
class FencingTest {

  private static final Instant LATER = Instant.parse("2999-01-01T00:00:00Z");

  private TestDatabase database;
  private PresenceDatabase connections;
  private NodeRegistry registry;

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

  private TestNode node(String name) {
    return new TestNode(connections, database.settings(), name);
  }

  private void silence(NodeLease lease) {
    database.execute(
        "UPDATE gateway_nodes SET last_seen_at = now() - interval '2 s' WHERE incarnation = "
            + lease.incarnation());
  }

  /** What ended leases still count. */
  private void removeAll() {
    while (Boolean.TRUE.equals(registry.removePage(5).block())) {
      // The next one.
    }
  }

  private String times(String user) {
    return String.join(
        ", ",
        database.rows(
            """
            SELECT to_char(join_at, 'MI:SS') || '-' || coalesce(to_char(terminate_at, 'MI:SS'), '')
            FROM watching_times WHERE user_id = '%s' ORDER BY join_at
            """
                .formatted(user)));
  }

  private boolean waitsForALock(String statement) {
    return database
        .rows(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                + " AND query LIKE '%%%s%%'".formatted(statement))
        .equals(List.of("1"));
  }

  @Test
  void aStayThatEndsWhileTheNextOneWaitsForItDoesNotOverlap() throws Exception {
    var closing = node("10.0.0.1:7355");
    var opening = node("10.0.0.2:7355");
    closing.clock.pass(Duration.ofSeconds(5));
    closing.recorder.connected("alice");
    closing.settle();
    var commit = new CompletableFuture<Boolean>();
    var closed =
        connections
            .transaction(
                connection ->
                    PresenceDatabase.execute(
                            connection,
                            "SELECT presence_record($1, 0, ARRAY['alice'], ARRAY[0], ARRAY[$2::bigint], 0)",
                            row -> true,
                            List.of(closing.lease.incarnation(), closing.clock.millis() + 1_000))
                        .then(Mono.fromFuture(commit)))
            .toFuture();
    await()
        .until(
            () -> !database.rows("SELECT FROM pg_locks WHERE mode = 'RowExclusiveLock'").isEmpty());
    opening.recorder.connected("alice");
    var opened = CompletableFuture.supplyAsync(() -> opening.recorder.flush(false));
    await().until(() -> waitsForALock("presence_record($1, $2, $3, $4, $5, $6)"));
    commit.complete(true);
    closed.get(10, TimeUnit.SECONDS);
    assertThat(opened.get(10, TimeUnit.SECONDS)).isTrue();
    assertThat(times("alice")).isEqualTo("00:05-00:06, 00:06-");
    assertThat(database.violations()).isEmpty();
  }

  /** Clocks 5 s ahead, right, and 5 s behind; no linger, so that stays meet as often as can be. */
  @Test
  void nodesThatCloseAndOpenTheSameUsersAtOnceLeaveNothingWrong() throws Exception {
    var failures = new CopyOnWriteArrayList<Throwable>();
    List<Thread> threads = new ArrayList<>();
    List<TestNode> nodes = new ArrayList<>();
    for (int number = 0; number < 3; number++) {
      TestNode node = node("10.0.0.%d:7355".formatted(number));
      node.clock.pass(Duration.ofSeconds(5L * (number - 1)));
      nodes.add(node);
      var random = new Random(number);
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int round = 0; round < 150; round++) {
                      for (int i = 0; i < 10; i++) {
                        String user = "user-" + random.nextInt(12);
                        if (random.nextInt(3) == 0) {
                          node.recorder.connected(user);
                        } else {
                          node.recorder.disconnected(user);
                        }
                      }
                      node.pass(Duration.ofMillis(random.nextInt(400)));
                      Throwable failure = catchThrowable(node::settle);
                      if (failure != null) {
                        failures.add(failure);
                      }
                    }
                  }));
    }
    while (threads.stream().anyMatch(Thread::isAlive)) {
      assertThat(database.violations()).isEmpty();
    }
    // What PostgreSQL resolves, a deadlock, is written at the next try.
    assertThat(failures).hasSizeLessThan(10).allMatch(PresenceDatabase::isObserved);
    assertThat(Integer.parseInt(database.rows("SELECT count(*) FROM watching_times").getFirst()))
        .isGreaterThan(100);
    for (TestNode node : nodes) {
      assertThat(registry.leave(node.lease).block()).hasSize(1);
    }
    while (Boolean.TRUE.equals(registry.removePage(5).block())) {
      assertThat(database.violations()).isEmpty();
    }
    assertThat(database.rows("SELECT FROM watching_times WHERE terminate_at IS NULL")).isEmpty();
  }

  @Test
  void aStayEndsWhenTheLastOfItsNodesLostTheUserWhoeverSaysSoFirst() {
    var first = node("10.0.0.1:7355");
    var second = node("10.0.0.2:7355");
    var third = node("10.0.0.3:7355");
    for (TestNode node : List.of(first, second, third)) {
      node.recorder.connected("alice");
      node.settle();
      node.recorder.disconnected("alice");
    }
    first.recorder.connected("alice");
    first.pass(Duration.ofSeconds(30));
    first.recorder.disconnected("alice");
    first.settle();
    second.settle();
    assertThat(times("alice")).isEqualTo("00:00-");
    third.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:30");
  }

  @Test
  void aStayBeginsWithTheFirstNodeThatHasTheUserWhoeverSaysSoFirst() {
    var first = node("10.0.0.1:7355");
    var second = node("10.0.0.2:7355");
    first.recorder.connected("alice");
    second.pass(Duration.ofSeconds(20));
    second.recorder.connected("alice");
    second.settle();
    first.settle();
    assertThat(times("alice")).isEqualTo("00:00-");
  }

  @Test
  void aNodeThatComesBackAfterALongTimeDoesNotRepeatWhatIsInTheArchive() {
    var node = node("10.0.0.1:7355");
    node.recorder.connected("alice");
    node.settle();
    database.execute("UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:10Z'");
    database.execute("UPDATE gateway_nodes SET left_at = now()");
    removeAll();
    database.archive(connections);
    assertThat(times("alice")).isEmpty();
    node.register("10.0.0.1:7355");
    node.settle();
    assertThat(times("alice")).isEqualTo("10:00-");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void aNodeThatComesBackAfterALongTimeDoesNotRepeatViewsThatAreInTheArchive() {
    var node = node("10.0.0.1:7355");
    for (boolean idle : new boolean[] {true, false}) {
      node.recorder.viewing("alice", "lesson", idle);
    }
    node.settle();
    database.execute("UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:10Z'");
    database.execute("UPDATE gateway_nodes SET left_at = now()");
    removeAll();
    database.archive(connections);
    node.register("10.0.0.1:7355");
    node.settle();
    assertThat(
            database.rows(
                "SELECT idle, to_char(join_at, 'MI:SS') FROM viewing_times ORDER BY idle"))
        .containsExactly("f|10:00", "t|10:00");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void aUserWhoLingersOnAFencedNodeDoesNotComeBack() {
    PresencePublisher.enable(connections, true);
    var fenced = node("10.0.0.1:7355");
    fenced.recorder.connected("alice");
    fenced.settle();
    fenced.pass(Duration.ofMinutes(1));
    fenced.recorder.disconnected("alice");
    database.execute("UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:10Z'");
    assertThat(registry.endDead(LATER).block()).hasSize(1);
    removeAll();
    fenced.register("10.0.0.1:7355");
    assertThat(fenced.settle()).isTrue();
    assertThat(times("alice")).isEqualTo("00:00-10:00");
    assertThat(database.rows("SELECT event FROM presence_events ORDER BY id"))
        .containsExactly("online", "offline");
  }

  @Test
  void whatIsInTheArchiveIsNotInsertedAgain() {
    var fenced = node("10.0.0.1:7355");
    fenced.recorder.connected("alice");
    fenced.recorder.viewing("alice", "lesson", false);
    fenced.settle();
    fenced.pass(Duration.ofMinutes(15));
    fenced.recorder.viewed("alice", "lesson", false, false);
    fenced.recorder.disconnected("alice");
    database.execute("UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:10Z'");
    assertThat(registry.endDead(LATER).block()).hasSize(1);
    removeAll();
    database.archive(connections);
    fenced.register("10.0.0.1:7355");
    assertThat(fenced.settle()).isTrue();
    String spans =
        "SELECT to_char(join_at, 'MI:SS') || '-' || to_char(terminate_at, 'MI:SS') FROM %s"
            + " ORDER BY join_at";
    assertThat(database.rows(spans.formatted("presence_stays")))
        .containsExactly("00:00-10:00", "10:00-15:00");
    assertThat(database.rows(spans.formatted("viewing_stays")))
        .containsExactly("00:00-10:00", "10:00-15:00");
  }

  @Test
  void whatAFencedNodeCouldNotWriteIsWrittenWhenItRegistersAgain() {
    var fenced = node("10.0.0.1:7355");
    fenced.recorder.connected("alice");
    fenced.settle();
    database.execute("UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:00:02Z'");
    assertThat(registry.endDead(LATER).block()).hasSize(1);
    removeAll();
    fenced.pass(Duration.ofSeconds(10));
    fenced.recorder.disconnected("alice");
    fenced.pass(Duration.ofSeconds(10));
    fenced.recorder.connected("alice");
    fenced.pass(Duration.ofSeconds(10));
    fenced.recorder.disconnected("alice");
    fenced.pass(Duration.ofSeconds(10));
    fenced.recorder.connected("alice");
    fenced.register("10.0.0.1:7355");
    assertThat(fenced.settle()).isTrue();
    assertThat(times("alice")).isEqualTo("00:00-00:02, 00:02-00:10, 00:20-00:30, 00:40-");
  }

  @Test
  void aStayThatIsWrittenLateDoesNotFillTheGapBeforeTheNextOneElsewhere() {
    var late = node("10.0.0.1:7355");
    var other = node("10.0.0.2:7355");
    late.recorder.connected("alice");
    late.pass(Duration.ofSeconds(5));
    late.recorder.disconnected("alice");
    other.pass(Duration.ofSeconds(20));
    other.recorder.connected("alice");
    other.settle();
    late.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:20-");
    late.pass(Duration.ofSeconds(10));
    late.recorder.connected("alice");
    late.pass(Duration.ofSeconds(10));
    late.recorder.disconnected("alice");
    late.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:15-00:20, 00:20-");
    assertThat(database.violations()).isEmpty();
  }

  /** Nodes write in any order when PostgreSQL was away, or when one of them was paused. */
  @Test
  void aUserWasAwayBetweenTwoNodesWhicheverOfThemWritesFirst() {
    var first = node("10.0.0.1:7355");
    var second = node("10.0.0.2:7355");
    var third = node("10.0.0.3:7355");
    first.recorder.connected("alice");
    first.settle();
    first.pass(Duration.ofSeconds(5));
    first.recorder.disconnected("alice");
    second.pass(Duration.ofSeconds(10));
    second.recorder.connected("alice");
    second.pass(Duration.ofSeconds(5));
    second.recorder.disconnected("alice");
    third.pass(Duration.ofSeconds(20));
    third.recorder.connected("alice");
    third.settle();
    second.settle();
    assertThat(times("alice")).isEqualTo("00:00-");
    first.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:10-00:15, 00:20-");
    third.pass(Duration.ofSeconds(5));
    third.recorder.disconnected("alice");
    third.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:10-00:15, 00:20-00:25");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void whoWasOnANodeAllTheTimeWasSoBetweenStaysThatOthersToldBefore() {
    var first = node("10.0.0.1:7355");
    var second = node("10.0.0.2:7355");
    var third = node("10.0.0.3:7355");
    first.recorder.connected("alice");
    first.settle();
    first.pass(Duration.ofSeconds(5));
    first.recorder.disconnected("alice");
    second.pass(Duration.ofSeconds(20));
    second.recorder.connected("alice");
    second.pass(Duration.ofSeconds(5));
    second.recorder.disconnected("alice");
    third.pass(Duration.ofSeconds(10));
    third.recorder.connected("alice");
    first.settle();
    second.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:20-00:25");
    third.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:20-00:25, 00:25-");
    third.pass(Duration.ofSeconds(20));
    third.recorder.disconnected("alice");
    third.settle();
    assertThat(times("alice")).isEqualTo("00:00-00:05, 00:10-00:20, 00:20-00:25, 00:25-00:30");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void whoComesFromANodeThatDiedWasAwayOnlyIfThatWasLongDead() {
    var dead = node("10.0.0.1:7355");
    var other = node("10.0.0.2:7355");
    for (String user : List.of("alice", "bob", "carol")) {
      dead.recorder.connected(user);
    }
    dead.settle();
    database.execute(
        "UPDATE gateway_nodes SET last_seen_at = '2026-11-23 12:00:02Z' WHERE incarnation = "
            + dead.lease.incarnation());
    other.pass(Duration.ofMillis(2_900));
    other.recorder.connected("alice");
    other.recorder.connected("carol");
    other.settle();
    other.pass(Duration.ofSeconds(1));
    other.recorder.disconnected("carol");
    other.pass(Duration.ofSeconds(7));
    other.recorder.connected("bob");
    other.settle();
    assertThat(registry.endDead(LATER).block()).containsExactly(dead.lease.key());
    removeAll();
    assertThat(times("alice")).isEqualTo("00:00-");
    assertThat(times("bob")).isEqualTo("00:00-00:02, 00:10-");
    assertThat(times("carol")).isEqualTo("00:00-00:03");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void theEventsOfAStayHaveOneName() {
    PresencePublisher.enable(connections, true);
    var node = node("10.0.0.1:7355");
    var earlier = node("10.0.0.2:7355");
    node.pass(Duration.ofSeconds(5));
    node.recorder.connected("alice");
    node.recorder.viewing("alice", "lesson", false);
    node.settle();
    earlier.recorder.connected("alice");
    earlier.settle();
    for (NodeLease lease : List.of(node.lease, earlier.lease)) {
      registry.leave(lease).block();
    }
    removeAll();
    // Its begin lies in the stay that was ended.
    node.register("10.0.0.1:7355");
    node.settle();
    assertThat(
            database.rows(
                """
                SELECT event, stay = (SELECT min(id) FROM watching_times),
                       stay = (SELECT max(id) FROM watching_times)
                FROM presence_events WHERE resource IS NULL ORDER BY id
                """))
        .containsExactly(
            "online|t|f", "device-added|t|f", "device-removed|t|f", "offline|t|f", "online|f|t");
    assertThat(
            database.rows(
                """
                SELECT event, stay = (SELECT min(id) FROM viewing_times)
                FROM presence_events WHERE resource IS NOT NULL ORDER BY id
                """))
        .containsExactly("view-began|t", "view-ended|t", "view-began|f");
  }

  @Test
  void viewsEndBeforeTheStayThatTheyAreIn() {
    PresencePublisher.enable(connections, true);
    String told = "SELECT event FROM presence_events WHERE NOT event ~ 'device' ORDER BY id";
    var node = node("10.0.0.1:7355");
    node.recorder.connected("alice");
    node.recorder.viewing("alice", "lesson", false);
    node.settle();
    node.pass(Duration.ofSeconds(5));
    node.recorder.viewed("alice", "lesson", false, false);
    node.recorder.disconnected("alice");
    node.settle();
    assertThat(database.rows(told))
        .containsExactly("online", "view-began", "view-ended", "offline");
    database.execute("DELETE FROM presence_events");
    node.recorder.connected("alice");
    node.recorder.viewing("alice", "lesson", false);
    node.settle();
    registry.leave(node.lease).block();
    removeAll();
    assertThat(database.rows(told))
        .containsExactly("online", "view-began", "view-ended", "offline");
  }

  @Test
  void idleTimeStaysIdleHoweverOftenItChangesWhilePostgreSqlIsAway() {
    var node = node("10.0.0.1:7355");
    node.recorder.viewing("alice", "lesson", false);
    node.settle();
    for (int change = 0; change < 280; change++) {
      node.pass(Duration.ofSeconds(2));
      boolean idle = change % 2 == 0;
      node.recorder.viewing("alice", "lesson", idle);
      node.recorder.viewed("alice", "lesson", !idle, true);
    }
    node.pass(Duration.ofSeconds(2));
    node.recorder.viewed("alice", "lesson", false, true);
    node.settle();
    assertThat(
            database.rows(
                "SELECT seconds, idle_seconds FROM presence_resource_times("
                    + "'lesson', '2026-11-23 12:00Z', '2026-11-23 13:00Z')"))
        .containsExactly("282|280");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void aRemovalThatDiesInTheMiddleOfAPageIsDoneAgain() {
    var dead = node("10.0.0.1:7355");
    var alive = node("10.0.0.2:7355");
    for (int user = 0; user < 10; user++) {
      dead.recorder.connected("user-" + user);
      if (user % 2 == 0) {
        alive.recorder.connected("user-" + user);
      }
    }
    dead.settle();
    alive.settle();
    silence(dead.lease);
    registry.endDead(LATER).block();
    // There are no views.
    assertThat(registry.removePage(3).block()).isTrue();
    assertThat(registry.removePage(3).block()).isTrue();

    var held = new CompletableFuture<Boolean>();
    var release = new CompletableFuture<Boolean>();
    var holder =
        connections
            .transaction(
                connection ->
                    PresenceDatabase.execute(
                            connection,
                            "SELECT FROM watching_times WHERE user_id = 'user-5' FOR UPDATE",
                            row -> true,
                            List.of())
                        .doOnSuccess(locked -> held.complete(true))
                        .then(Mono.fromFuture(release)))
            .toFuture();
    assertThat(held.orTimeout(10, TimeUnit.SECONDS).join()).isTrue();
    var dying = registry.removePage(4).toFuture();
    await().until(() -> waitsForALock("removed_to"));
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            + " WHERE wait_event_type = 'Lock' AND query LIKE '%removed_to%'");
    assertThat(catchThrowable(dying::join)).isNotNull();
    release.complete(true);
    assertThat(holder.join()).isTrue();
    String open = "SELECT count(*) FROM watching_times WHERE terminate_at IS NULL";
    assertThat(database.rows(open)).containsExactly("9");

    while (Boolean.TRUE.equals(registry.removePage(4).block())) {
      assertThat(database.violations()).isEmpty();
    }
    assertThat(database.rows(open)).containsExactly("5");
    assertThat(database.violations()).isEmpty();
  }

  @Test
  void aFencedNodeThatComesBackStartsWhereItsEarlierSelfEnded() {
    var fenced = node("10.0.0.1:7355");
    fenced.recorder.connected("alice");
    fenced.settle();
    silence(fenced.lease);
    assertThat(registry.endDead(LATER).block()).hasSize(1);
    fenced.recorder.connected("alice");
    assertThat(fenced.settle()).isFalse();
    removeAll();
    fenced.recorder.connected("bob");
    assertThat(fenced.settle()).isFalse();
    fenced.register("10.0.0.1:7355");
    assertThat(fenced.settle()).isTrue();
    assertThat(database.stays())
        .containsExactly(
            "alice|f|{}",
            "alice|t|{\"%s\": 2}".formatted(fenced.lease.key()),
            "bob|t|{\"%s\": 1}".formatted(fenced.lease.key()));
    assertThat(database.violations()).isEmpty();
  }

  /**
   * Statistics that say that nobody is online once made PostgreSQL read all open stays in each
   * statement, and compare each with all users of it.
   */
  @Test
  void usersAreLookedUpOneByOneWhateverStatisticsSay() {
    database.execute(
        """
        INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
        SELECT 'user-' || number, '2026-11-01Z', '2026-11-02Z', '{}'
        FROM generate_series(1, 20000) AS number
        """);
    database.execute("ALTER TABLE watching_times SET (autovacuum_enabled = off)");
    database.execute("VACUUM ANALYZE watching_times");
    try (var own = database.open()) {
      var node = new TestNode(own, database.settings("batch-size = 100"), "10.0.0.1:7355");
      for (int user = 0; user < 5_000; user++) {
        node.recorder.connected("user-" + user);
      }
      node.settle();
      for (int user = 0; user < 5_000; user++) {
        node.recorder.disconnected("user-" + user);
      }
      node.settle();
    }
    String reads =
        "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'watching_times_online'";
    // A connection tells what it read when it is closed. All open stays, 50 times: 125,000.
    await().until(() -> Long.parseLong(database.rows(reads).getFirst()) >= 5_000);
    assertThat(Long.parseLong(database.rows(reads).getFirst())).isLessThan(30_000);
    assertThat(database.rows("SELECT count(*) FROM watching_times WHERE terminate_at IS NULL"))
        .containsExactly("0");
  }

  /** In milliseconds; the end is 0 while the user is online. */
  private record Stay(String user, long begin, long end) {
    @Override
    public String toString() {
      return user + "|" + begin + "|" + end;
    }
  }

  /** Ten minutes of churn on test clocks, against the model's own books. */
  @Test
  void nothingIsLostWhilePostgreSqlIsAwayForLong() {
    try (var server = EmbeddedPostgreSql.start()) {
      var own = new TestDatabase(server, "presence");
      try (var ownConnections = own.open()) {
        var node = new TestNode(ownConnections, own.settings("linger = 10s"), "10.0.0.1:7355");
        Map<String, Stay> last = new HashMap<>();
        List<Stay> stays = new ArrayList<>();
        var random = new Random(5);
        for (int step = 0; step < 6_000; step++) {
          if (step == 500) {
            server.stop();
          }
          node.pass(Duration.ofMillis(100));
          long now = node.clock.millis();
          String user = "user-" + random.nextInt(40);
          Stay before = last.get(user);
          if (before != null && before.end() == 0) {
            node.recorder.disconnected(user);
            last.put(user, new Stay(user, before.begin(), now));
          } else {
            node.recorder.connected(user);
            boolean same = before != null && now - before.end() < 10_000;
            if (before != null && !same) {
              stays.add(before);
            }
            last.put(user, new Stay(user, before != null && same ? before.begin() : now, 0));
          }
          if (step < 500 && step % 2 == 0) {
            node.recorder.flush(false);
          } else if (step % 2_000 == 0) {
            assertThat(catchThrowable(() -> node.recorder.flush(false)))
                .matches(PresenceDatabase::isAway);
          }
        }
        server.restart();
        assertThat(node.settle()).isTrue();
        stays.addAll(last.values());
        assertThat(
                own.rows(
                    """
                    SELECT user_id, (extract(epoch FROM join_at) * 1000)::bigint,
                           coalesce((extract(epoch FROM terminate_at) * 1000)::bigint, 0)
                    FROM watching_times
                    """))
            .containsExactlyInAnyOrderElementsOf(stays.stream().map(Stay::toString).toList());
        assertThat(stays).hasSizeGreaterThan(200);
        assertThat(own.violations()).isEmpty();
      }
    }
  }
}
