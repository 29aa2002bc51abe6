package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.DevicePolicy.Excess;
import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.Done;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A connection and its session, in a cluster of one node; not all shards are fed at once. */
class AttachmentTest {

  private static final int FED = 0;
  private static final int FED_LATER = 1;
  private static final int NEVER_FED = 2;
  private static final int SECURED = 3;
  private static final AtomicInteger USERS = new AtomicInteger();
  private static final ActorTestKit KIT =
      ActorTestKit.create(
          "attachments",
          ConfigFactory.parseString(
                  "hawser.cluster.port = 0, pekko.remote.artery.canonical.port = 0,"
                      + " pekko.cluster.roles = [gateway]")
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());

  private static final ClusterSharding SHARDING = ClusterSharding.get(KIT.system());
  private static final UniqueAddress HERE = Cluster.get(KIT.system()).selfMember().uniqueAddress();
  private static final Feeds FEEDS = new Feeds(4, "epoch");
  private static final Attachments ATTACHMENTS = startNode();

  private String user = userOf(FED);
  private final long connection = USERS.get();
  private final HeardReceiver receiver = new HeardReceiver();

  private static Attachments startNode() {
    var cluster = Cluster.get(KIT.system());
    cluster.manager().tell(Join.create(cluster.selfMember().address()));
    FEEDS.started(FED, 0, 0, () -> {});
    FEEDS.started(SECURED, 0, 0, () -> {});
    var attachments =
        Attachments.start(KIT.system(), FEEDS, "ws://here", () -> true, 1_000, "test");
    var settings =
        new SessionSettings(
            new DevicePolicy(8, Excess.KICK_OLDEST),
            Duration.ofMinutes(1),
            1_000,
            new StreamLog.Limits(100, 100_000, Duration.ofMinutes(1)),
            Optional.empty());
    Session.init(SHARDING, cluster, settings, FEEDS, null, attachments.nodes(), null);
    return attachments;
  }

  private static String userOf(int shard) {
    String user;
    do {
      user = "user-" + USERS.incrementAndGet();
    } while (Shards.of(user, FEEDS.shards()) != shard);
    return user;
  }

  @AfterEach
  void detach() {
    ATTACHMENTS.detach(connection);
  }

  @AfterAll
  static void end() {
    KIT.shutdownTestKit();
  }

  private void attach() {
    ATTACHMENTS.attach(user, connection, "", null, receiver);
  }

  private Attachment attached() {
    attach();
    assertThat(receiver.next()).isEqualTo("attached");
    return requireNonNull(ATTACHMENTS.find(connection));
  }

  private StreamEvent event(long offset) {
    var payload = new Payload(("{\"n\":" + offset + "}").getBytes(UTF_8));
    return new StreamEvent(
        new PushEvent(user, null, null, null, true, Map.of(), payload), offset, 0);
  }

  /** Through the session. */
  private void push(long offset) {
    var done = KIT.<Done>createTestProbe();
    SHARDING
        .entityRefFor(Session.KEY, user)
        .tell(
            new Session.Push(
                event(offset).event(),
                offset,
                0,
                FEEDS.generation(Shards.of(user, FEEDS.shards())),
                done.ref()));
    done.expectMessage(Duration.ofSeconds(10), Done.getInstance());
  }

  /** Past the session. */
  private void push(Attachment attachment, long offset, long previous) {
    attachment.push(event(offset), Session.encode(event(offset)), previous);
  }

  private void assertNextIs(long offset) {
    assertThat(receiver.next()).contains("{\"n\":" + offset + "}");
  }

  @Test
  void whatTheConnectionHasIsNotDeliveredAgain() {
    var attachment = attached();
    push(5);
    assertNextIs(5);
    push(attachment, 5, 0);
    push(attachment, 4, 0);
    push(attachment, 6, 5);
    assertNextIs(6);
    assertThat(receiver.already()).isNull();
  }

  @Test
  void aHoleIsFilledByTheSessionAndNothingComesTwice() {
    var attachment = attached();
    push(1);
    assertNextIs(1);
    push(attachment, 4, 3);
    await().until(() -> HERE.equals(attachment.owner()));
    assertThat(receiver.already()).isNull();
    push(3);
    push(4);
    assertNextIs(3);
    assertNextIs(4);
    assertThat(receiver.already()).isNull();
  }

