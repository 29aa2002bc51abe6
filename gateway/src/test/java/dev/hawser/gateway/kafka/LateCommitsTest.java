package dev.hawser.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.kafka.LateCommits.HandedOver;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LateCommitsTest {

  private static final long SECOND = Duration.ofSeconds(1).toNanos();
  private static final long WINDOW = 60 * SECOND;

  private final LateCommits late = new LateCommits(WINDOW, 5_000);

  @Test
  void whatIsWithinTheWindowIsNotCommitted() {
    late.add("alice", 1, 0);
    assertThat(late.takeDue(null, WINDOW)).isNull();
  }

  @Test
  void whatIsOlderIsWithTheLastOffsetOfEachUser() {
    late.add("alice", 1, 0);
    late.add("bob", 2, 0);
    late.add("alice", 3, SECOND);
    late.add(null, 4, SECOND);
    late.add("alice", 5, 30 * SECOND);
    assertThat(late.takeDue(null, WINDOW + 2 * SECOND))
        .isEqualTo(new HandedOver(4, Map.of("alice", 3L, "bob", 2L)));
    assertThat(late.takeDue(null, WINDOW + 2 * SECOND)).isNull();
  }

  @Test
  void whatCouldNotBeCommittedGoesWithTheNext() {
    late.add("alice", 1, 0);
    late.add("bob", 2, 0);
    HandedOver first = late.takeDue(null, 2 * WINDOW);
    assertThat(late.takeDue(first, 2 * WINDOW)).isEqualTo(first);
    late.add("alice", 3, 2 * WINDOW);
    assertThat(late.takeDue(first, 4 * WINDOW))
        .isEqualTo(new HandedOver(3, Map.of("alice", 3L, "bob", 2L)));
  }

  @Test
  void moreThanMayWaitIsCommittedEarly() {
    for (int offset = 1; offset <= 12_000; offset++) {
      late.add("alice", offset, offset);
    }
    assertThat(late.takeDue(null, SECOND))
        .isEqualTo(new HandedOver(7_000, Map.of("alice", 7_000L)));
  }
}
