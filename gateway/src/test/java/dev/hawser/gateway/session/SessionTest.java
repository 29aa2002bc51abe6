package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.DevicePolicy.Excess;
import dev.hawser.gateway.stream.StreamLog;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.apache.pekko.Done;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.sharding.ShardRegion.CurrentShardRegionState;
import org.apache.pekko.cluster.sharding.typed.GetShardRegionState;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Sessions in a cluster of one node. */
class SessionTest {

  private static final Duration IDLE = Duration.ofMillis(500);
  private static final Node KICKING = new Node(new DevicePolicy(2, Excess.KICK_OLDEST));
  private static final Node REJECTING = new Node(new DevicePolicy(1, Excess.REJECT_NEWEST));
  private static final AtomicInteger USERS = new AtomicInteger();
  private static final AtomicLong CONNECTIONS = new AtomicLong();

  private static final class Node {
    final ActorTestKit kit =
        ActorTestKit.create(
            "sessions",
            ConfigFactory.parseString(
                    "hawser.cluster.port = 0, pekko.remote.artery.canonical.port = 0,"
                        + " pekko.cluster.roles = [gateway]")
                .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
                .withFallback(ConfigFactory.defaultReferenceUnresolved())
                .resolve());
    final ClusterSharding sharding = ClusterSharding.get(kit.system());
    final Feeds feeds = new Feeds(8, "epoch");
    final Attachments attachments;

    Node(DevicePolicy policy) {
      this(policy, 0);
    }

    /** Of partitions with so many records. */
    Node(DevicePolicy policy, long records) {
      var cluster = Cluster.get(kit.system());
      cluster.manager().tell(Join.create(cluster.selfMember().address()));
      for (int shard = 0; shard < feeds.shards(); shard++) {
        feeds.started(shard, 0, records, () -> {});
      }
      attachments = Attachments.start(kit.system(), feeds, "ws://here", () -> true, 1_000, "test");
      Session.init(sharding, cluster, settings(policy), feeds, null, attachments.nodes(), null);
    }

    static SessionSettings settings(DevicePolicy policy) {
      return new SessionSettings(
          policy,
          IDLE,
          1_000,
          new StreamLog.Limits(100, 100_000, IDLE.dividedBy(2)),
          Optional.empty());
    }

    User newUser() {
      return new User(this, "user-" + USERS.incrementAndGet());
    }
  }

  /** A user and how its connections and events reach its session. */
  private record User(Node node, String id) {

    void tell(Session.Command command) {
      node.sharding.entityRefFor(Session.KEY, id).tell(command);
    }

    Tab connect() {
      var tab = new Tab(this, CONNECTIONS.incrementAndGet(), new HeardReceiver());
      tab.attach();
      return tab;
    }

    Tab connected() {
      var tab = connect();
      assertThat(tab.outbox.next()).isEqualTo("attached");
      return tab;
    }

    /** Pushes, and waits for the acknowledgement. */
    void push(int offset, @Nullable Tab excluded) {
      ask(replyTo -> pushing(offset, excluded == null ? 0 : excluded.connection, replyTo));
    }

    Session.Push pushing(int offset, long excluded, ActorRef<Done> replyTo) {
      var payload = new Payload(("{\"n\":" + offset + "}").getBytes(UTF_8));
      return new Session.Push(
          new PushEvent(id, null, null, null, true, Map.of(), payload),
          offset + 1,
          excluded,
          node.feeds.generation(Shards.of(id, node.feeds.shards())),
          replyTo);
    }

    /** Asks, and waits for the acknowledgement. */
    void ask(Function<ActorRef<Done>, Session.Command> command) {
      var acknowledged = node.kit.<Done>createTestProbe();
      tell(command.apply(acknowledged.ref()));
      acknowledged.expectMessage(Duration.ofSeconds(10), Done.getInstance());
    }

    String pushed(int offset) {
      return "{\"push\":{\"channel\":\"#%s\",\"pub\":{\"data\":{\"n\":%d},\"offset\":%d}}}"
          .formatted(id, offset, offset + 1);
    }

