package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.DevicePolicy.Excess;
import dev.hawser.gateway.session.Mailbox.Kept;
import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.Done;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.cluster.sharding.ShardRegion.CurrentShardRegionState;
import org.apache.pekko.cluster.sharding.typed.GetShardRegionState;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a user gets who comes back after the session, and what it knew, has gone. */
class MailboxTest {

  private static final Duration IDLE = Duration.ofMillis(300);
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final AtomicInteger USERS = new AtomicInteger();
  private static final AtomicLong CONNECTIONS = new AtomicLong();

  private static final ActorTestKit KIT =
      ActorTestKit.create(
          "mailboxes",
          ConfigFactory.parseString(
                  """
                  hawser.cluster.port = 0, pekko.remote.artery.canonical.port = 0
                  pekko.cluster.roles = [gateway]
                  pekko.persistence.journal.plugin = "pekko.persistence.journal.inmem"
                  pekko.persistence.snapshot-store.plugin = "pekko.persistence.snapshot-store.local"
                  # Of this run only.
                  pekko.persistence.snapshot-store.local.dir = "target/snapshots/%d"
                  """
                      .formatted(System.nanoTime()))
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());

  private static final ClusterSharding SHARDING = ClusterSharding.get(KIT.system());

  /** PostgreSQL's part, which can be away; it never knows whether there is mail. */
  private static final class Offsets implements LastOffsets {
    volatile boolean away;

    @Override
    public CompletionStage<Done> open(Map<Integer, Long> starts) {
      return CompletableFuture.completedFuture(Done.getInstance());
    }

    @Override
    public CompletionStage<Done> keep(Map<String, Long> offsets) {
      return CompletableFuture.completedFuture(Done.getInstance());
    }

    @Override
    public CompletionStage<Past> of(int shard, String user) {
      return away
          ? CompletableFuture.failedFuture(new IllegalStateException("away"))
          : CompletableFuture.completedFuture(new Past(0, true));
    }
  }

  private static final Offsets OFFSETS = new Offsets();
  private static final Feeds FEEDS = new Feeds(4, "epoch");
  private static final Attachments ATTACHMENTS = startNode();

  private static Attachments startNode() {
    var cluster = Cluster.get(KIT.system());
    cluster.manager().tell(Join.create(cluster.selfMember().address()));
    for (int shard = 0; shard < FEEDS.shards(); shard++) {
      FEEDS.started(shard, 0, 0, () -> {});
    }
    var attachments =
        Attachments.start(KIT.system(), FEEDS, "ws://here", () -> true, 1_000, "test");
    var limits = new StreamLog.Limits(100, 100_000, IDLE.dividedBy(2));
    var mailbox = new StreamLog.Limits(5, 10_000, Duration.ofDays(1));
    Session.init(
        SHARDING,
        cluster,
        new SessionSettings(
            new DevicePolicy(8, Excess.KICK_OLDEST), IDLE, 1_000, limits, Optional.of(mailbox)),
        FEEDS,
        OFFSETS,
        attachments.nodes(),
        null);
    return attachments;
  }

  @AfterAll
  static void end() {
    for (long connection = 1; connection <= CONNECTIONS.get(); connection++) {
      ATTACHMENTS.detach(connection);
    }
    KIT.shutdownTestKit();
  }

  private final int number = USERS.incrementAndGet();
  private final String user = "user-" + number;
  private final int shard = Shards.of(user, FEEDS.shards());

  /** Offsets only rise, whoever the events of a partition are for. */
  private final long base = 1_000L * number;

  @BeforeEach
  void postgreSqlIsThere() {
    OFFSETS.away = false;
  }

  private void tell(Session.Command command) {
    SHARDING.entityRefFor(Session.KEY, user).tell(command);
  }

  private PushEvent event(int n, boolean kept) {
    var payload = new Payload(("{\"n\":" + n + "}").getBytes(UTF_8));
    return new PushEvent(user, null, null, null, kept, Map.of(), payload);
  }

  private void push(int n, boolean kept) {
    var acknowledged = KIT.<Done>createTestProbe();
    tell(
        new Session.Push(event(n, kept), base + n, 0, FEEDS.generation(shard), acknowledged.ref()));
    acknowledged.expectMessage(PATIENCE, Done.getInstance());
    FEEDS.reached(shard, base + n);
  }

