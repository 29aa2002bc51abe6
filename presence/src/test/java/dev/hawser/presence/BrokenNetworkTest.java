package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** What happens when packets between a node and PostgreSQL get lost or come late. */
@ExtendWith(PostgreSqlExtension.class)
class BrokenNetworkTest {

  private TestDatabase database;
  private TcpProxy proxy;

  @BeforeEach
  void open(TestDatabase empty) {
    database = empty;
    proxy = new TcpProxy(empty.settings().database().port());
  }

  @AfterEach
  void close() {
    proxy.close();
  }

  private PresenceSettings throughProxy(String more) {
    return database.settings("database.port = %d, %s".formatted(proxy.port(), more));
  }

  private static Mono<Integer> atOnce(PresenceDatabase connections, int statements, String sql) {
    return Flux.range(0, statements)
        .flatMapDelayError(i -> connections.query(sql, row -> true, List.of()), statements, 1)
        .map(List::size)
        .reduce(Integer::sum);
  }

  @Test
  void connectionsThatWentSilentAreReplaced() {
    try (var connections = PresenceDatabase.forRecording(throughProxy("").database())) {
      assertThat(atOnce(connections, 3, "SELECT pg_sleep(0.2)").block()).isEqualTo(3);
      assertThat(proxy.connections()).isEqualTo(3);
      proxy.cut();
      assertThat(atOnce(connections, 3, "SELECT 1").block(Duration.ofSeconds(4))).isEqualTo(3);
      await().until(proxy::cutOnesAreClosed);
    }
  }

  @Test
  void aConnectionThatWentSilentDuringAStatementIsClosed() {
    try (var connections = PresenceDatabase.forRecording(throughProxy("").database())) {
      var waiting = atOnce(connections, 3, "SELECT pg_sleep(1)").toFuture();
      await()
          .until(
              () ->
                  database
                      .rows(
                          "SELECT count(*) FROM pg_stat_activity"
                              + " WHERE query = 'SELECT pg_sleep(1)' AND state = 'active'")
                      .equals(List.of("3")));
      proxy.cut();
      Throwable failure = catchThrowable(() -> waiting.get(20, TimeUnit.SECONDS)).getCause();
      assertThat(Exceptions.unwrapMultiple(failure)).hasSize(3).allMatch(PresenceDatabase::isAway);
      await().until(proxy::cutOnesAreClosed);
      assertThat(atOnce(connections, 3, "SELECT 1").block(Duration.ofSeconds(2))).isEqualTo(3);
    }
  }

  @Test
  void aNodeThatStopsWithinATransactionDoesNotKeepTheOthersOut() {
    try (var paused = database.open();
        var connections = database.open()) {
      var unused =
          paused
              .transaction(
                  connection ->
                      PresenceDatabase.execute(
                              connection, NodeRegistry.LOCK, row -> true, List.of())
                          .then(Mono.never()))
              .toFuture();
      await()
          .until(
              () ->
                  database.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").size() == 1);
      var registry = new NodeRegistry(connections, database.settings());
      // Tried again and again, as PresenceService does; before the one that is stuck gives up.
      await()
          .atMost(Duration.ofSeconds(8))
          .ignoreExceptions()
          .until(() -> registry.lease("10.0.0.2:7355").block() != null);
    }
  }

  @Test
  void aLeaseOutlivesItsConnections() throws Exception {
    var timeouts = "heartbeat-interval = 1s, node-timeout = 4s";
    var service = PresenceService.start(throughProxy(timeouts), "10.0.0.1:7355");
    NodeLease lease = service.registered().toCompletableFuture().get(20, TimeUnit.SECONDS);
    var other = PresenceService.start(database.settings(timeouts), "10.0.0.2:7355");
    other.registered().toCompletableFuture().get(20, TimeUnit.SECONDS);
    service.recorder().connected("alice");
    await().until(() -> database.stays().size() == 1);
    // The other one looks for dead nodes from here on.
    await().during(Duration.ofSeconds(5)).atMost(6, TimeUnit.SECONDS).until(service::reachable);
    proxy.cut();
    await()
        .during(Duration.ofSeconds(5))
        .atMost(6, TimeUnit.SECONDS)
        .until(() -> service.lease().equals(lease) && database.stays().size() == 1);
    assertThat(
            database.rows(
                "SELECT left_at IS NULL AND last_seen_at > now() - interval '2 s'"
                    + " FROM gateway_nodes WHERE incarnation = "
                    + lease.incarnation()))
        .containsExactly("t");
    service.stop().toCompletableFuture().get(20, TimeUnit.SECONDS);
    other.stop().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void aStatementThatComesLateWritesNothing() throws Exception {
    try (var direct = database.open();
        var connections = PresenceDatabase.forRecording(throughProxy("").database())) {
      var recorder =
          new PresenceRecorder(
              connections, database.settings(), Clock.systemUTC(), Clock.systemUTC());
      var registry = new NodeRegistry(direct, database.settings());
      recorder.use(Objects.requireNonNull(registry.lease("10.0.0.1:7355").block()));
      proxy.delay("alice");
      recorder.connected("alice");
      assertThat(catchThrowable(() -> recorder.flush(false))).matches(PresenceDatabase::isAway);
      assertThat(proxy.isDelaying()).isTrue();
      recorder.disconnected("alice");
      assertThat(recorder.flush(true)).isTrue();
      assertThat(database.stays()).containsExactly("alice|f|{}");
      proxy.deliver();
      assertThat(database.stays()).containsExactly("alice|f|{}");
    }
  }
}