    boolean inMemory() {
      var state = node.kit.<CurrentShardRegionState>createTestProbe();
      node.sharding.shardState().tell(new GetShardRegionState(Session.KEY, state.ref()));
      return state.receiveMessage(Duration.ofSeconds(10)).getShards().stream()
          .anyMatch(shard -> shard.getEntityIds().contains(id));
    }
  }

  private record Tab(User user, long connection, HeardReceiver outbox) {

    void attach() {
      user.node.attachments.attach(user.id, connection, "", null, outbox);
    }

    void detach() {
      user.node.attachments.detach(connection);
    }
  }

  @AfterAll
  static void end() {
    for (Node node : List.of(KICKING, REJECTING)) {
      // Those that stay would look for their sessions as long as they end.
      LongStream.rangeClosed(1, CONNECTIONS.get()).forEach(node.attachments::detach);
      node.kit.shutdownTestKit();
    }
  }

  @Test
  void twoTabsGetEachPushOnceAndInOrder() {
    var user = KICKING.newUser();
    var one = user.connected();
    var two = user.connected();
    for (int offset = 0; offset < 100; offset++) {
      user.push(offset, null);
    }
    for (int offset = 0; offset < 100; offset++) {
      assertThat(one.outbox.next()).isEqualTo(user.pushed(offset));
      assertThat(two.outbox.next()).isEqualTo(user.pushed(offset));
    }
    assertThat(one.outbox.already()).isNull();
    assertThat(two.outbox.already()).isNull();
  }

