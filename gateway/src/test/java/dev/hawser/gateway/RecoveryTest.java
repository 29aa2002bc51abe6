package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.protocol.event.EventHeaders;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a client that comes back is told, when what it missed is old, repeated, or nothing. */
class RecoveryTest {

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** Pongs acknowledge: let there be many. */
  private static final String SHORT_WINDOW =
      """
      hawser.recovery.window = 1s
      hawser.connection.ping-interval = 2s
      hawser.connection.pong-timeout = 1s
      """;

  private Parts parts;
  private TestNode node;
  private Balancer balancer;

  @BeforeEach
  void start() throws Exception {
    parts = Parts.start();
    node = TestNode.ready(parts, SHORT_WINDOW);
    balancer = new Balancer(List.of(node));
  }

  @AfterEach
  void stop() throws Exception {
    balancer.close();
    node.close();
    parts.close();
  }

  private Tab open(String user) throws Exception {
    return Tab.open(balancer.url(), Node.token(user)).awaitConnected();
  }

  /** Waits until all that is in the topic was committed: another node will not hear of it. */
  private void awaitCommitted() throws Exception {
    try (var admin =
        Admin.create(Map.<String, Object>of("bootstrap.servers", parts.kafka.bootstrapServers()))) {
      await()
          .atMost(PATIENCE)
          .until(
              () -> {
                var committed =
                    admin.listConsumerGroupOffsets("hawser").partitionsToOffsetAndMetadata().get();
                for (int i = 0; i < Parts.PARTITIONS; i++) {
                  var partition = new TopicPartition("hawser.events", i);
                  long end =
                      admin
                          .listOffsets(Map.of(partition, OffsetSpec.latest()))
                          .partitionResult(partition)
                          .get()
                          .offset();
                  var known = committed.get(partition);
                  if (end > (known == null ? 0 : known.offset())) {
                    return false;
                  }
                }
                return true;
              });
    }
  }

  /** Another node takes over; what this one knew is gone. */
  private void replaceNode() throws Exception {
    node.close();
    node = node.startAgain(parts, SHORT_WINDOW).awaitReady();
  }

  @Test
  void whoMissedNothingIsToldSoHoweverLongAgoTheLastEventWas() throws Exception {
    try (Tab heard = open("heard");
        Tab quiet = open("quiet")) {
      parts.push("heard", "1");
      await().atMost(PATIENCE).until(() -> heard.received.size() == 1);
      // Another event moves what is committed behind that of the first user.
      parts.pushNumbered(List.of("others", "more", "and", "more-still", "all-of-them"), 3);
      awaitCommitted();
      replaceNode();
      parts.push("heard", "2");
      parts.push("quiet", "1");
      await().atMost(PATIENCE).until(() -> heard.received.size() == 2);
      await().atMost(PATIENCE).until(() -> quiet.received.size() == 1);
      assertThat(heard.received).containsExactly("1", "2");
      assertThat(heard.recoveries).containsOnly(true);
      assertThat(quiet.recoveries).containsOnly(true);
    }
  }

  @Test
  void whoComesBackLateGetsWhatWasPushedMeanwhileAndIsToldThatNothingIsMissing() throws Exception {
    try (Tab tab = open("late")) {
      parts.push("late", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      parts.pushNumbered(List.of("others", "more", "and", "more-still", "all-of-them"), 3);
      awaitCommitted();
      balancer.cut();
      replaceNode();
      // The next node hears of this user first by an event, which becomes the last one it had.
      parts.push("late", "2");
      awaitCommitted();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void whoMissedWhatNobodyKnowsAnyMoreIsToldSo() throws Exception {
    try (Tab tab = open("away")) {
      parts.push("away", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      push("away", "2", "drop");
      awaitCommitted();
      replaceNode();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> !tab.recoveries.isEmpty());
      assertThat(tab.recoveries).containsExactly(false);
      parts.push("away", "3");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "3");
    }
  }

  private void push(String user, String payload, String offline) throws Exception {
    var event = Parts.event(user, payload);
    event.headers().add(EventHeaders.OFFLINE, offline.getBytes(UTF_8));
    parts.push(event);
  }

  @Test
  void whoWasAwayForLongGetsWhatWasKeptInOrderAndIsToldThatNothingIsMissing() throws Exception {
    try (Tab tab = open("long-away")) {
      parts.push("long-away", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      parts.push("long-away", "2");
      parts.push("long-away", "3");
      awaitCommitted();
      replaceNode();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
      assertThat(tab.received).containsExactly("1", "2", "3");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void whoNeverWasThereGetsWhatWasKeptAndAnotherTabLaterDoesNot() throws Exception {
    push("offline", "1", "keep");
    push("offline", "2", "drop");
    push("offline", "3", "keep");
    awaitCommitted();
    replaceNode();
    try (Tab first = open("offline")) {
      await().atMost(PATIENCE).until(() -> first.received.size() == 2);
      assertThat(first.received).containsExactly("1", "3");
      try (Tab second = open("offline")) {
        parts.push("offline", "4");
        await().atMost(PATIENCE).until(() -> !second.received.isEmpty());
        assertThat(second.received).containsExactly("4");
        await().atMost(PATIENCE).until(() -> first.received.size() == 3);
      }
      // Until a pong has said that it has all.
      awaitMailboxEmpty("offline");
    }
    replaceNode();
    try (Tab later = open("offline")) {
      parts.push("offline", "5");
      await().atMost(PATIENCE).until(() -> !later.received.isEmpty());
      assertThat(later.received).containsExactly("5");
    }
  }

  /** The last change of a mailbox is an acknowledgement, which is not a list of events. */
  private void awaitMailboxEmpty(String user) throws Exception {
    await()
        .atMost(PATIENCE)
        .until(
            () -> {
              try (var connection =
                      DriverManager.getConnection(parts.postgreSql.jdbcUrl(Parts.DATABASE));
                  var statement = connection.createStatement();
                  var row =
                      statement.executeQuery(
                          "SELECT event_ser_manifest FROM event_journal WHERE persistence_id = 'Mailbox|"
                              + user
                              + "' ORDER BY seq_nr DESC LIMIT 1")) {
                return row.next() && row.getString(1).equals("ma");
              }
            });
  }

  @Test
  void whileKafkaForgetsNothingPostgreSqlMayBeAway() throws Exception {
    parts.postgreSql.stop();
    parts.push("patient", "1");
    Thread.sleep(3_000);
    parts.postgreSql.restart();
    awaitCommitted();
    replaceNode();
    try (Tab tab = open("patient")) {
      await().atMost(PATIENCE).until(() -> !tab.received.isEmpty());
      assertThat(tab.received).containsExactly("1");
    }
  }

  @Test
  void whoWasAwayForAMomentGetsWhatItMissed() throws Exception {
    try (Tab tab = open("blinking")) {
      parts.push("blinking", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      parts.push("blinking", "2");
      parts.push("blinking", "3");
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
      assertThat(tab.received).containsExactly("1", "2", "3");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void anEventThatItsProducerWroteTwiceArrivesOnce() throws Exception {
    try (Tab tab = open("repeated")) {
      for (String payload : List.of("1", "1", "2")) {
        var event = Parts.event("repeated", payload);
        event.headers().add("X-ID", ("id-" + payload).getBytes(UTF_8));
        parts.push(event);
      }
      await().atMost(PATIENCE).until(() -> tab.received.contains("2"));
      assertThat(tab.received).containsExactly("1", "2");
    }
  }
}