  @Test
  void theConnectionsOfADeadNodesSessionsAttachAgainAtTheRateThatIsSetHoweverManyOthersThereAre() {
    var dead = new UniqueAddress(HERE.address(), HERE.longUid() + 1);
    user = userOf(NEVER_FED);
    List<Attachment> orphans = new ArrayList<>();
    for (long id = -1; id >= -1_000; id--) {
      ATTACHMENTS.attach(user, id, "", null, new HeardReceiver());
      var attachment = requireNonNull(ATTACHMENTS.find(id));
      boolean orphan = id % 5 == 0;
      attachment.attached(orphan ? dead : HERE, new StreamPosition(1, "epoch"), true);
      if (orphan) {
        orphans.add(attachment);
      }
    }
    long begin = Attachments.now();
    assertThat(ATTACHMENTS.orphan(dead)).isEqualTo(orphans.size()).isEqualTo(200);
    long took = Attachments.now() - begin;

    // A thousand a second, half a second later: when they are due is asked, not waited for.
    assertThat(due(orphans, begin + 499)).isZero();
    assertThat(due(orphans, begin + 600)).isLessThan(160);
    assertThat(due(orphans, begin + took + 600)).isGreaterThan(40);
    assertThat(due(orphans, begin + took + 701)).isEqualTo(200);
  }

  @AfterEach
  void detachMany() {
    for (long id = -1; id >= -1_000; id--) {
      ATTACHMENTS.detach(id);
    }
  }

  /** How many are due at a time. */
  private static int due(List<Attachment> orphans, long at) {
    return (int) orphans.stream().filter(orphan -> orphan.due(at, at)).count();
  }

  @Test
  void whatGotLostOnTheWayToAnotherNodeIsNoticedThoughNothingFollows() {
    user = userOf(SECURED);
    var attachment = attached();
    // As if its session were on another node, and no event came through.
    ActorRef<Edge.Message> edge = attachment.remote().edge();
    ActorRef<Edge.Message> lossy =
        KIT.spawn(
            Behaviors.receiveMessage(
                message -> {
                  if (!(message instanceof Edge.Deliver)) {
                    edge.tell(message);
                  }
                  return Behaviors.same();
                }));
    var outbox = new RemoteOutbox(connection, "", lossy, HERE);
    SHARDING
        .entityRefFor(Session.KEY, user)
        .tell(new Session.Attach(attachment.since(), 0, outbox));
    push(1);
    assertThat(receiver.already()).isNull();
    FEEDS.reached(SECURED, 2);
    var secured = KIT.<Done>createTestProbe();
    SHARDING.entityRefFor(Session.KEY, user).tell(new Session.Secure(2, secured.ref()));
    assertNextIs(1);
    push(3);
    assertNextIs(3);
    assertThat(receiver.already()).isNull();
  }

  @Test
  void whatIsNotKeptIsNoHole() {
    var attachment = attached();
    attachment.nothing(0, 7);
    push(attachment, 8, 7);
    assertNextIs(8);
    attachment.nothing(7, 9);
    push(attachment, 10, 9);
    assertNextIs(10);
  }

  @Test
  void anAnswerWithoutRecoverySendsAwayWhoWasAnsweredBefore() {
    var attachment = attached();
    var elsewhere = new UniqueAddress(HERE.address(), HERE.longUid() + 1);
    attachment.attached(elsewhere, new StreamPosition(9, "epoch"), false);
    assertThat(receiver.next()).isEqualTo("disconnect 3010");
  }

  @Test
  void whoAskedAgainBeforeTheFirstAnswerCameStays() {
    var attachment = attached();
    push(1);
    assertNextIs(1);
    SHARDING.entityRefFor(Session.KEY, user).tell(new Session.Attach(null, 0, attachment));
    push(2);
    assertNextIs(2);
    assertThat(receiver.already()).isNull();
  }

  @Test
  void nothingComesAfterDetach() {
    var attachment = attached();
    ATTACHMENTS.detach(connection);
    assertThat(ATTACHMENTS.find(connection)).isNull();
    push(1);
    push(attachment, 1, 0);
    attachment.attached(HERE, new StreamPosition(9, "epoch"), false);
    attachment.released();
    assertThat(attachment.owner()).isNull();
    assertThat(attachment.due(Long.MAX_VALUE, Long.MAX_VALUE)).isFalse();
    assertThat(receiver.already()).isNull();
  }

  @Test
  void whoComesBeforeTheFeedIsAnsweredWhenItStarts() {
    user = userOf(FED_LATER);
    attach();
    await().during(Duration.ofMillis(500)).until(() -> ATTACHMENTS.waiting() == 1);
    assertThat(receiver.already()).isNull();
    long startedAt = System.nanoTime();
    FEEDS.started(FED_LATER, 7, 7, () -> {});
    assertThat(receiver.next()).isEqualTo("attached");
    assertThat(Duration.ofNanos(System.nanoTime() - startedAt)).isLessThan(Duration.ofSeconds(1));
  }

  @Test
  void whoComesForTheFirstTimeWaitsThreeSecondsAtMost() {
    user = userOf(NEVER_FED);
    long startedAt = System.nanoTime();
    attach();
    assertThat(receiver.next()).isEqualTo("attached");
    // The session looks once a second whose time is up.
    assertThat(Duration.ofNanos(System.nanoTime() - startedAt))
        .isBetween(Duration.ofMillis(2_900), Duration.ofSeconds(6));
  }
}
