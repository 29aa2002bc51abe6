package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.presence.ConnectionCounts.Change;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class ConnectionCountsTest {

  private static final long LINGER = 100;

  private final ConnectionCounts counts = new ConnectionCounts(Duration.ofMillis(LINGER));

  @Test
  void aReloadWithinTheLingerWritesNothing() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10), 1_001);
    counts.disconnected("alice", 2_000);
    counts.expire(2_050, false);
    assertThat(counts.take(10)).isEmpty();
    counts.connected("alice", 2_060);
    counts.expire(9_000, false);
    assertThat(counts.take(10)).isEmpty();
  }

  @Test
  void aStayEndsWhenTheLastConnectionWentAndNotWhenTheLingerIsOver() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10), 1_001);
    counts.disconnected("alice", 2_000);
    counts.expire(2_100, false);
    assertThat(counts.take(10)).containsExactly(new Change("alice", 0, 2_000));
  }

  @Test
  void lateAndRepeatedDisconnectsDoNoHarm() {
    counts.disconnected("alice", 500);
    counts.connected("alice", 1_000);
    counts.connected("alice", 1_000);
    counts.disconnected("alice", 1_100);
    List<Change> changes = counts.take(10);
    assertThat(changes).containsExactly(new Change("alice", 1, 1_000));
    counts.written(changes, 1_150);
    counts.disconnected("alice", 1_200);
    counts.disconnected("alice", 1_300);
    counts.connected("alice", 1_250);
    assertThat(counts.take(10)).isEmpty();
  }

  @Test
  void aStayThatNoOneCouldWriteInTimeIsWrittenAllTheSame() {
    counts.connected("alice", 1_000);
    counts.failed(counts.take(10));
    counts.disconnected("alice", 2_000);
    counts.expire(3_000, false);
    List<Change> first = counts.take(10);
    assertThat(first).containsExactly(new Change("alice", 1, 1_000));
    counts.written(first, 3_001);
    List<Change> second = counts.take(10);
    assertThat(second).containsExactly(new Change("alice", 0, 2_000));
    counts.written(second, 3_002);
    assertThat(counts.size()).isZero();
  }

  @Test
  void theOldestChangeIsKnown() {
    assertThat(counts.oldestChange()).isZero();
    counts.connected("alice", 1_000);
    counts.connected("bob", 2_000);
    assertThat(counts.oldestChange()).isEqualTo(1_000);
    List<Change> first = counts.take(1);
    assertThat(counts.oldestChange()).isEqualTo(1_000);
    counts.written(first, 2_500);
    List<Change> second = counts.take(1);
    assertThat(counts.oldestChange()).isEqualTo(2_000);
    counts.failed(second);
    assertThat(counts.oldestChange()).isEqualTo(2_000);
  }

  /** What may happen, and to whom. */
  record Step(Action action, String user, boolean applied) {}

  enum Action {
    CONNECT,
    DISCONNECT,
    WAIT,
    FLUSH,
    FAIL,
    FENCE
  }

  @Provide
  Arbitrary<List<Step>> steps() {
    return Combinators.combine(
            Arbitraries.of(Action.class),
            Arbitraries.of("alice", "bob", "carol"),
            Arbitraries.of(true, false))
        .as(Step::new)
        .list()
        .ofMaxSize(60);
  }

  @Property(tries = 5_000)
  void whateverHappensPostgreSqlEndsUpWithTheTruth(@ForAll("steps") List<Step> steps) {
    var tested = new ConnectionCounts(Duration.ofMillis(LINGER));
    Map<String, Integer> truth = new HashMap<>();
    Map<String, Integer> postgreSql = new HashMap<>();
    long now = 1_000;
    for (Step step : steps) {
      now += 10;
      switch (step.action()) {
        case CONNECT -> {
          truth.merge(step.user(), 1, Integer::sum);
          tested.connected(step.user(), now);
        }
        case DISCONNECT -> {
          truth.computeIfPresent(step.user(), (user, n) -> n == 1 ? null : n - 1);
          tested.disconnected(step.user(), now);
        }
        case WAIT -> now += LINGER;
        case FLUSH -> {
          tested.expire(now, false);
          List<Change> changes = tested.take(2);
          assertThat(changes).extracting(Change::user).doesNotHaveDuplicates();
          apply(changes, postgreSql);
          tested.written(changes, now);
        }
        case FAIL -> {
          tested.expire(now, false);
          List<Change> changes = tested.take(2);
          if (step.applied()) {
            apply(changes, postgreSql);
          }
          tested.failed(changes);
        }
        case FENCE -> {
          postgreSql.clear();
          tested.forgotten(now);
        }
      }
    }
    tested.expire(now + LINGER, false);
    for (List<Change> changes = tested.take(2); !changes.isEmpty(); changes = tested.take(2)) {
      apply(changes, postgreSql);
      tested.written(changes, now);
    }
    assertThat(postgreSql).isEqualTo(truth);
    assertThat(tested.size()).isEqualTo(truth.size());
    assertThat(tested.oldestChange()).isZero();
  }

  private static void apply(List<Change> changes, Map<String, Integer> postgreSql) {
    for (Change change : changes) {
      if (change.connections() == 0) {
        postgreSql.remove(change.user());
      } else {
        postgreSql.put(change.user(), change.connections());
      }
    }
  }
}
