package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import dev.hawser.gateway.session.Shards;
import dev.hawser.protocol.event.EventHeaders;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a client that comes back is told, when what it missed is old, repeated, or nothing. */
class RecoveryTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  /** Pongs acknowledge: let there be many. */
  private static final String SHORT_WINDOW =
      """
      hawser.recovery.window = 1s
      hawser.connection.ping-interval = 2s
      hawser.connection.pong-timeout = 1s
      """;

  private static final String LONG_WINDOW = "hawser.recovery.window = 1h";

  private static final String READ = "hawser_events_total{to=\"user\"}";
  private static final String PUSHED = "hawser_pushes_total";
  private static final String TOO_SLOW = "hawser_disconnects_total{code=\"3008\"}";

  private static final Parts PARTS = Parts.start();
  private TestNode node;
  private Balancer balancer;

  @BeforeEach
  void start() throws Exception {
    node = TestNode.ready(PARTS, SHORT_WINDOW);
    balancer = new Balancer(List.of(node));
  }

  @AfterEach
  void stop() throws Exception {
    balancer.close();
    node.close();
  }

  @AfterAll
  static void stopParts() {
    PARTS.close();
  }

  private Tab open(String user) throws Exception {
    return Tab.openHasty(balancer.url(), Node.token(user)).awaitConnected();
  }

  /** Another node takes over; what this one knew is gone. */
  private void replaceNode() throws Exception {
    replaceNode(SHORT_WINDOW);
  }

  private void replaceNode(String settings) throws Exception {
    node.close();
    node = node.startAgain(PARTS, settings).awaitReady();
  }

  @Test
  void whoMissedNothingIsToldSoHoweverLongAgoTheLastEventWas() throws Exception {
    try (Tab heard = open("heard");
        Tab quiet = open("quiet")) {
      PARTS.push("heard", "1");
      await().atMost(PATIENCE).until(() -> heard.received.size() == 1);
      // Another event moves what is committed behind that of the first user.
      PARTS.pushNumbered(List.of("others", "more", "and", "more-still", "all-of-them"), 3);
      PARTS.awaitCommitted();
      replaceNode();
      PARTS.push("heard", "2");
      PARTS.push("quiet", "1");
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
      PARTS.push("late", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      PARTS.pushNumbered(List.of("others", "more", "and", "more-still", "all-of-them"), 3);
      PARTS.awaitCommitted();
      balancer.cut();
      replaceNode();
      // The next node hears of this user first by an event, which becomes the last one it had.
      PARTS.push("late", "2");
      PARTS.awaitCommitted();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void whoMissedWhatNobodyKnowsAnyMoreIsToldSo() throws Exception {
    try (Tab tab = open("away")) {
      PARTS.push("away", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      push("away", "2", "drop");
      PARTS.awaitCommitted();
      replaceNode();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> !tab.recoveries.isEmpty());
      assertThat(tab.recoveries).containsExactly(false);
      PARTS.push("away", "3");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "3");
    }
  }

  private void push(String user, String payload, String offline) throws Exception {
    var event = Parts.event(user, payload);
    event.headers().add(EventHeaders.OFFLINE, offline.getBytes(UTF_8));
    PARTS.push(event);
  }

  @Test
  void whoWasAwayForLongGetsWhatWasKeptInOrderAndIsToldThatNothingIsMissing() throws Exception {
    try (Tab tab = open("long-away")) {
      PARTS.push("long-away", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      PARTS.push("long-away", "2");
      PARTS.push("long-away", "3");
      PARTS.awaitCommitted();
      replaceNode();
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
      assertThat(tab.received).containsExactly("1", "2", "3");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void whoIsAwayGetsWhatASessionHadThatEndedEarly() throws Exception {
    // Those of other tests.
    PARTS.awaitCommitted();
    double before = node.metric(READ);
    PARTS.push("unlucky", "1");
    await().atMost(PATIENCE).until(() -> node.metric(READ) > before);
    node.endSession("unlucky");
    PARTS.push("unlucky", "2");
    PARTS.awaitCommitted();
    replaceNode();
    try (Tab tab = open("unlucky")) {
      await().atMost(PATIENCE).until(() -> tab.received.size() == 2);
      assertThat(tab.received).containsExactly("1", "2");
    }
  }

  @Test
  void whoNeverWasThereGetsWhatWasKeptAndAnotherTabLaterDoesNot() throws Exception {
    push("offline", "1", "keep");
    push("offline", "2", "drop");
    push("offline", "3", "keep");
    PARTS.awaitCommitted();
    replaceNode();
    try (Tab first = open("offline")) {
      await().atMost(PATIENCE).until(() -> first.received.size() == 2);
      assertThat(first.received).containsExactly("1", "3");
      // Until a pong has said that it has all.
      awaitMailboxEmpty("offline");
      try (Tab second = open("offline")) {
        PARTS.push("offline", "4");
        await().atMost(PATIENCE).until(() -> !second.received.isEmpty());
        assertThat(second.received).containsExactly("4");
        await().atMost(PATIENCE).until(() -> first.received.size() == 3);
        PARTS.awaitCommitted();
      }
    }
    replaceNode();
    try (Tab later = open("offline")) {
      PARTS.push("offline", "5");
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
                      DriverManager.getConnection(PARTS.postgreSql.jdbcUrl(Parts.DATABASE));
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
    PARTS.postgreSql.stop();
    PARTS.push("patient", "1");
    Thread.sleep(3_000);
    PARTS.postgreSql.restart();
    PARTS.awaitCommitted();
    replaceNode();
    try (Tab tab = open("patient")) {
      await().atMost(PATIENCE).until(() -> !tab.received.isEmpty());
      assertThat(tab.received).containsExactly("1");
    }
  }

  @Test
  void whatALostConnectionMayNotHaveGotIsNewToTheNextPage() throws Exception {
    try (Tab old = open("vanished")) {
      PARTS.push("vanished", "1");
      await().atMost(PATIENCE).until(() -> old.received.size() == 1);
      balancer.stall();
      PARTS.push("vanished", "2");
      await().atMost(PATIENCE).until(() -> node.metric(PUSHED) == 2);
      // The node does not know yet that nobody reads what goes to the first page.
      try (Tab later = Tab.open(node.url(Door.NETTY), Node.token("vanished")).awaitConnected()) {
        await().atMost(PATIENCE).until(() -> later.received.contains("2"));
      }
    }
  }

  @Test
  void whoCameWhilePostgreSqlWasAwayGetsLaterWhatWasKeptWhateverItAcknowledged() throws Exception {
    PARTS.push("early", "1");
    PARTS.awaitCommitted();
    replaceNode();
    PARTS.postgreSql.stop();
    try (Tab during = open("early");
        Tab second = open("early")) {
      PARTS.push("early", "2");
      await().atMost(PATIENCE).until(() -> !during.received.isEmpty());
      await().atMost(PATIENCE).until(() -> !second.received.isEmpty());
      assertThat(during.received).containsExactly("2");
      during.client.rpc("ack", "{}".getBytes(UTF_8), (failure, result) -> {});
      // A ping and its pong, too.
      Thread.sleep(3_000);
    } finally {
      PARTS.postgreSql.restart();
    }
    try (Tab later = open("early")) {
      await().atMost(PATIENCE).until(() -> later.received.contains("1"));
      await().atMost(PATIENCE).until(() -> later.received.contains("2"));
    }
  }

  @Test
  void whoStaysWhilePostgreSqlComesBackGetsWhatWasKept() throws Exception {
    PARTS.push("staying", "1");
    PARTS.awaitCommitted();
    replaceNode();
    PARTS.postgreSql.stop();
    try (Tab first = open("staying");
        Tab second = open("staying")) {
      PARTS.push("staying", "2");
      await().atMost(PATIENCE).until(() -> !first.received.isEmpty());
      await().atMost(PATIENCE).until(() -> !second.received.isEmpty());
      PARTS.postgreSql.restart();
      // One tab of a device is enough.
      await()
          .atMost(PATIENCE)
          .until(() -> first.received.contains("1") || second.received.contains("1"));
      assertThat(List.of(first, second))
          .filteredOn(tab -> tab.received.contains("1"))
          .allSatisfy(tab -> assertThat(tab.recoveries).containsExactly(false));
    } finally {
      PARTS.postgreSql.restart();
    }
  }

  @Test
  void whoWasAwayForAMomentGetsWhatItMissed() throws Exception {
    try (Tab tab = open("blinking")) {
      PARTS.push("blinking", "1");
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      balancer.cut();
      await().atMost(PATIENCE).until(() -> !tab.isConnected());
      PARTS.push("blinking", "2");
      PARTS.push("blinking", "3");
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> tab.received.size() == 3);
      assertThat(tab.received).containsExactly("1", "2", "3");
      assertThat(tab.recoveries).containsExactly(true);
    }
  }

  @Test
  void whoIsTooSlowIsCutOffGetsAllLaterAndHoldsUpNoOtherDevice() throws Exception {
    replaceNode("hawser.recovery.max-events = 5000, hawser.recovery.max-size = 64 MiB");
    int count = 1_500;
    String padding = "x".repeat(8_192);
    try (Tab slow = open("half-slow");
        Tab other = Tab.open(node.url(Door.NETTY), Node.token("half-slow")).awaitConnected()) {
      balancer.stall();
      List<String> expected =
          IntStream.range(0, count).mapToObj(n -> "\"%d %s\"".formatted(n, padding)).toList();
      try (var producer = PARTS.producer()) {
        for (String payload : expected) {
          var unused = producer.send(Parts.event("half-slow", payload));
        }
      }
      await().atMost(PATIENCE).until(() -> other.received.size() == count);
      assertThat(slow.received.size()).isLessThan(count);
      await().atMost(PATIENCE).until(() -> node.metric(TOO_SLOW) == 1);
      balancer.goOn();
      await().atMost(PATIENCE).until(() -> slow.received.size() == count);
      assertThat(slow.received).isEqualTo(expected);
      // What it missed may be too much for one go, too.
      assertThat(slow.recoveries).containsOnly(true);
      assertThat(other.interruptions).hasValue(0);
    }
  }

  @Test
  void anEventThatItsProducerWroteTwiceArrivesOnce() throws Exception {
    try (Tab tab = open("repeated")) {
      for (String payload : List.of("1", "1", "2")) {
        var event = Parts.event("repeated", payload);
        event.headers().add("X-ID", ("id-" + payload).getBytes(UTF_8));
        PARTS.push(event);
      }
      await().atMost(PATIENCE).until(() -> tab.received.contains("2"));
      assertThat(tab.received).containsExactly("1", "2");
    }
  }

  /** A record of a producer with another partitioner, in a partition that is far ahead. */
  private static ProducerRecord<byte[], byte[]> misrouted(String user, String payload) {
    int elsewhere = (Shards.of(user, Parts.PARTITIONS) + 1) % Parts.PARTITIONS;
    var record =
        new ProducerRecord<>(
            "hawser.events", elsewhere, null, "x".getBytes(UTF_8), payload.getBytes(UTF_8));
    record.headers().add(EventHeaders.USER, user.getBytes(UTF_8));
    return record;
  }

  @Test
  void whatIsInAnotherPartitionIsKeptForWhoIsAwayAndSoIsWhatFollows() throws Exception {
    for (int i = 0; i < 500; i++) {
      var filler = misrouted("misrouted", "0");
      filler.headers().add(EventHeaders.INNER, "true".getBytes(UTF_8));
      PARTS.push(filler);
    }
    PARTS.push(misrouted("misrouted", "1"));
    PARTS.push(misrouted("misrouted", "2"));
    PARTS.awaitCommitted();
    PARTS.push("misrouted", "3");
    PARTS.awaitCommitted();
    replaceNode();
    try (Tab tab = open("misrouted")) {
      await().atMost(PATIENCE).until(() -> tab.received.contains("3"));
      assertThat(tab.received).containsExactly("1", "2", "3");
    }
  }

  @Test
  void whatIsInAnotherPartitionComesOnceWhateverIsReadAgain() throws Exception {
    replaceNode(LONG_WINDOW);
    try (Tab tab = open("misrouted-once")) {
      PARTS.push(misrouted("misrouted-once", "1"));
      await().atMost(PATIENCE).until(() -> tab.received.size() == 1);
      replaceNode(LONG_WINDOW);
      PARTS.push(misrouted("misrouted-once", "2"));
      await().atMost(PATIENCE).until(() -> tab.received.contains("2"));
      PARTS.push("misrouted-once", "3");
      await().atMost(PATIENCE).until(() -> tab.received.contains("3"));
      assertThat(tab.received).containsExactly("1", "2", "3");
    }
  }
}