  private void push(int... ns) {
    for (int n : ns) {
      push(n, true);
    }
  }

  private void secure(long upTo) {
    var done = KIT.<Done>createTestProbe();
    tell(new Session.Secure(base + upTo, done.ref()));
    done.expectMessage(PATIENCE, Done.getInstance());
  }

  /** Until the session, and with it its log, is gone. */
  private void forget() {
    await()
        .atMost(PATIENCE)
        .until(
            () -> {
              var state = KIT.<CurrentShardRegionState>createTestProbe();
              SHARDING.shardState().tell(new GetShardRegionState(Session.KEY, state.ref()));
              return state.receiveMessage(PATIENCE).getShards().stream()
                  .noneMatch(shard -> shard.getEntityIds().contains(user));
            });
  }

  private final class Client {
    final long connection = CONNECTIONS.incrementAndGet();
    final HeardReceiver receiver = new HeardReceiver();

    Client(String device, @Nullable StreamPosition since) {
      ATTACHMENTS.attach(user, connection, device, since, receiver);
    }

    void expect(int... ns) {
      for (int n : ns) {
        assertThat(receiver.next()).contains("{\"n\":" + n + "}");
      }
    }

    void acknowledge(long offset) {
      ATTACHMENTS.acknowledge(connection, base + offset);
    }

    void leave() {
      ATTACHMENTS.detach(connection);
    }
  }

  private Client comes(String device) {
    var client = new Client(device, null);
    assertThat(client.receiver.next()).isEqualTo("attached");
    return client;
  }

  @Test
  void whoWasAwayGetsAllInOrderAndNothingAgainOnceItIsAcknowledged() {
    push(1, 2, 3);
    secure(3);
    forget();
    push(4);
    Client client = comes("");
    client.expect(1, 2, 3, 4);
    client.acknowledge(4);
    client.leave();
    secure(4);
    forget();
    Client again = comes("");
    push(5);
    again.expect(5);
    again.leave();
  }

  @Test
  void whatWasAcknowledgedOrIsNotToBeKeptIsNotKept() {
    Client client = comes("");
    push(1);
    client.expect(1);
    client.acknowledge(1);
    client.leave();
    push(2, false);
    push(3);
    secure(3);
    forget();
    Client back = comes("");
    back.expect(3);
    assertThat(back.receiver.already()).isNull();
    back.leave();
  }

  @Test
  void whatAClientGotButDidNotAcknowledgeComesAgain() {
    Client client = comes("");
    push(1, 2);
    client.expect(1, 2);
    client.acknowledge(1);
    client.leave();
    secure(2);
    forget();
    Client back = comes("");
    back.expect(2);
    back.leave();
  }

  @Test
  void eachDeviceGetsWhatItHasNot() {
    Client phone = comes("phone");
    Client tablet = comes("tablet");
    push(1);
    phone.expect(1);
    tablet.expect(1);
    phone.acknowledge(1);
    tablet.acknowledge(1);
    tablet.leave();
    push(2);
    phone.expect(2);
    phone.acknowledge(2);
    secure(2);
    phone.leave();
    forget();
    Client phoneAgain = comes("phone");
    Client tabletAgain = comes("tablet");
    tabletAgain.expect(2);
    push(3);
    phoneAgain.expect(3);
    tabletAgain.expect(3);
    phoneAgain.leave();
    tabletAgain.leave();
  }

  @Test
  void aDeviceGetsWhatCameWhenItsSessionWasAnotherOne() {
    Client phone = comes("phone");
    Client tablet = comes("tablet");
    push(1);
    phone.expect(1);
    tablet.expect(1);
    phone.acknowledge(1);
    tablet.acknowledge(1);
    tablet.leave();
    phone.leave();
    secure(1);
    forget();
    var phoneAgain = new Client("phone", new StreamPosition(base + 1, "epoch"));
    assertThat(phoneAgain.receiver.next()).isEqualTo("recovered");
    push(2);
    phoneAgain.expect(2);
    phoneAgain.acknowledge(2);
    secure(2);
    phoneAgain.leave();
    forget();
    Client tabletAgain = comes("tablet");
    tabletAgain.expect(2);
    tabletAgain.leave();
  }

