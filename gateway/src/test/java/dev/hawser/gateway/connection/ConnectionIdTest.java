package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConnectionIdTest {

  @Test
  void idsAreUniqueAndRiseForEveryThread() throws Exception {
    var ids = new ConnectionId(() -> 3, Clock.systemUTC());
    Set<Long> all = ConcurrentHashMap.newKeySet();
    var fell = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    long last = 0;
                    for (int made = 0; made < 50_000; made++) {
                      long id = ids.next();
                      all.add(id);
                      if (id <= last) {
                        fell.incrementAndGet();
                      }
                      last = id;
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }

    assertThat(all).hasSize(200_000);
    assertThat(fell).hasValue(0);
  }

  @Test
  void idsRiseWhileTheClockStandsStillOrStepsBack() {
    var clock = new SteppingClock(Instant.parse("2026-06-01T00:00:10Z"));
    var ids = new ConnectionId(() -> 1_023, clock);
    long last = ids.next();
    for (int made = 0; made < 10_000; made++) {
      if (made == 5_000) {
        clock.now = Instant.parse("2026-06-01T00:00:00Z");
      }
      long id = ids.next();
      assertThat(id).isGreaterThan(last);
      last = id;
    }
    clock.now = Instant.parse("2026-06-01T00:01:00Z");
    assertThat(ids.next()).isGreaterThan(last);
  }

  @Test
  void idsArePositiveEvenWhenTheClockIsBeforeTheEpoch() {
    var ids = new ConnectionId(() -> 0, new SteppingClock(Instant.parse("1990-01-01T00:00:00Z")));

    assertThat(ids.next()).isPositive();
  }

  @Test
  void nodesMakeDifferentIdsAndSoDoesANodeWhoseNumberChanges() {
    var clock = new SteppingClock(Instant.parse("2026-06-01T00:00:00Z"));
    var number = new AtomicInteger(5);
    var changing = new ConnectionId(number::get, clock);
    var other = new ConnectionId(() -> 6, clock);
    Set<Long> all = new HashSet<>();
    for (int made = 0; made < 5_000; made++) {
      assertThat(all.add(changing.next())).isTrue();
      assertThat(all.add(other.next())).isTrue();
    }
    number.set(7);
    for (int made = 0; made < 5_000; made++) {
      assertThat(all.add(changing.next())).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 1_024, 65_535})
  void aNumberThatWouldSpillIntoTheTimeIsRefused(int number) {
    var ids = new ConnectionId(() -> number, Clock.systemUTC());

    assertThatThrownBy(ids::next).hasMessageContaining(number + ", expected 0 to 1023");
  }

  @Property
  void textBecomesTheSameIdAgain(@ForAll long id) {
    assertThat(ConnectionId.toText(id)).hasSize(16);
    assertThat(ConnectionId.fromText(ConnectionId.toText(id))).isEqualTo(id);
  }

  @Property
  void otherTextIsNoConnectionAndThrowsNothing(@ForAll String text) {
    if (!text.matches("[0-9a-fA-F]{16}")) {
      assertThat(ConnectionId.fromText(text)).isZero();
    }
  }

  private static final class SteppingClock extends Clock {
    private Instant now;

    SteppingClock(Instant now) {
      this.now = now;
    }

    @Override
    public Instant instant() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }
}
