package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.hawser.deploy.embedded.EmbeddedKafka;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What consumers of the topic see while publishers take turns and fail. */
@ExtendWith(PostgreSqlExtension.class)
class PresencePublisherTest {

  private static final EmbeddedKafka KAFKA = EmbeddedKafka.start();
  private static int topics;

  private final String topic = "presence-" + topics++;
  private TestDatabase data;
  private PresenceDatabase database;

  @AfterAll
  static void stopKafka() {
    KAFKA.close();
  }

  @BeforeEach
  void start(TestDatabase empty) {
    data = empty;
    database = data.open();
    PresencePublisher.enable(database, true);
    PresenceEvents.create(KAFKA, topic);
  }

  @AfterEach
  void stop() {
    database.close();
  }

  private PresencePublisher publisher() {
    var settings = data.settings("events " + PresenceEvents.settings(KAFKA, topic));
    return new PresencePublisher(database, settings.events().orElseThrow());
  }

  private static String insert(int from, int to) {
    return """
    INSERT INTO watching_times (user_id, join_at, nodes)
    SELECT 'user-' || n, now(), '{"node#1": 1}' FROM generate_series(%d, %d) AS n;
    """
        .formatted(from, to);
  }

  private void online(int from, int to) {
    data.execute(insert(from, to));
  }

  private void assertOnline(int from, int to) {
    assertThat(
            PresenceEvents.all(KAFKA, topic).stream()
                .map(event -> event.get("event").asText() + " " + event.get("user").asText()))
        .containsExactlyInAnyOrderElementsOf(
            IntStream.rangeClosed(from, to).mapToObj(n -> "online user-" + n).toList());
  }

  /** The lease of whoever publishes is over, whether it knows or not. */
  private void endLease() {
    data.execute("UPDATE presence_publishing SET until = now() - interval '1 second'");
  }

  @Test
  void moreThanAPageIsToldAndThenDeleted() {
    int number = 2 * PresencePublisher.PAGE_SIZE + 1;
    online(1, number);
    try (var publisher = publisher()) {
      publisher.publish();
      assertThat(data.rows("SELECT count(*) FROM presence_events")).containsExactly("0");
      assertOnline(1, number);
    }
  }

  @Test
  void whatWasToldAndNotDeletedIsNotToldAgain() {
    online(1, 3);
    data.execute("CREATE TABLE copies AS SELECT * FROM presence_events");
    try (var dies = publisher()) {
      dies.publish();
    }
    data.execute("INSERT INTO presence_events OVERRIDING SYSTEM VALUE SELECT * FROM copies");
    online(4, 5);
    endLease();
    try (var next = publisher()) {
      next.publish();
    }
    assertOnline(1, 5);
    assertThat(data.rows("SELECT count(*) FROM presence_events")).containsExactly("0");
  }

  @Test
  void onePublishesAtATimeAndOneThatWasPausedIsFencedOff() {
    try (var paused = publisher();
        var other = publisher()) {
      online(1, 2);
      paused.publish();
      online(3, 4);
      other.publish();
      assertOnline(1, 2);
      endLease();
      other.publish();
      assertOnline(1, 4);
      online(5, 6);
      // It has not asked since, and takes its lease for good.
      paused.publish();
      assertOnline(1, 4);
      other.publish();
      assertOnline(1, 6);
      paused.publish();
      assertOnline(1, 6);
    }
  }

  @Test
  void whatIsCommittedLateIsNotPassedOver() {
    var late = CompletableFuture.runAsync(() -> data.execute(insert(1, 1) + "SELECT pg_sleep(2)"));
    await()
        .until(
            () ->
                data.rows("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").size() == 1);
    online(2, 3);
    try (var publisher = publisher()) {
      publisher.publish();
      late.join();
      publisher.publish();
    }
    assertOnline(1, 3);
  }

  @Test
  void aUsersEventsComeInOrder() {
    try (var publisher = publisher()) {
      online(1, 20);
      for (String nodes :
          List.of("{\"node#1\": 2}", "{\"node#1\": 2, \"b#2\": 1}", "{\"b#2\": 1}")) {
        data.execute("UPDATE watching_times SET nodes = '%s'".formatted(nodes));
      }
      data.execute("UPDATE watching_times SET nodes = '{}', terminate_at = now()");
      publisher.publish();
    }
    Map<String, List<String>> told = new HashMap<>();
    for (JsonNode event : PresenceEvents.all(KAFKA, topic)) {
      told.computeIfAbsent(event.get("user").asText(), user -> new ArrayList<>())
          .add(event.get("event").asText() + " " + event.get("connections"));
    }
    assertThat(told).hasSize(20);
    assertThat(told.values())
        .allSatisfy(
            events ->
                assertThat(events)
                    .containsExactly(
                        "online 1",
                        "device-added 2",
                        "device-added 3",
                        "device-removed 1",
                        "offline 0"));
  }

  @Test
  void whileKafkaIsAwayEventsWait() {
    online(1, 2);
    KAFKA.stop();
    try (var publisher = publisher()) {
      publisher.publish();
      online(3, 4);
      publisher.publish();
      assertThat(data.rows("SELECT count(*) FROM presence_events")).containsExactly("4");
      KAFKA.restart();
      await()
          .until(
              () -> {
                publisher.publish();
                return data.rows("SELECT * FROM presence_events").isEmpty();
              });
      KAFKA.stop();
      online(5, 6);
      publisher.publish();
      KAFKA.restart();
      await()
          .until(
              () -> {
                publisher.publish();
                return data.rows("SELECT * FROM presence_events").isEmpty();
              });
    }
    assertOnline(1, 6);
  }

  @Test
  void nothingIsWrittenDownForNobody() {
    PresencePublisher.enable(database, false);
    online(1, 2);
    assertThat(data.rows("SELECT * FROM presence_events")).isEmpty();
  }
}
