package dev.hawser.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FeedsTest {

  private final Feeds feeds = new Feeds(2, "epoch");

  private boolean isStarted(int shard) {
    return feeds.start(shard).toCompletableFuture().isDone();
  }

  @Test
  void noShardIsFedAtFirst() {
    assertThat(feeds.shards()).isEqualTo(2);
    assertThat(feeds.epoch()).isEqualTo("epoch");
    assertThat(feeds.all()).containsExactly(Feeds.NOT_FED, Feeds.NOT_FED);
    assertThat(feeds.completeSince(0)).isEqualTo(Feeds.NOT_FED);
    assertThat(feeds.present(0)).isZero();
    assertThat(isStarted(0)).isFalse();
  }

  @Test
  void aShardThatHasStartedIsCompleteSinceThere() {
    feeds.started(1, 40, 50, () -> {});
    assertThat(feeds.all()).containsExactly(Feeds.NOT_FED, 40);
    assertThat(feeds.reached(1)).isEqualTo(40);
    assertThat(feeds.completeSince(1)).isEqualTo(40);
    assertThat(feeds.kept(1)).isEqualTo(40);
    assertThat(isStarted(1)).isTrue();
    assertThat(isStarted(0)).isFalse();
  }

  @Test
  void whoWaitsForTheStartIsTold() {
    var waiting = feeds.start(0).toCompletableFuture();
    feeds.started(0, 40, 50, () -> {});
    assertThat(waiting).isCompleted();
  }

  @Test
  void oneWaiterWhoGivesUpDoesNotStopTheOthers() {
    feeds.start(0).toCompletableFuture().cancel(false);
    feeds.started(0, 40, 50, () -> {});
    assertThat(feeds.completeSince(0)).isEqualTo(40);
  }

  @Test
  void thePresentIsTheHeadUntilTheFeedIsThere() {
    feeds.started(0, 40, 50, () -> {});
    assertThat(feeds.present(0)).isEqualTo(50);
    feeds.reached(0, 49);
    assertThat(feeds.present(0)).isEqualTo(50);
    feeds.reached(0, 51);
    assertThat(feeds.present(0)).isEqualTo(51);
    assertThat(feeds.reached(0)).isEqualTo(51);
    assertThat(feeds.completeSince(0)).isEqualTo(40);
  }

  @Test
  void sessionsBeginBehindWhatOthersHaveForgotten() {
    feeds.started(0, 40, 50, () -> {});
    feeds.started(1, 40, 50, () -> {});
    feeds.forgot(0, 30);
    assertThat(feeds.completeSince(0)).isEqualTo(40);
    feeds.forgot(0, 45);
    feeds.forgot(0, 44);
    assertThat(feeds.completeSince(0)).isEqualTo(45);
    assertThat(feeds.completeSince(1)).isEqualTo(40);
  }

  @Test
  void whatIsDurableIsTold() {
    feeds.started(0, 40, 50, () -> {});
    feeds.kept(0, 60);
    assertThat(feeds.kept(0)).isEqualTo(60);
  }

  @Test
  void aShardThatHasStoppedIsNotFed() {
    feeds.started(0, 40, 50, () -> {});
    feeds.stopped(0);
    assertThat(feeds.reached(0)).isEqualTo(Feeds.NOT_FED);
    assertThat(feeds.completeSince(0)).isEqualTo(Feeds.NOT_FED);
    assertThat(feeds.present(0)).isZero();
    assertThat(isStarted(0)).isFalse();
  }

  @Test
  void stoppingTwiceLeavesNobodyWaitingForEver() {
    var waiting = feeds.start(0).toCompletableFuture();
    feeds.stopped(0);
    feeds.stopped(0);
    feeds.started(0, 40, 50, () -> {});
    assertThat(waiting).isCompleted();
  }

  @Test
  void aSecondLifeKnowsNothingOfTheFirst() {
    feeds.started(0, 40, 50, () -> {});
    feeds.reached(0, 90);
    feeds.kept(0, 90);
    feeds.forgot(0, 85);
    feeds.stopped(0);
    feeds.started(0, 70, 72, () -> {});
    assertThat(feeds.completeSince(0)).isEqualTo(70);
    assertThat(feeds.reached(0)).isEqualTo(70);
    assertThat(feeds.kept(0)).isEqualTo(70);
    assertThat(feeds.present(0)).isEqualTo(72);
  }

  @Test
  void withoutKafkaAllShardsAreFedFromTheBeginning() {
    var untracked = Feeds.untracked(3);
    assertThat(untracked.epoch()).isEmpty();
    assertThat(untracked.all()).containsOnly(Feeds.NOT_FED);
    assertThat(untracked.completeSince(2)).isZero();
  }
}
