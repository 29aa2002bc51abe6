package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.presence.PresenceService.Duty;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;

@ExtendWith(PostgreSqlExtension.class)
class PresenceServiceTest {

  private static NodeLease registered(PresenceService service) throws Exception {
    return service.registered().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static void stop(PresenceService service) throws Exception {
    service.stop().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void countsFollowAndAStopLeavesNothingOpen(TestDatabase database) throws Exception {
    var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
    service.recorder().connected("early");
    String key = registered(service).key();
    service.recorder().connected("alice");
    service.recorder().connected("alice");
    await()
        .untilAsserted(
            () ->
                assertThat(database.stays())
                    .containsExactly(
                        "alice|t|{\"%s\": 2}".formatted(key),
                        "early|t|{\"%s\": 1}".formatted(key)));
    service.recorder().disconnected("early");
    await().untilAsserted(() -> assertThat(database.stays()).contains("early|f|{}"));
    await().untilAsserted(() -> assertThat(service.lag()).isZero());
    stop(service);
    assertThat(database.stays()).containsExactly("alice|f|{}", "early|f|{}");
  }

  @Test
  void aPageReloadContinuesTheStay(TestDatabase database) throws Exception {
    var service = PresenceService.start(database.settings("linger = 2s"), "10.0.0.1:7355");
    String key = registered(service).key();
    service.recorder().connected("alice");
    await().until(() -> database.stays().size() == 1);
    service.recorder().disconnected("alice");
    Thread.sleep(300);
    service.recorder().connected("alice");
    Thread.sleep(300);
    assertThat(database.stays()).containsExactly("alice|t|{\"%s\": 1}".formatted(key));
    stop(service);
  }

  /** In one statement: between two, the node might register again. */
  private static void takeForDead(TestDatabase database) throws Exception {
    database.execute(
        """
        WITH dead AS (UPDATE gateway_nodes SET left_at = now())
        UPDATE watching_times SET nodes = '{}', terminate_at = now()
        """);
  }

  @Test
  void aNodeThatIsTakenForDeadComesBackWithAllItsUsers(TestDatabase database) throws Exception {
    var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
    NodeLease first = registered(service);
    service.recorder().connected("alice");
    await().until(() -> database.stays().size() == 1);
    takeForDead(database);
    await().until(() -> service.lease().incarnation() != first.incarnation());
    await()
        .untilAsserted(
            () ->
                assertThat(database.stays())
                    .containsExactly(
                        "alice|f|{}", "alice|t|{\"%s\": 1}".formatted(service.lease().key())));
    stop(service);
  }

  @Test
  void whoeverListensForALostLeaseDecidesWhatIsNext(TestDatabase database) throws Exception {
    var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
    var calls = new AtomicInteger();
    service.onLeaseLost(calls::incrementAndGet);
    NodeLease lost = registered(service);
    service.recorder().connected("alice");
    await().until(() -> database.stays().size() == 1);
    takeForDead(database);
    service.recorder().connected("bob");
    await().until(() -> calls.get() > 0);
    await()
        .during(Duration.ofSeconds(1))
        .until(() -> calls.get() == 1 && service.lease().equals(lost));
    assertThat(database.stays()).containsExactly("alice|f|{}");
    stop(service);
    assertThat(database.rows("SELECT count(*) FROM gateway_nodes")).containsExactly("1");
  }

  @Test
  void slowAndWrongQueriesDoNotHoldUpPresence(TestDatabase database) throws Exception {
    var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
    NodeLease lease = registered(service);
    var slow =
        Flux.range(0, 8)
            .flatMapDelayError(
                i -> service.database().query("SELECT pg_sleep(3)", row -> true, List.of()), 8, 1)
            .then()
            .toFuture();
    await().until(() -> activeQueries(database) == 5);
    service.recorder().connected("alice");
    await().atMost(Duration.ofSeconds(2)).until(() -> isOnline(database, "alice"));
    assertThat(activeQueries(database)).isEqualTo(5);
    slow.get(20, TimeUnit.SECONDS);
    var wrong = service.database().query("SELECT * FROM nowhere", row -> true, List.of());
    assertThat(catchThrowable(wrong::block)).hasMessageContaining("nowhere");
    assertThat(service.reachable()).isTrue();
    assertThat(service.lease()).isEqualTo(lease);
    stop(service);
  }

  private static int activeQueries(TestDatabase database) {
    return Integer.parseInt(
        database
            .rows(
                "SELECT count(*) FROM pg_stat_activity"
                    + " WHERE query = 'SELECT pg_sleep(3)' AND state = 'active'")
            .getFirst());
  }

  @Test
  void aDefectIsLogged(TestDatabase database) throws Exception {
    var logged = new ListAppender<ILoggingEvent>();
    logged.start();
    var logger = (Logger) LoggerFactory.getLogger(PresenceService.class);
    logger.addAppender(logged);
    var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
    service.onLeaseLost(
        () -> {
          throw new IllegalStateException("a defect");
        });
    registered(service);
    database.execute("UPDATE gateway_nodes SET left_at = now()");
    await()
        .until(
            () ->
                logged.list.stream()
                    .filter(event -> event.getLevel() == Level.ERROR)
                    .anyMatch(event -> event.getThrowableProxy().getMessage().equals("a defect")));
    stop(service);
    logger.detachAppender(logged);
  }

  @Test
  void recordingAndRemovingAreDutiesOfTheirOwn(TestDatabase database) throws Exception {
    var gateway =
        PresenceService.start(database.settings(), "10.0.0.1:7355", EnumSet.of(Duty.RECORD));
    registered(gateway);
    die(database, "10.0.0.2:7355", "alice");
    gateway.recorder().connected("bob");
    await().during(Duration.ofSeconds(3)).until(() -> isOnline(database, "alice"));
    assertThat(isOnline(database, "bob")).isTrue();

    var presence =
        PresenceService.start(database.settings(), "10.0.0.3:7355", EnumSet.of(Duty.REMOVE_DEAD));
    presence.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
    await().until(() -> !isOnline(database, "alice"));
    assertThat(isOnline(database, "bob")).isTrue();
    assertThat(presence.reachable()).isTrue();
    assertThat(database.rows("SELECT node FROM gateway_nodes WHERE left_at IS NULL"))
        .containsExactly("10.0.0.1:7355");
    assertThatThrownBy(presence::recorder).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> registered(presence)).hasCauseInstanceOf(IllegalStateException.class);
    stop(presence);
    stop(gateway);
  }

  @Test
  void aNodeThatWasKilledAndStartsAgainDoesNotWaitForItsEarlierSelf(TestDatabase database)
      throws Exception {
    var slow = "heartbeat-interval = 500ms, node-timeout = 1h";
    die(database, "10.0.0.1:7355", "alice");
    var again = PresenceService.start(database.settings(slow), "10.0.0.1:7355");
    registered(again);
    assertThat(isOnline(database, "alice")).isTrue();
    await().atMost(Duration.ofSeconds(4)).until(() -> !isOnline(database, "alice"));
    stop(again);
  }

  @Test
  void nodesUnderTheSameNameLeaveEachOtherAlone(TestDatabase database) throws Exception {
    var first = PresenceService.start(database.settings(), "127.0.0.1:7355");
    NodeLease firstLease = registered(first);
    var second = PresenceService.start(database.settings(), "127.0.0.1:7355");
    NodeLease secondLease = registered(second);
    first.recorder().connected("alice");
    second.recorder().connected("bob");
    await().until(() -> isOnline(database, "alice") && isOnline(database, "bob"));
    await()
        .during(Duration.ofSeconds(2))
        .until(() -> first.lease().equals(firstLease) && second.lease().equals(secondLease));
    assertThat(second.otherNodes().toCompletableFuture().get(5, TimeUnit.SECONDS))
        .containsExactly("127.0.0.1:7355");
    assertThat(isOnline(database, "alice") && isOnline(database, "bob")).isTrue();
    stop(first);
    stop(second);
  }

  private static boolean isOnline(TestDatabase database, String user) {
    return database.stays().stream().anyMatch(stay -> stay.startsWith(user + "|t"));
  }

  /** A node that records a user, and then nothing any more. */
  private static void die(TestDatabase database, String node, String user) {
    try (PresenceDatabase connections = database.open()) {
      var dying =
          new PresenceRecorder(
              connections, database.settings(), Clock.systemUTC(), Clock.systemUTC());
      dying.use(
          Objects.requireNonNull(
              new NodeRegistry(connections, database.settings()).lease(node).block()));
      dying.connected(user);
      dying.flush(false);
    }
  }

  @Test
  void nodesThatStartTogetherOnAnEmptyDatabaseAllRegister(TestDatabase database) throws Exception {
    List<PresenceService> services = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      services.add(PresenceService.start(database.settings(), "10.0.0.%d:7355".formatted(i)));
    }
    for (PresenceService service : services) {
      registered(service);
    }
    assertThat(services)
        .extracting(service -> service.lease().number())
        .containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5);
    for (PresenceService service : services) {
      stop(service);
    }
  }

  @Test
  void nodesDoNotTakeEachOtherForDeadAfterPostgreSqlWasAway() throws Exception {
    try (var server = EmbeddedPostgreSql.start()) {
      var database = new TestDatabase(server, "presence");
      var first = PresenceService.start(database.settings(), "10.0.0.1:7355");
      // Slow to find out that PostgreSQL is back.
      var second =
          PresenceService.start(
              database.settings("heartbeat-interval = 600ms, node-timeout = 2s"), "10.0.0.2:7355");
      long incarnation = registered(second).incarnation();
      registered(first);
      second.recorder().connected("alice");
      await().until(() -> database.stays().size() == 1);
      server.stop();
      Thread.sleep(2_500);
      server.restart();
      await().until(() -> first.reachable() && second.reachable());
      Thread.sleep(2_500);
      assertThat(second.lease().incarnation()).isEqualTo(incarnation);
      assertThat(database.stays())
          .containsExactly("alice|t|{\"%s\": 1}".formatted(second.lease().key()));
      stop(first);
      stop(second);
    }
  }

  @Test
  void nodesDoNotTakeEachOtherForDeadAfterPostgreSqlWasPaused() throws Exception {
    try (var server = EmbeddedPostgreSql.start()) {
      var database = new TestDatabase(server, "presence");
      List<PresenceService> nodes = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        nodes.add(PresenceService.start(database.settings(), "10.0.0.%d:7355".formatted(i)));
        registered(nodes.getLast());
      }
      await().during(Duration.ofMillis(1_500)).until(() -> nodes.getFirst().reachable());
      List<NodeLease> leases = nodes.stream().map(PresenceService::lease).toList();
      for (int pause : new int[] {700, 1_500, 3_000}) {
        List<String> processes =
            database.rows(
                "SELECT pid FROM pg_stat_activity"
                    + " UNION SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int");
        signal("STOP", processes);
        Thread.sleep(pause);
        signal("CONT", processes);
        await().during(Duration.ofMillis(1_500)).until(() -> nodes.getFirst().reachable());
        assertThat(nodes).extracting(PresenceService::lease).containsExactlyElementsOf(leases);
      }
      for (PresenceService node : nodes) {
        stop(node);
      }
    }
  }

  private static void signal(String signal, List<String> processes) throws Exception {
    var command = new ArrayList<>(List.of("kill", "-" + signal));
    command.addAll(processes);
    // Backends may have ended meanwhile.
    var unused = new ProcessBuilder(command).start().waitFor();
  }

  @Test
  void theOthersRemoveANodeThatDies(TestDatabase database) throws Exception {
    var survivor = PresenceService.start(database.settings(), "10.0.0.1:7355");
    registered(survivor);
    die(database, "10.0.0.2:7355", "alice");
    assertThat(database.stays()).hasSize(1).allMatch(stay -> stay.startsWith("alice|t"));
    await().untilAsserted(() -> assertThat(database.stays()).containsExactly("alice|f|{}"));
    stop(survivor);
  }

  @Test
  void whilePostgreSqlIsAwayNothingIsLost() throws Exception {
    try (var server = EmbeddedPostgreSql.start()) {
      var database = new TestDatabase(server, "presence");
      server.stop();
      var service = PresenceService.start(database.settings(), "10.0.0.1:7355");
      service.recorder().connected("alice");
      Thread.sleep(500);
      assertThat(service.reachable()).isFalse();
      assertThat(service.registered().toCompletableFuture()).isNotDone();
      server.restart();
      String key = registered(service).key();
      await().until(() -> database.stays().equals(List.of("alice|t|{\"%s\": 1}".formatted(key))));
      assertThat(service.reachable()).isTrue();

      server.stop();
      service.recorder().disconnected("alice");
      service.recorder().connected("bob");
      service.recorder().connected("bob");
      service.recorder().connected("passing by");
      service.recorder().disconnected("passing by");
      await().until(() -> !service.reachable());
      assertThat(service.lag()).isPositive();
      server.restart();
      await()
          .atMost(30, TimeUnit.SECONDS)
          .untilAsserted(
              () ->
                  assertThat(database.stays())
                      .contains(
                          "alice|f|{}",
                          "bob|t|{\"%s\": 2}".formatted(service.lease().key()),
                          "passing by|f|{}"));
      stop(service);
    }
  }
}
