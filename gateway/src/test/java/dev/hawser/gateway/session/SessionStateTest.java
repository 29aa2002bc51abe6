package dev.hawser.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.session.DevicePolicy.Excess;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class SessionStateTest {

  private static SessionState.Connection connection(long id) {
    return new SessionState.Connection(id, new HeardOutbox());
  }

  private static List<Long> ids(List<SessionState.Connection> connections) {
    return connections.stream().map(SessionState.Connection::id).toList();
  }

  @Property(tries = 300)
  void connectionsComeAndGoAsInANaiveModel(
      @ForAll @IntRange(min = 1, max = 5) int limit, @ForAll Excess excess, @ForAll long seed) {
    var random = new Random(seed);
    var state = new SessionState(new DevicePolicy(limit, excess));
    List<Long> model = new ArrayList<>();
    for (int step = 0; step < 100; step++) {
      long id = 1L + random.nextInt(10);
      if (random.nextBoolean()) {
        var gone = state.attach(connection(id));
        Long expected = null;
        if (!model.contains(id)) {
          if (model.size() < limit) {
            model.add(id);
          } else if (excess == Excess.REJECT_NEWEST) {
            expected = id;
          } else {
            expected = model.removeFirst();
            model.add(id);
          }
        }
        assertThat(gone == null ? null : (Long) gone.id()).isEqualTo(expected);
      } else {
        state.detach(id);
        model.remove((Long) id);
      }
      assertThat(ids(state.receivers(0))).isEqualTo(model);
      long excluded = 1L + random.nextInt(10);
      assertThat(ids(state.receivers(excluded)))
          .isEqualTo(model.stream().filter(known -> known != excluded).toList());
      assertThat(state.isEmpty()).isEqualTo(model.isEmpty());
    }
  }

  @Property(tries = 300)
  void ofOnePartitionEachRecordIsNewOnceHoweverOftenItIsReadAgain(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 50) int records) {
    var random = new Random(seed);
    var state = new SessionState(new DevicePolicy(1, Excess.KICK_OLDEST));
    List<Long> delivered = new ArrayList<>();
    long committed = 0;
    for (int start = 0; start < 5; start++) {
      // A consumer starts at its last commit and gets some way.
      long end = start == 4 ? records : Math.min(records, committed + random.nextInt(records));
      for (long offset = committed; offset < end; offset++) {
        if (state.advance(3, offset)) {
          delivered.add(offset);
        }
      }
      committed =
          end == committed ? committed : committed + random.nextInt((int) (end - committed));
    }
    assertThat(delivered).doesNotHaveDuplicates().isSorted().hasSize(records);
  }

  @Test
  void offsetsOfAnotherPartitionStartAnew() {
    var state = new SessionState(new DevicePolicy(1, Excess.KICK_OLDEST));

    assertThat(state.advance(0, 100)).isTrue();
    assertThat(state.advance(1, 5)).isTrue();
    assertThat(state.advance(1, 5)).isFalse();
  }
}
