package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.Node.Door;
import dev.hawser.protocol.event.EventHeaders;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** centrifuge-java, which nobody here wrote, over Protobuf and through both doors. */
class StockJavaClientTest {

  private static final int USERS = 100;
  private static final int TABS = 2;
  private static final int EVENTS = 10_000;

  private static Parts parts;
  private static TestNode node;

  @BeforeAll
  static void start() throws Exception {
    parts = Parts.start();
    node = TestNode.ready(parts);
  }

  @AfterAll
  static void stop() throws Exception {
    node.close();
    parts.close();
  }

  @ParameterizedTest
  @EnumSource
  void twoTabsOfEachUserGetAllEventsInOrderAndOnce(Door door) throws Exception {
    List<Tab> tabs = new ArrayList<>();
    try {
      for (int i = 0; i < USERS * TABS; i++) {
        tabs.add(Tab.open(node.url(door), Node.token(user(door, i % USERS))));
      }
      for (Tab tab : tabs) {
        tab.awaitConnected();
      }
      List<String> users =
          IntStream.range(0, USERS).mapToObj(number -> user(door, number)).toList();
      List<String> expected = parts.pushNumbered(users, EVENTS / USERS);
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> tabs.stream().allMatch(tab -> tab.received.size() >= expected.size()));
      assertThat(tabs).allSatisfy(tab -> assertThat(tab.received).isEqualTo(expected));
    } finally {
      for (Tab tab : tabs) {
        tab.close();
      }
    }
  }

  private static String user(Door door, int number) {
    return "%s-%d".formatted(door, number);
  }

  @ParameterizedTest
  @EnumSource
  void anEventSkipsTheTabItCameFrom(Door door) throws Exception {
    String user = "author-" + door;
    try (Tab author = Tab.open(node.url(door), Node.token(user));
        Tab other = Tab.open(node.url(door), Node.token(user))) {
      other.awaitConnected();
      String client = author.connected.get(20, TimeUnit.SECONDS);
      var echo = Parts.event(user, "\"echo\"");
      echo.headers().add(EventHeaders.PUSH_CLIENT_ID, client.getBytes(UTF_8));
      parts.push(echo);
      parts.push(user, "\"all\"");
      await().until(() -> author.received.contains("\"all\""));
      await().until(() -> other.received.size() == 2);
      assertThat(author.received).containsExactly("\"all\"");
      assertThat(other.received).containsExactly("\"echo\"", "\"all\"");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aPublishReachesKafkaWithItsAuthorAndIsAcknowledged(Door door) throws Exception {
    int before = parts.records("hawser.upstream", 0).size();
    try (Tab tab = Tab.open(node.url(door), Node.token("publisher-" + door))) {
      tab.awaitConnected();
      var acknowledged = new CompletableFuture<Boolean>();
      tab.client.publish(
          "#publisher-" + door,
          "{\"typing\":true}".getBytes(UTF_8),
          (failure, result) -> acknowledged.complete(failure == null));
      assertThat(acknowledged.get(20, TimeUnit.SECONDS)).isTrue();
      var own =
          parts.records("hawser.upstream", before + 1).stream()
              .filter(record -> new String(record.key(), UTF_8).equals("publisher-" + door))
              .toList();
      assertThat(own).hasSize(1);
      assertThat(new String(own.getFirst().value(), UTF_8)).isEqualTo("{\"typing\":true}");
      assertThat(Parts.headers(own.getFirst()))
          .containsEntry(EventHeaders.USER, "publisher-" + door)
          .containsEntry(EventHeaders.EVENT, "publish")
          .containsEntry(EventHeaders.PUSH_CLIENT_ID, tab.connected.join())
          .containsKey(EventHeaders.ID);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsNotServedYetSaysSo(Door door) throws Exception {
    try (Tab tab = Tab.open(node.url(door), Node.token("curious-" + door))) {
      tab.awaitConnected();
      var answer = new CompletableFuture<Integer>();
      tab.client.rpc(
          "weather",
          "{}".getBytes(UTF_8),
          (failure, result) ->
              answer.complete(
                  failure instanceof io.github.centrifugal.centrifuge.ReplyError error
                      ? error.getCode()
                      : -1));
      assertThat(answer.get(20, TimeUnit.SECONDS)).isEqualTo(108);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aForgedTokenEndsTheClientForGood(Door door) throws Exception {
    String token = Node.token("mallory");
    String forged = token.substring(0, token.length() - 4) + "AAAA";
    try (Tab tab = Tab.open(node.url(door), forged)) {
      assertThat(tab.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3500);
    }
  }

  @ParameterizedTest
  @EnumSource
  void anExpiredTokenIsNotLetIn(Door door) throws Exception {
    String expired = Node.token("late", Instant.now().minusSeconds(60));
    try (Tab tab = Tab.open(node.url(door), expired)) {
      // The SDK asks its (missing) token getter for a new token and gives up.
      assertThat(tab.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(1);
      assertThat(tab.connected).isNotDone();
    }
  }

  @ParameterizedTest
  @EnumSource
  void theOldestTabGoesWhenThereAreTooMany(Door door) throws Exception {
    try (Tab oldest = Tab.open(node.url(door), Node.token("hoarder-" + door))) {
      oldest.awaitConnected();
      List<Tab> others = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        others.add(Tab.open(node.url(door), Node.token("hoarder-" + door)).awaitConnected());
      }
      assertThat(oldest.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3504);
      for (Tab tab : others) {
        assertThat(tab.disconnected).isNotDone();
        tab.close();
      }
    }
  }
}