  @Test
  void aDeviceGetsWhatTheSessionHasForgottenMeanwhile() throws Exception {
    Client phone = comes("phone");
    Client tablet = comes("tablet");
    push(1);
    phone.expect(1);
    tablet.expect(1);
    phone.acknowledge(1);
    tablet.acknowledge(1);
    tablet.leave();
    for (int n = 2; n <= 4; n++) {
      push(n);
      phone.expect(n);
      phone.acknowledge(n);
      secure(n);
      // The log forgets by age, at the next event.
      Thread.sleep(IDLE.toMillis());
    }
    Client back = comes("tablet");
    back.expect(2, 3, 4);
    back.acknowledge(4);
    push(5);
    back.expect(5);
    phone.expect(5);
    back.leave();
    phone.leave();
  }

  @Test
  void theSecondDeviceThatComesBackGetsAllToo() throws Exception {
    Client phone = comes("phone");
    Client tablet = comes("tablet");
    push(1);
    phone.expect(1);
    tablet.expect(1);
    phone.acknowledge(1);
    tablet.acknowledge(1);
    phone.leave();
    tablet.leave();
    push(2, 3, 4);
    secure(4);
    forget();
    Client phoneAgain = comes("phone");
    phoneAgain.expect(2, 3, 4);
    // What was restored for the phone goes from the log by age.
    Thread.sleep(IDLE.multipliedBy(2).toMillis());
    Client tabletAgain = comes("tablet");
    tabletAgain.expect(2, 3, 4);
    Thread.sleep(IDLE.multipliedBy(2).toMillis());
    var another = new Client("tablet", new StreamPosition(base + 2, "epoch"));
    assertThat(another.receiver.next()).isEqualTo("recovered");
    another.expect(3, 4);
    phoneAgain.leave();
    tabletAgain.leave();
    another.leave();
  }

  @Test
  void whatWasNotKeptIsNoHoleBehindWhatWas() throws Exception {
    Client phone = comes("phone");
    comes("tablet").leave();
    push(1);
    push(2, false);
    phone.expect(1, 2);
    phone.acknowledge(2);
    secure(2);
    // The log forgets by age.
    Thread.sleep(IDLE.multipliedBy(2).toMillis());
    Client tablet = comes("tablet");
    tablet.expect(1);
    push(3);
    tablet.expect(3);
    phone.leave();
    tablet.leave();
  }

  @Test
  void aNewDeviceThatLeftBeforeItAcknowledgedAnythingGetsWhatCameThen() {
    Client phone = comes("phone");
    push(1);
    phone.expect(1);
    phone.acknowledge(1);
    comes("tablet").leave();
    push(2);
    phone.expect(2);
    phone.acknowledge(2);
    secure(2);
    phone.leave();
    forget();
    Client tablet = comes("tablet");
    tablet.expect(1, 2);
    tablet.leave();
  }

  @Test
  void whatHasNotBeenFedHereIsNotSecuredHere() {
    push(1);
    var done = KIT.<Done>createTestProbe();
    tell(new Session.Secure(base + 2, done.ref()));
    done.expectNoMessage(IDLE);
    push(2);
    secure(2);
    forget();
    Client client = comes("");
    client.expect(1, 2);
    client.leave();
  }

  @Test
  void whoComesBackWithAPositionIsToldWhetherTheMailboxHasAllBehindIt() {
    push(1, 2, 3);
    secure(3);
    forget();
    var client = new Client("", new StreamPosition(base + 1, "epoch"));
    assertThat(client.receiver.next()).isEqualTo("recovered");
    client.expect(2, 3);
    client.leave();
  }

  @Test
  void ofTooManyTheOldestAreGoneAndNobodyIsToldOtherwise() {
    push(1, 2, 3, 4, 5, 6, 7);
    secure(7);
    forget();
    var client = new Client("", new StreamPosition(base + 1, "epoch"));
    assertThat(client.receiver.next()).isEqualTo("attached");
    client.expect(3, 4, 5, 6, 7);
    client.leave();
  }

  @Test
  void whilePostgreSqlIsAwayOneIsLetInAndSentBackWhenItIsKnownWhatIsMissing() {
    push(1);
    secure(1);
    forget();
    OFFSETS.away = true;
    Client client = comes("");
    push(2);
    client.expect(2);
    OFFSETS.away = false;
    assertThat(client.receiver.next()).isEqualTo("disconnect 3010");
    client.leave();
    // As a stock client does, with the position that it was given.
    var back = new Client("", client.receiver.position());
    assertThat(back.receiver.next()).isEqualTo("attached");
    back.expect(1, 2);
    back.leave();
  }

