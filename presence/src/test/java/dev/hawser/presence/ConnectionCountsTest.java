package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.presence.ConnectionCounts.Change;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class ConnectionCountsTest {

  private static final long LINGER = 100;

  private final ConnectionCounts<String> counts = counts();

  private static ConnectionCounts<String> counts() {
    return new ConnectionCounts<>(Duration.ofMillis(LINGER), user -> user);
  }

  @Test
  void aReloadWithinTheLingerWritesNothing() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10, 5_000), 1_001);
    counts.disconnected("alice", 2_000);
    counts.expire(2_050, false);
    assertThat(counts.take(10, 5_000)).isEmpty();
    counts.connected("alice", 2_060);
    counts.expire(9_000, false);
    assertThat(counts.take(10, 5_000)).isEmpty();
  }

  @Test
  void aStayEndsWhenTheLastConnectionWentAndNotWhenTheLingerIsOver() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10, 5_000), 1_001);
    counts.disconnected("alice", 2_000);
    counts.expire(2_100, false);
    assertThat(counts.take(10, 5_000)).containsExactly(new Change<>("alice", 0, 2_000));
  }

  @Test
  void lateAndRepeatedDisconnectsDoNoHarm() {
    counts.disconnected("alice", 500);
    counts.connected("alice", 1_000);
    counts.connected("alice", 1_000);
    counts.disconnected("alice", 1_100);
    List<Change<String>> changes = counts.take(10, 5_000);
    assertThat(changes).containsExactly(new Change<>("alice", 1, 1_000));
    counts.written(changes, 1_150);
    counts.disconnected("alice", 1_200);
    counts.disconnected("alice", 1_300);
    counts.connected("alice", 1_250);
    assertThat(counts.take(10, 5_000)).isEmpty();
  }

  @Test
  void aStayThatNoOneCouldWriteInTimeIsWrittenAllTheSame() {
    counts.connected("alice", 1_000);
    counts.failed(counts.take(10, 5_000));
    counts.disconnected("alice", 2_000);
    counts.expire(3_000, false);
    // What failed may have happened.
    List<Change<String>> first = counts.take(10, 5_000);
    assertThat(first).containsExactly(new Change<>("alice", 0, 2_000));
    counts.written(first, 3_001);
    List<Change<String>> second = counts.take(10, 5_000);
    assertThat(second).containsExactly(new Change<>("alice", 0, 2_000, 1_000));
    counts.written(second, 3_002);
    assertThat(counts.size()).isZero();
  }

  @Test
  void theOldestChangeIsKnown() {
    assertThat(counts.oldestChange()).isZero();
    counts.connected("alice", 1_000);
    counts.connected("bob", 2_000);
    assertThat(counts.oldestChange()).isEqualTo(1_000);
    List<Change<String>> first = counts.take(1, 5_000);
    assertThat(counts.oldestChange()).isEqualTo(1_000);
    counts.written(first, 2_500);
    List<Change<String>> second = counts.take(1, 5_000);
    assertThat(counts.oldestChange()).isEqualTo(2_000);
    counts.failed(second);
    assertThat(counts.oldestChange()).isEqualTo(2_000);
  }

  @Test
  void staysThatEndWhilePostgreSqlIsAwayAreKeptApart() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10, 1_001), 1_001);
    for (long begin = 2_000; begin <= 4_000; begin += 1_000) {
      counts.disconnected("alice", begin - 500);
      counts.connected("alice", begin);
      counts.failed(counts.take(10, begin));
    }
    List<Change<String>> all = new ArrayList<>();
    for (List<Change<String>> next = counts.take(10, 5_000);
        !next.isEmpty();
        next = counts.take(10, 5_000)) {
      all.addAll(next);
      counts.written(next, 5_000);
    }
    assertThat(all)
        .containsExactly(
            new Change<>("alice", 0, 1_500),
            new Change<>("alice", 0, 2_500, 2_000),
            new Change<>("alice", 0, 3_500, 3_000),
            new Change<>("alice", 1, 4_000));
  }

  @Test
  void oneUserCannotFillTheMemory() {
    for (long stay = 1; stay <= 1_000; stay++) {
      counts.connected("alice", stay * 1_000);
      counts.disconnected("alice", stay * 1_000 + 1);
      counts.expire(stay * 1_000 + 500, false);
    }
    int changes = 0;
    for (List<Change<String>> next = counts.take(10, 2_000_000);
        !next.isEmpty();
        next = counts.take(10, 2_000_000)) {
      changes++;
      counts.written(next, 2_000_000);
    }
    assertThat(changes).isEqualTo(ConnectionCounts.MOST_ENDED + 1);
    assertThat(counts.size()).isZero();
  }

  @Test
  void oneUserCannotFillTheMemoryWithMoreAndMoreViews() {
    var views =
        new ConnectionCounts<String>(
            Duration.ofMillis(LINGER), view -> view.substring(0, view.indexOf(' ')));
    for (long view = 1; view <= 1_000; view++) {
      views.connected("alice " + view, view * 1_000);
      views.left("alice " + view, view * 1_000 + 500);
    }
    views.connected("bob 1", 1_000_000);
    assertThat(views.size()).isEqualTo(ConnectionCounts.MOST_ENDED + 1);
    for (List<Change<String>> next = views.take(10, 2_000_000);
        !next.isEmpty();
        next = views.take(10, 2_000_000)) {
      views.written(next, 2_000_000);
    }
    assertThat(views.size()).isEqualTo(1);
    views.connected("alice 1", 3_000_000);
    assertThat(views.take(10, 3_000_000)).containsExactly(new Change<>("alice 1", 1, 3_000_000));
  }

  @Test
  void whoLeftBeforeTheLeaseWasLostIsNotSaidToBeHereAgain() {
    counts.connected("alice", 1_000);
    counts.written(counts.take(10, 1_001), 1_001);
    counts.disconnected("alice", 2_000);
    counts.forgotten(2_010);
    assertThat(counts.take(10, 2_020)).containsExactly(new Change<>("alice", 0, 2_000, 1_000));
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
    ConnectionCounts<String> tested = counts();
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
          List<Change<String>> changes = tested.take(2, now);
          assertThat(changes).extracting(Change::key).doesNotHaveDuplicates();
          apply(changes, postgreSql);
          tested.written(changes, now);
        }
        case FAIL -> {
          tested.expire(now, false);
          List<Change<String>> changes = tested.take(2, now);
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
    for (List<Change<String>> changes = tested.take(2, now);
        !changes.isEmpty();
        changes = tested.take(2, now)) {
      apply(changes, postgreSql);
      tested.written(changes, now);
    }
    assertThat(postgreSql).isEqualTo(truth);
    assertThat(tested.size()).isEqualTo(truth.size());
    assertThat(tested.oldestChange()).isZero();
  }

  private record Stay(String user, long begin, long end) {}

  @Property(tries = 5_000)
  void whateverHappensStaysAreWrittenAsTheyWere(@ForAll("steps") List<Step> steps) {
    ConnectionCounts<String> tested = counts();
    Map<String, Integer> online = new HashMap<>();
    Map<String, Stay> last = new HashMap<>();
    Set<Stay> truth = new HashSet<>();
    Map<String, Long> open = new HashMap<>();
    Set<Stay> postgreSql = new HashSet<>();
    long now = 1_000;
    for (Step step : steps) {
      now += 10;
      switch (step.action()) {
        case CONNECT -> {
          tested.connected(step.user(), now);
          if (online.merge(step.user(), 1, Integer::sum) == 1) {
            Stay before = last.get(step.user());
            boolean away = before == null || now - before.end() >= LINGER;
            if (away && before != null) {
              truth.add(before);
            }
            long begin = before == null || away ? now : before.begin();
            last.put(step.user(), new Stay(step.user(), begin, Long.MAX_VALUE));
          }
        }
        case DISCONNECT -> {
          tested.disconnected(step.user(), now);
          Integer left =
              online.computeIfPresent(step.user(), (user, number) -> Math.max(0, number - 1));
          Stay stay = last.get(step.user());
          if (left != null && left == 0 && stay != null && stay.end() == Long.MAX_VALUE) {
            last.put(step.user(), new Stay(step.user(), stay.begin(), now));
          }
        }
        case WAIT -> now += LINGER;
        case FLUSH, FAIL, FENCE -> {
          tested.expire(now, false);
          List<Change<String>> changes = tested.take(2, now);
          if (step.action() == Action.FLUSH || step.applied()) {
            write(changes, open, postgreSql);
          }
          if (step.action() == Action.FLUSH) {
            tested.written(changes, now);
          } else {
            tested.failed(changes);
          }
        }
      }
    }
    now += LINGER;
    tested.expire(now, false);
    for (List<Change<String>> changes = tested.take(2, now);
        !changes.isEmpty();
        changes = tested.take(2, now)) {
      write(changes, open, postgreSql);
      tested.written(changes, now);
    }
    open.forEach((user, begin) -> postgreSql.add(new Stay(user, begin, Long.MAX_VALUE)));
    truth.addAll(last.values());
    assertThat(postgreSql).isEqualTo(truth);
  }

  /** As PostgreSQL does: what it has already is left alone. */
  private static void write(List<Change<String>> changes, Map<String, Long> open, Set<Stay> ended) {
    for (Change<String> change : changes) {
      if (change.connections() > 0) {
        open.merge(change.key(), change.at(), Math::min);
      } else if (change.isEnded()) {
        ended.add(new Stay(change.key(), change.begin(), change.at()));
      } else {
        Long begin = open.remove(change.key());
        if (begin != null) {
          ended.add(new Stay(change.key(), begin, change.at()));
        }
      }
    }
  }

  private static void apply(List<Change<String>> changes, Map<String, Integer> postgreSql) {
    for (Change<String> change : changes) {
      if (change.isGone()) {
        postgreSql.remove(change.key());
      } else {
        postgreSql.put(change.key(), change.connections());
      }
    }
  }
}