  @Test
  void theExcludedConnectionGetsNoEcho() {
    var user = KICKING.newUser();
    var author = user.connected();
    var other = user.connected();
    user.push(1, author);
    user.push(2, null);

    assertThat(other.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(other.outbox.next()).isEqualTo(user.pushed(2));
    assertThat(author.outbox.next()).isEqualTo("passed 2");
    assertThat(author.outbox.next()).isEqualTo(user.pushed(2));
  }

  @Test
  void aRecordThatIsReadAgainIsAcknowledgedAndNotPushed() {
    var user = KICKING.newUser();
    var tab = user.connected();
    user.push(7, null);
    user.push(7, null);
    user.push(6, null);
    user.push(8, null);

    assertThat(tab.outbox.next()).isEqualTo(user.pushed(7));
    assertThat(tab.outbox.next()).isEqualTo(user.pushed(8));
  }

  @Test
  void someOrAllConnectionsAreSentAwayOrRefreshed() {
    var user = KICKING.newUser();
    var one = user.connected();
    var two = user.connected();
    user.ask(replyTo -> new Session.Refresh(77, 0, replyTo));
    user.ask(replyTo -> new Session.Refresh(78, two.connection, replyTo));
    var code = new DisconnectCode(4_000, "enough");
    user.ask(
        replyTo -> new Session.Disconnect(code, one.connection, List.of(one.connection), replyTo));
    user.ask(replyTo -> new Session.Disconnect(code, 0, List.of(one.connection), replyTo));
    user.ask(
        replyTo -> new Session.Disconnect(DisconnectCode.SLOW, one.connection, List.of(), replyTo));

    assertThat(one.outbox.next()).isEqualTo("refresh 77");
    assertThat(two.outbox.next()).isEqualTo("refresh 77");
    assertThat(two.outbox.next()).isEqualTo("refresh 78");
    assertThat(two.outbox.next()).isEqualTo("disconnect 4000");
    assertThat(one.outbox.next()).isEqualTo("disconnect 3008");
    assertThat(one.outbox.already()).isNull();
    assertThat(two.outbox.already()).isNull();
  }

  @Test
  void askingForNobodyLeavesNothingBehind() {
    var user = KICKING.newUser();
    user.ask(replyTo -> new Session.Disconnect(DisconnectCode.SLOW, 0, List.of(), replyTo));
    user.ask(replyTo -> new Session.Refresh(1, 0, replyTo));
    await().until(() -> !user.inMemory());
  }

  @Test
  void whatNodesSayToEachOtherArrivesAsItWas() {
    var serialization = KICKING.kit.serializationTestKit();
    var done = KICKING.kit.<Done>createTestProbe().ref();
    var published = KICKING.kit.<Session.Published>createTestProbe().ref();
    var described = KICKING.kit.<NodeInfo>createTestProbe().ref();
    var event =
        new PushEvent(
            "u", "id", null, null, true, Map.of("a", "1", "b", ""), new Payload(new byte[] {1, 2}));
    for (Object message :
        List.of(
            new Session.Publish(event, published),
            new Session.Published(new StreamPosition(7, "e")),
            new Session.Disconnect(DisconnectCode.SLOW, 1, List.of(2L, 3L), done),
            new Session.Refresh(5, 6, done),
            new Edge.Refresh(1, 2),
            new Edge.Describe(described),
            new NodeInfo("h:1#2", "h:1", "v", 3, 4, 5))) {
      assertThat(serialization.verifySerialization(message, true)).isEqualTo(message);
    }
  }

  @Test
  void usersWithoutConnectionsAcknowledgeToo() {
    KICKING.newUser().push(1, null);
  }

  @Test
  void theOldestConnectionGoesWhenThereIsOneTooMany() {
    var user = KICKING.newUser();
    var oldest = user.connected();
    var second = user.connected();
    var newest = user.connected();
    user.push(1, null);

    assertThat(oldest.outbox.next()).isEqualTo("disconnect 3504");
    assertThat(second.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(newest.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(oldest.outbox.already()).isNull();
  }

  @Test
  void theLateGoodbyeOfAKickedConnectionDoesNoHarm() {
    var user = KICKING.newUser();
    var oldest = user.connected();
    var second = user.connected();
    var newest = user.connected();
    oldest.detach();
    oldest.detach();
    user.push(1, null);

    assertThat(second.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(newest.outbox.next()).isEqualTo(user.pushed(1));
  }

  @Test
  void theNewestConnectionIsTurnedAwayWhereThePolicySaysSo() {
    var user = REJECTING.newUser();
    var first = user.connected();
    var rejected = user.connect();
    assertThat(rejected.outbox.next()).isEqualTo("disconnect 3504");
    rejected.detach();
    user.push(1, null);
    assertThat(first.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(rejected.outbox.already()).isNull();

    first.detach();
    user.connected();
  }

  /** A connection on another node, whose edge is played by the probe. */
  private static long attachElsewhere(User user, TestProbe<Edge.Message> edge) {
    return attachElsewhere(user, null, edge);
  }

  private static long attachElsewhere(
      User user, @Nullable StreamPosition since, TestProbe<Edge.Message> edge) {
    long connection = CONNECTIONS.incrementAndGet();
    var here = Cluster.get(user.node.kit.system()).selfMember().uniqueAddress();
    var elsewhere = new UniqueAddress(here.address(), here.longUid() + 1);
    user.tell(
        new Session.Attach(since, 0, new RemoteOutbox(connection, "", edge.ref(), elsewhere)));
    assertThat(edge.expectMessageClass(Edge.Attached.class).connection()).isEqualTo(connection);
    return connection;
  }

  @Test
  void whatGoesToSeveralConnectionsOnAnotherNodeGoesThereOnce() {
    var user = KICKING.newUser();
    var edge = KICKING.kit.<Edge.Message>createTestProbe();
    long one = attachElsewhere(user, edge);
    long two = attachElsewhere(user, edge);
    user.push(1, null);
    user.push(2, null);

    for (long offset : new long[] {2, 3}) {
      var deliver = edge.expectMessageClass(Edge.Deliver.class);
      assertThat(deliver.connections()).containsExactly(one, two);
      assertThat(deliver.event().offset()).isEqualTo(offset);
    }
    edge.expectNoMessage(Duration.ofMillis(200));
  }

  @Test
  void whatAConnectionHasIsNotSentToItsNodeAgainWhileItsSessionIsFedThePast() {
    var node = new Node(new DevicePolicy(2, Excess.KICK_OLDEST), 6);
    var user = node.newUser();
    var edge = node.kit.<Edge.Message>createTestProbe();
    user.push(1, null);
    long connection = attachElsewhere(user, new StreamPosition(4, "epoch"), edge);
    for (int offset = 2; offset <= 5; offset++) {
      user.push(offset, null);
    }

    for (long offset : new long[] {5, 6}) {
      var deliver = edge.expectMessageClass(Edge.Deliver.class);
      assertThat(deliver.connections()).containsExactly(connection);
      assertThat(deliver.event().offset()).isEqualTo(offset);
      assertThat(deliver.previous()).isEqualTo(offset - 1);
    }
    edge.expectNoMessage(Duration.ofMillis(200));
    node.kit.shutdownTestKit();
  }

  @Test
  void whoComesBackFromANodeThatMayHaveDiedIsNotTurnedAwayForGood() {
    var user = REJECTING.newUser();
    attachElsewhere(user, REJECTING.kit.createTestProbe());
    var back = new Tab(user, CONNECTIONS.incrementAndGet(), new HeardReceiver());
    user.node.attachments.attach(
        user.id, back.connection, "", new StreamPosition(0, "epoch"), back.outbox);
    assertThat(back.outbox.next()).isEqualTo("disconnect 3011");
    assertThat(user.connect().outbox.next()).isEqualTo("disconnect 3504");
  }

  @Test
  void whoComesBackBeforeItsOldConnectionIsNoticedKeepsTheNewOne() {
    var user = KICKING.newUser();
    var old = user.connected();
    var reconnected = user.connected();
    old.detach();
    user.push(1, null);

    assertThat(reconnected.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(old.outbox.already()).isNull();
  }

  @Test
  void aSessionLeavesMemoryWhenNobodyIsThereAndComesBack() {
    var user = KICKING.newUser();
    var tab = user.connected();
    tab.detach();
    await().until(() -> !user.inMemory());

    var again = user.connected();
    user.push(1, null);
    assertThat(again.outbox.next()).isEqualTo(user.pushed(1));
  }

  @Test
  void aSessionStaysInMemoryWhileItHasConnectionsHoweverQuiet() {
    var user = KICKING.newUser();
    var tab = user.connected();
    await().pollDelay(IDLE.multipliedBy(4)).until(() -> true);

    assertThat(user.inMemory()).isTrue();
    user.push(1, null);
    assertThat(tab.outbox.next()).isEqualTo(user.pushed(1));
  }

  @Test
  @SuppressWarnings("NullAway") // Nobody to answer to is what makes it fail.
  void theConnectionsOfASessionThatFailsComeToANewOne() {
    var user = KICKING.newUser();
    var tab = user.connected();
    user.push(1, null);
    assertThat(tab.outbox.next()).isEqualTo(user.pushed(1));
    user.tell(new Session.Refresh(1, 0, null));
    assertThat(tab.outbox.next()).startsWith("refresh");
    // What meets a session that fails is sent again by who sent it.
    ActorRef<Done> ignored = KICKING.kit.<Done>createTestProbe().ref();
    await()
        .until(
            () -> {
              user.tell(user.pushing(2, 0, ignored));
              return user.pushed(2).equals(tab.outbox.already());
            });
    assertThat(tab.outbox.already()).isNull();
  }

  /**
   * A node has no processor left for its sessions: the message and the end of the idle time wait.
   */
  @Test
  void aSessionThatIsFoundIdleWithAMessageBeforeItGoesOn() throws Exception {
    var user = KICKING.newUser();
    user.ask(replyTo -> new Session.Refresh(1, 0, replyTo));
    // As many as Pekko's default dispatcher has.
    int processors = Math.clamp(Runtime.getRuntime().availableProcessors(), 8, 64);
    var taken = new CountDownLatch(processors);
    var released = new CountDownLatch(1);
    for (int processor = 0; processor < processors; processor++) {
      KICKING
          .kit
          .system()
          .executionContext()
          .execute(
              () -> {
                taken.countDown();
                try {
                  released.await();
                } catch (InterruptedException interrupted) {
                  Thread.currentThread().interrupt();
                }
              });
    }
    assertThat(taken.await(10, TimeUnit.SECONDS)).isTrue();
    var tab = user.connect();
    Thread.sleep(IDLE.multipliedBy(2).toMillis());
    released.countDown();
    assertThat(tab.outbox.next()).isEqualTo("attached");
    user.push(1, null);
    assertThat(tab.outbox.next()).isEqualTo(user.pushed(1));
    assertThat(tab.outbox.already()).isNull();
  }

  @Test
  void userIdsOfAllKindsHaveASession() {
    for (String id : new String[] {"a/b", "$x", "用户", "a b", "%", "ü".repeat(255)}) {
      var user = new User(KICKING, id);
      var tab = user.connected();
      user.push(1, null);
      assertThat(tab.outbox.next()).isEqualTo(user.pushed(1));
    }
  }

  @Test
  void whoComesBackGetsWhatItMissed() {
    var user = KICKING.newUser();
    var first = user.connected();
    user.push(1, null);
    user.push(2, null);
    user.push(3, null);
    first.detach();
    var back = new Tab(user, CONNECTIONS.incrementAndGet(), new HeardReceiver());
    user.node.attachments.attach(
        user.id, back.connection, "", new StreamPosition(2, "epoch"), back.outbox);

    assertThat(back.outbox.next()).isEqualTo("recovered");
    assertThat(back.outbox.next()).isEqualTo(user.pushed(2));
    assertThat(back.outbox.next()).isEqualTo(user.pushed(3));
    user.push(4, null);
    assertThat(back.outbox.next()).isEqualTo(user.pushed(4));
  }

  @Test
  void aPositionOfAnotherEpochIsNotRecovered() {
    var user = KICKING.newUser();
    user.push(1, null);
    var back = new Tab(user, CONNECTIONS.incrementAndGet(), new HeardReceiver());
    user.node.attachments.attach(
        user.id, back.connection, "", new StreamPosition(1, "older"), back.outbox);

    assertThat(back.outbox.next()).isEqualTo("attached");
    user.push(2, null);
    assertThat(back.outbox.next()).isEqualTo(user.pushed(2));
  }

  @Test
  void aPositionBehindTheEndIsNotRecovered() {
    var user = KICKING.newUser();
    user.push(1, null);
    var back = new Tab(user, CONNECTIONS.incrementAndGet(), new HeardReceiver());
    user.node.attachments.attach(
        user.id, back.connection, "", new StreamPosition(1_000, "epoch"), back.outbox);

    assertThat(back.outbox.next()).isEqualTo("attached");
    user.push(2, null);
    assertThat(back.outbox.next()).isEqualTo(user.pushed(2));
  }

  @Test
  void whoAttachesLaterThanItLeftIsNotThere() {
    var user = KICKING.newUser();
    var tab = user.connected();
    var attachment = requireNonNull(user.node.attachments.find(tab.connection));
    tab.detach();
    user.tell(new Session.Attach(null, 0, attachment));
    await().until(() -> !user.inMemory());
  }

  @Test
  void whatTheAuthorNeedNotGetCountsAsArrived() {
    var user = KICKING.newUser();
    var author = user.connected();
    user.push(1, author);
    assertThat(author.outbox.next()).isEqualTo("passed 2");
    assertThat(author.outbox.already()).isNull();
  }

  @Test
  void anIdleTimeoutOfNothingIsRefused() {
    var policy = new DevicePolicy(1, Excess.KICK_OLDEST);
    var limits = new StreamLog.Limits(1, 1, IDLE);
    assertThatThrownBy(
            () -> new SessionSettings(policy, Duration.ZERO, 1, limits, Optional.empty()))
        .hasMessageContaining("hawser.session.idle-timeout is PT0S, expected");
  }
}
