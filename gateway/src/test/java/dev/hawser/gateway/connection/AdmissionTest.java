package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.connection.Admission.Refusal;
import dev.hawser.gateway.connection.RawClient.Answer;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Who is let in, and who is told to come later. */
class AdmissionTest {

  private static final String PATH = "/connection/websocket";

  private final AtomicLong now = new AtomicLong(1L << 60);

  private Admission admission(String settings) {
    var config =
        ConfigFactory.parseString(settings)
            .withFallback(ConfigFactory.defaultReferenceUnresolved().getConfig("hawser.admission"))
            .resolve();
    return new Admission(AdmissionSettings.from(config), now::get);
  }

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
  }

  private static Answer ask(Edge edge) {
    try (var client = edge.dial()) {
      return client.request("GET", PATH, RawClient.handshake());
    }
  }

  private static void expectRefusal(Edge edge, Refusal why) {
    Answer answer = ask(edge);
    assertThat(answer.status()).isEqualTo(503);
    assertThat(Integer.parseInt(answer.headers().get("retry-after"))).isBetween(5, 10);
    assertThat(edge.played.services.admission().refused(why)).isPositive();
    assertThat(edge.played.services.admission().problem()).isNotEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void aNodeThatIsFullRefusesUntilSomebodyGoes(Door door) {
    try (var edge = Edge.open(door, "admission.max-connections = 2");
        var first = edge.connected("alice");
        var second = edge.connected("bob")) {
      expectRefusal(edge, Refusal.CONNECTIONS);
      first.hangUp();
      await().until(() -> ask(edge).status() == 101);
      second.sendText("{\"rpc\":{\"method\":\"m\"},\"id\":5}");
      assertThat(second.message()).isNotNull();
      second.hangUp();
      await().until(() -> edge.played.services.admission().connections() == 0);
      assertThat(edge.played.services.admission().handshakes()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoIsBeingLetInCountsUntilConnectIsAnswered(Door door) {
    try (var edge = Edge.open(door, "admission.max-handshakes = 1");
        var slow = edge.upgraded()) {
      await().until(() -> edge.played.services.admission().handshakes() == 1);
      expectRefusal(edge, Refusal.HANDSHAKES);
      slow.connect(Tokens.of("alice"));
      assertThat(ask(edge).status()).isEqualTo(101);
      await().until(() -> edge.played.services.admission().handshakes() == 0);
    }
  }

  @Test
  void anAddressMayHaveSomeConnections() {
    try (var edge = Edge.open(Door.NETTY, "admission.max-connections-per-address = 1");
        var first = edge.connected("alice")) {
      assertThat(ask(edge).status()).isEqualTo(503);
      assertThat(edge.played.services.admission().refused(Refusal.ADDRESS)).isEqualTo(1);
      // That is one address's trouble, not the node's.
      assertThat(edge.played.services.admission().problem()).isEmpty();
      first.hangUp();
      await().until(() -> ask(edge).status() == 101);
    }
  }

  @Test
  void aRefusedClientThatSaysNothingIsCut() {
    try (var edge = Edge.open(Door.NETTY, "admission.max-connections = 1");
        var first = edge.connected("alice");
        var silent = edge.dial()) {
      assertThat(silent.frame()).isNull();
      first.sendText("{\"rpc\":{\"method\":\"m\"},\"id\":5}");
      assertThat(first.message()).isNotNull();
    }
  }

  /** Each takes a file descriptor, and those of the node are for Kafka and PostgreSQL, too. */
  @Test
  void ofManyRefusedClientsOnlySomeAreToldWhy() {
    try (var edge = Edge.open(Door.NETTY, "admission.max-connections = 1");
        var first = edge.connected("alice")) {
      List<RawClient> silent = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        silent.add(edge.dial());
      }
      assertThatThrownBy(() -> ask(edge))
          .as("the end of the connection")
          .isInstanceOf(UncheckedIOException.class);
      silent.forEach(RawClient::close);
      await().ignoreException(UncheckedIOException.class).until(() -> ask(edge).status() == 503);
      first.sendText("{\"rpc\":{\"method\":\"m\"},\"id\":5}");
      assertThat(first.message()).isNotNull();
      assertThat(edge.played.services.admission().connections()).isEqualTo(1);
    }
  }

  @Test
  void theRateIsKeptAndAPauseIsNotMadeUpFor() {
    var admission = admission("max-handshakes-per-second = 100");
    pass(Duration.ofSeconds(60));
    int admitted = 0;
    for (int millisecond = 0; millisecond < 2_000; millisecond++) {
      for (int i = 0; i < 5; i++) {
        admitted += admission.ask(null) == null ? 1 : 0;
      }
      pass(Duration.ofMillis(1));
    }
    // Two seconds and a burst.
    assertThat(admitted).isBetween(200, 222);
    assertThat(admission.refused(Refusal.RATE)).isEqualTo(10_000 - admitted);
    assertThat(admission.problem()).isEqualTo("too many clients at once");
    pass(Duration.ofSeconds(4));
    assertThat(admission.problem()).isEmpty();
    assertThat(admission.ask(null)).isNull();
  }

  @Test
  void aFullHeapRefusesUntilThereIsRoomEnough() {
    var admission = admission("max-heap = 0.9");
    admission.sampled(0.9, Duration.ZERO);
    assertThat(admission.ask(null)).isNull();
    admission.sampled(0.91, Duration.ZERO);
    assertThat(admission.ask(null)).isEqualTo(Refusal.HEAP);
    admission.sampled(0.85, Duration.ZERO);
    assertThat(admission.ask(null)).isEqualTo(Refusal.HEAP);
    assertThat(admission.problem()).isEqualTo("the heap is nearly full");
    admission.sampled(0.80, Duration.ZERO);
    assertThat(admission.ask(null)).isNull();
  }

  @Test
  void loopsThatAreLateForASecondRefuseUntilTheyAreInTimeForTwo() {
    var admission = admission("max-lag = 100ms");
    var late = Duration.ofMillis(101);
    for (int i = 0; i < 10; i++) {
      admission.sampled(0, i % 4 == 3 ? Duration.ofMillis(99) : late);
    }
    assertThat(admission.ask(null)).isNull();
    for (int i = 0; i < 4; i++) {
      admission.sampled(0, late);
    }
    assertThat(admission.ask(null)).isEqualTo(Refusal.LAG);
    for (int i = 0; i < 20; i++) {
      admission.sampled(0, Duration.ofMillis(i % 7 == 0 ? 51 : 49));
    }
    assertThat(admission.ask(null)).isEqualTo(Refusal.LAG);
    for (int i = 0; i < 8; i++) {
      admission.sampled(0, Duration.ofMillis(49));
    }
    assertThat(admission.ask(null)).isNull();
  }

  @Test
  void aNodeThatWasFullIsReadyAgainWhenThereIsSomeRoom() {
    var admission = admission("max-connections = 100");
    for (int i = 0; i < 100; i++) {
      assertThat(admission.ask(null)).isNull();
      admission.entered(null);
    }
    assertThat(admission.ask(null)).isEqualTo(Refusal.CONNECTIONS);
    admission.left(null);
    assertThat(admission.ask(null)).isNull();
    pass(Duration.ofSeconds(10));
    admission.sampled(0, Duration.ZERO);
    assertThat(admission.problem()).contains("as many connections");
    for (int i = 0; i < 4; i++) {
      admission.left(null);
    }
    admission.sampled(0, Duration.ZERO);
    assertThat(admission.problem()).isEmpty();
  }

  /** A loop's thread that fails to take the first task it gets. */
  private static final class UnsteadyThread extends ScheduledThreadPoolExecutor {
    private final AtomicBoolean failed = new AtomicBoolean();

    UnsteadyThread() {
      super(1);
    }

    @Override
    public void execute(Runnable task) {
      if (!failed.getAndSet(true)) {
        throw new IllegalStateException("not now");
      }
      super.execute(task);
    }
  }

  @Test
  void theWatchNoticesALoopThatStandsStillAlsoWhenItHasFailedItselfBefore() throws Exception {
    var admission = admission("max-lag = 200ms");
    var stuck = new CountDownLatch(1);
    try (var thread = new UnsteadyThread()) {
      var loop = new ConnectionLoop(thread, new PlayedServices("").services.settings());
      try (var watch = new LoadWatch(admission, List.of(loop))) {
        await().until(thread.failed::get);
        loop.execute(
            () -> {
              try {
                assertThat(stuck.await(20, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
              }
            });
        await().until(() -> admission.ask(null) == Refusal.LAG);
        assertThat(watch.lag()).isGreaterThan(Duration.ofMillis(200));
        stuck.countDown();
        await().until(() -> admission.ask(null) == null);
      }
      thread.shutdownNow();
    }
  }
}
