package dev.hawser.gateway.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hawser.gateway.stream.StreamLog.Limits;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StreamLogTest {

  private static final Duration AGE = Duration.ofSeconds(1);

  /** Three events of ten bytes are as much as five events of six. */
  private final StreamLog log = new StreamLog(new Limits(5, 30, AGE));

  private static StreamEvent event(long offset, @Nullable String id, int bytes) {
    var pushed =
        new PushEvent("alice", id, null, null, true, Map.of(), new Payload(new byte[bytes]));
    return new StreamEvent(pushed, offset, 0);
  }

  private static StreamEvent event(long offset) {
    return event(offset, null, 1);
  }

  private void append(long now, long... offsets) {
    for (long offset : offsets) {
      assertThat(log.append(event(offset), now)).as("%d is new", offset).isTrue();
    }
  }

  private List<Long> since(long offset) {
    return log.since(offset).stream().map(StreamEvent::offset).toList();
  }

  private void assertCoversFrom(long border) {
    assertThat(log.covers(border)).as("covers %d", border).isTrue();
    assertThat(log.covers(border - 1)).as("covers %d", border - 1).isFalse();
    assertThat(log.border()).isEqualTo(border);
  }

  @Test
  void aNewLogIsEmptyAndCoversNothing() {
    assertThat(log.isEmpty()).isTrue();
    assertThat(log.isFed()).isFalse();
    assertThat(log.top()).isZero();
    assertThat(log.covers(0)).isFalse();
    assertThat(log.covers(Long.MAX_VALUE)).isFalse();
    assertThat(since(0)).isEmpty();
  }

  @Test
  void whatIsBehindAPositionComesInOrder() {
    append(0, 3, 7, 8);
    assertThat(since(0)).containsExactly(3L, 7L, 8L);
    assertThat(since(2)).containsExactly(3L, 7L, 8L);
    assertThat(since(3)).containsExactly(7L, 8L);
    assertThat(since(7)).containsExactly(8L);
    assertThat(since(8)).isEmpty();
    assertThat(log.top()).isEqualTo(8);
  }

  @Test
  void theOldestGoesWhenThereIsOneTooMany() {
    log.completeSince(0);
    append(0, 10, 20, 30, 40, 50);
    assertCoversFrom(0);
    append(0, 60);
    assertThat(since(0)).containsExactly(20L, 30L, 40L, 50L, 60L);
    assertCoversFrom(10);
  }

  @Test
  void asManyGoAsTheirBytesTake() {
    log.completeSince(0);
    assertThat(log.append(event(1, null, 10), 0)).isTrue();
    assertThat(log.append(event(2, null, 10), 0)).isTrue();
    assertThat(log.append(event(3, null, 10), 0)).isTrue();
    assertThat(since(0)).containsExactly(1L, 2L, 3L);
    assertThat(log.append(event(4, null, 11), 0)).isTrue();
    assertThat(since(0)).containsExactly(3L, 4L);
    assertCoversFrom(2);
  }

  @Test
  void anEventThatIsLargerThanAllMayBeIsNotKeptButIsTheLast() {
    log.completeSince(0);
    append(0, 1);
    assertThat(log.append(event(2, null, 31), 0)).isTrue();
    assertThat(log.isEmpty()).isTrue();
    assertThat(log.top()).isEqualTo(2);
    assertCoversFrom(2);

    // Its bytes do not count any more.
    assertThat(log.append(event(3, null, 30), 0)).isTrue();
    assertThat(since(2)).containsExactly(3L);
  }

  @Test
  void whatIsSecuredGoesByAge() {
    log.completeSince(0);
    log.secured(3);
    append(0, 1, 2);
    append(1, 3);
    log.expire(AGE.toMillis());
    assertThat(since(0)).containsExactly(1L, 2L, 3L);
    log.expire(AGE.toMillis() + 1);
    assertThat(since(0)).containsExactly(3L);
    assertCoversFrom(2);
  }

  @Test
  void appendingForgetsByAgeToo() {
    log.secured(Long.MAX_VALUE);
    append(0, 1);
    append(AGE.toMillis() + 1, 2);
    assertThat(since(0)).containsExactly(2L);
  }

  @Test
  void whatIsNotSecuredStaysHoweverOld() {
    log.completeSince(0);
    append(0, 1, 2, 3);
    log.secured(2);
    log.secured(1);
    log.expire(Long.MAX_VALUE);
    assertThat(since(0)).containsExactly(3L);
    assertCoversFrom(2);
  }

  @Test
  void whatIsNotSecuredGoesAllTheSameWhenThereAreTooMany() {
    append(0, 1, 2, 3, 4, 5, 6, 7);
    assertThat(since(0)).containsExactly(3L, 4L, 5L, 6L, 7L);
  }

  @Test
  void itIsEmptyAgainWhenAllAreExpiredAndStillKnowsWhatItHad() {
    log.completeSince(0);
    log.secured(Long.MAX_VALUE);
    append(0, 1, 2);
    log.expire(Long.MAX_VALUE);
    assertThat(log.isEmpty()).isTrue();
    assertThat(since(0)).isEmpty();
    assertThat(log.top()).isEqualTo(2);
    assertThat(log.forgotBehind(1)).isTrue();
    assertThat(log.forgotBehind(2)).isFalse();
    assertCoversFrom(2);
    assertThat(log.append(event(2), 0)).isFalse();
    append(0, 3);
    assertThat(since(0)).containsExactly(3L);
  }

  @Test
  void itCoversPositionsFromWhereItIsCompleteOn() {
    log.completeSince(100);
    assertThat(log.isFed()).isTrue();
    assertCoversFrom(100);
    append(0, 101);
    assertCoversFrom(100);
  }

  @Test
  void onlyTheFirstWordAboutWhereItIsCompleteCounts() {
    log.completeSince(100);
    log.completeSince(50);
    log.completeSince(150);
    assertCoversFrom(100);
  }

  @Test
  void itReachesFurtherBackWhenThereWasNothingBefore() {
    log.completeSince(100);
    log.nothingBackTo(70);
    assertCoversFrom(70);
    log.nothingBackTo(90);
    assertCoversFrom(70);
  }

  @Test
  void nothingBeforeIsWorthNothingWhileItIsNotKnownSinceWhereItIsComplete() {
    log.nothingBackTo(70);
    assertThat(log.isFed()).isFalse();
    assertThat(log.covers(70)).isFalse();
    log.completeSince(100);
    assertCoversFrom(100);
  }

  @Test
  void whatWasForgottenIsNotCoveredHoweverFarBackThereWasNothing() {
    log.completeSince(0);
    append(0, 1, 2, 3, 4, 5, 6);
    log.nothingBackTo(0);
    assertCoversFrom(1);
  }

  @ParameterizedTest
  @CsvSource({"5, false", "4, false", "1, false", "6, true"})
  void anOffsetThatIsNotBehindTheLastOneIsKnown(long offset, boolean isNew) {
    append(0, 1, 5);
    assertThat(log.append(event(offset), 0)).isEqualTo(isNew);
    assertThat(log.top()).isEqualTo(isNew ? offset : 5);
  }

  @Test
  void anIdIsTakenOnceWhileItIsRemembered() {
    assertThat(log.append(event(1, "a", 1), 0)).isTrue();
    assertThat(log.append(event(2, "a", 1), 0)).isFalse();
    assertThat(log.append(event(2, "b", 1), 0)).isTrue();
    assertThat(since(0)).containsExactly(1L, 2L);

    append(0, 3, 4, 5, 6);
    assertThat(log.append(event(7, "a", 1), 0)).isTrue();
  }

  @Test
  void eventsWithoutIdAreNeverTheSame() {
    assertThat(log.append(event(1, null, 1), 0)).isTrue();
    assertThat(log.append(event(2, null, 1), 0)).isTrue();
  }

  @Test
  void whatIsRestoredComesFirst() {
    log.completeSince(20);
    append(0, 21, 22);
    log.restore(List.of(event(5), event(9)), 3, 20, 0);
    assertThat(since(0)).containsExactly(5L, 9L, 21L, 22L);
    assertThat(log.top()).isEqualTo(22);
    assertCoversFrom(3);
  }

  @Test
  void whatWasForgottenMeanwhileIsRestoredAndWhatIsThereIsNot() {
    log.completeSince(2);
    append(0, 3, 4, 5, 6, 7, 8);
    log.restore(LongStream.rangeClosed(1, 5).mapToObj(StreamLogTest::event).toList(), 0, 5, 0);
    assertThat(since(0)).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L);
    assertCoversFrom(0);
  }

  @Test
  void whatWillBeFedAgainIsNotRestored() {
    log.completeSince(80);
    log.restore(List.of(event(70), event(80), event(90), event(100)), 60, 100, 0);
    assertThat(since(0)).containsExactly(70L, 80L);
    assertThat(log.top()).isEqualTo(80);
    assertCoversFrom(60);
    append(0, 90);
    log.restore(List.of(event(70), event(80), event(90), event(100)), 60, 100, 0);
    // One that was not worth keeping elsewhere, too.
    append(0, 95, 100);
    assertThat(since(0)).containsExactly(70L, 80L, 90L, 95L, 100L);
  }

  @Test
  void whereThereWasNothingBeforeWhatIsRestoredItIsCompleteFurtherBack() {
    log.completeSince(20);
    append(0, 21);
    log.nothingBackTo(5);
    log.restore(List.of(event(21)), 20, 30, 0);
    assertCoversFrom(5);
  }

  @Test
  void restoringTwiceIsRestoringOnce() {
    log.completeSince(20);
    log.restore(List.of(event(5), event(9)), 3, 20, 0);
    log.restore(List.of(event(5), event(9)), 3, 20, 0);
    assertThat(since(0)).containsExactly(5L, 9L);
  }

  @Test
  void anEmptyLogKnowsItsLastEventFromWhatIsRestored() {
    log.completeSince(20);
    log.restore(List.of(event(5), event(9)), 3, 20, 0);
    assertThat(log.isEmpty()).isFalse();
    assertThat(log.top()).isEqualTo(9);
    assertThat(log.append(event(9), 0)).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"19, 20", "20, 3", "21, 3"})
  void theBorderMovesBackIfNothingIsMissingInBetween(long upTo, long border) {
    log.completeSince(20);
    log.restore(List.of(event(5)), 3, upTo, 0);
    assertThat(since(0)).containsExactly(5L);
    assertCoversFrom(border);
  }

  @Test
  void nothingRestoredMovesTheBorderToo() {
    log.completeSince(20);
    log.restore(List.of(), 3, 20, 0);
    assertThat(log.isEmpty()).isTrue();
    assertCoversFrom(3);
  }

  @Test
  void aLogThatIsNotFedRestoresOnlyWhatItHad() {
    append(0, 5);
    log.restore(List.of(event(3), event(5), event(6)), 2, 20, 0);
    assertThat(log.isFed()).isFalse();
    assertThat(log.covers(5)).isFalse();
    assertThat(since(0)).containsExactly(3L, 5L);
  }

  @Test
  void whatWasRestoredIsSecuredAndGoesByAgeAndByCount() {
    log.completeSince(20);
    log.restore(List.of(event(5), event(9)), 3, 20, 0);
    append(0, 21, 22, 23, 24);
    assertThat(since(0)).containsExactly(9L, 21L, 22L, 23L, 24L);
    assertCoversFrom(5);
    log.expire(AGE.toMillis() + 1);
    assertThat(since(0)).containsExactly(21L, 22L, 23L, 24L);
    assertCoversFrom(9);
  }

  @ParameterizedTest
  @CsvSource({"0, 1, PT1S", "1, 0, PT1S", "1, 1, PT0S"})
  void limitsOfNothingAreRefused(int count, int bytes, Duration age) {
    assertThatThrownBy(() -> new Limits(count, bytes, age))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected more than 0");
  }
}