  @Test
  void whatAllHaveIsForgottenThoughPostgreSqlIsAway() {
    Client client = comes("");
    OFFSETS.away = true;
    push(1);
    client.expect(1);
    client.acknowledge(1);
    client.leave();
    forget();
  }

  /** Writes into a mailbox what its user's session would not: at another time. */
  private static final class OldMail extends EventSourcedBehavior<Kept, Mailbox.Change, String> {
    private final ActorRef<Done> done;

    OldMail(String user, ActorRef<Done> done) {
      super(PersistenceId.ofUniqueId(Session.mailboxId(user)));
      this.done = done;
    }

    @Override
    public String emptyState() {
      return "";
    }

    @Override
    public CommandHandler<Kept, Mailbox.Change, String> commandHandler() {
      return (state, kept) ->
          Effect().persist(kept).thenStop().thenReply(done, stopped -> Done.getInstance());
    }

    @Override
    public EventHandler<String, Mailbox.Change> eventHandler() {
      return (state, change) -> state;
    }
  }

  /** The phone has all, the tablet has left the first event for two days. */
  private void mailOfTwoDaysAgo() {
    var devices = Acknowledgements.NONE.and("phone", base + 1).and("tablet", base);
    long at = System.currentTimeMillis() - Duration.ofDays(2).toMillis();
    var mail = List.of(new StreamEvent(event(1, true), base + 1, 0));
    var done = KIT.<Done>createTestProbe();
    KIT.spawn(new OldMail(user, done.ref()))
        .tell(new Kept("epoch", mail, base, base + 1, devices, at));
    done.expectMessage(PATIENCE, Done.getInstance());
    FEEDS.forgot(shard, base + 1);
  }

  @Test
  void whatIsTooOldIsNotThereThoughNothingCameSince() {
    mailOfTwoDaysAgo();
    Client tablet = comes("tablet");
    push(2);
    tablet.expect(2);
    tablet.leave();
  }

  @Test
  void aDeviceThatWasAwayForTooLongHoldsNothingAnyMore() {
    mailOfTwoDaysAgo();
    Client phone = comes("phone");
    for (int n = 2; n <= 3; n++) {
      push(n);
      phone.expect(n);
      phone.acknowledge(n);
      secure(n);
    }
    phone.leave();
    forget();
    Client tablet = comes("tablet");
    push(4);
    tablet.expect(4);
    tablet.leave();
  }

  /** Or the next session, which does not know of them, would let them be committed. */
  @Test
  @SuppressWarnings("NullAway") // Nobody to answer to is what makes it fail.
  void eventsOfASessionThatFailsAreReadAgainUnlessTheMailboxHasThem() {
    var readAgain = new AtomicBoolean();
    FEEDS.stopped(shard);
    FEEDS.started(shard, base, base, () -> readAgain.set(true));
    push(1);
    secure(1);
    tell(new Session.Refresh(1, 0, null));
    forget();
    assertThat(readAgain).isFalse();
    push(2);
    tell(new Session.Refresh(1, 0, null));
    await().untilTrue(readAgain);
  }

  /** It is ahead of what is fed now, and what is behind it would be taken for known. */
  @Test
  void anEventThatWasOnItsWayWhenThePartitionCameAgainIsNotTaken() {
    long before = FEEDS.generation(shard);
    FEEDS.stopped(shard);
    FEEDS.started(shard, base, base, () -> {});
    var late = KIT.<Done>createTestProbe();
    tell(new Session.Push(event(3, true), base + 3, 0, before, late.ref()));
    push(1, 2, 3);
    late.expectNoMessage(Duration.ZERO);
    Client client = comes("");
    client.expect(1, 2, 3);
    client.leave();
  }

  @Test
  void whoComesWhileTheRecentPastIsToldAgainGetsIt() {
    FEEDS.stopped(shard);
    FEEDS.started(shard, base, base + 2, () -> {});
    Client client = comes("");
    push(1, 2);
    client.expect(1, 2);
    client.leave();
  }
}
