package dev.hawser.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog.Limits;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class MailboxStateTest {

  private static final Limits LIMITS = new Limits(4, 100, Duration.ofSeconds(1));

  private static StreamEvent event(long offset, int bytes) {
    var pushed =
        new PushEvent("alice", null, null, null, true, Map.of(), new Payload(new byte[bytes]));
    return new StreamEvent(pushed, offset, 0);
  }

  private static Mailbox.Kept kept(String epoch, long since, long upTo, long at, long... offsets) {
    var events = LongStream.of(offsets).mapToObj(offset -> event(offset, 10)).toList();
    return new Mailbox.Kept(epoch, events, since, upTo, Acknowledgements.NONE, at);
  }

  private static MailboxState keep(MailboxState state, long since, long upTo, long... offsets) {
    return state.kept(kept("epoch", since, upTo, 0, offsets), LIMITS);
  }

  private static List<Long> offsets(MailboxState state) {
    return state.events().stream().map(StreamEvent::offset).toList();
  }

  @Test
  void whatIsKeptIsThere() {
    var state = keep(MailboxState.EMPTY, 10, 20, 12, 15);
    assertThat(MailboxState.EMPTY.isEmpty()).isTrue();
    assertThat(state.isEmpty()).isFalse();
    assertThat(state.epoch()).isEqualTo("epoch");
    assertThat(offsets(state)).containsExactly(12L, 15L);
    assertThat(state.since()).isEqualTo(10);
    assertThat(state.upTo()).isEqualTo(20);
  }

  @Test
  void whatGoesOnIsCompleteSinceTheBeginning() {
    var state = keep(keep(MailboxState.EMPTY, 10, 20, 12), 20, 30, 25);
    assertThat(offsets(state)).containsExactly(12L, 25L);
    assertThat(state.since()).isEqualTo(10);
    assertThat(state.upTo()).isEqualTo(30);
  }

  @Test
  void whatOverlapsIsKeptOnce() {
    var state = keep(keep(MailboxState.EMPTY, 10, 20, 12, 20), 11, 30, 12, 20, 21);
    assertThat(offsets(state)).containsExactly(12L, 20L, 21L);
    assertThat(state.since()).isEqualTo(10);
  }

  @Test
  void afterAHoleItIsCompleteSinceTheHole() {
    var state = keep(keep(MailboxState.EMPTY, 10, 20, 12), 21, 30, 25);
    assertThat(offsets(state)).containsExactly(12L, 25L);
    assertThat(state.since()).isEqualTo(21);
    assertThat(state.upTo()).isEqualTo(30);
  }

  @Test
  void anotherEpochBeginsFromNothing() {
    var old = keep(MailboxState.EMPTY, 10, 20, 12).acknowledged("epoch", "phone", 11);
    var state = old.kept(kept("next", 3, 7, 0, 5), LIMITS);
    assertThat(state.epoch()).isEqualTo("next");
    assertThat(offsets(state)).containsExactly(5L);
    assertThat(state.since()).isEqualTo(3);
    assertThat(state.upTo()).isEqualTo(7);
    assertThat(state.acknowledged().knows("phone")).isFalse();
  }

  @Test
  void theOldestGoWhenThereAreTooMany() {
    var state = keep(MailboxState.EMPTY, 0, 9, 1, 2, 3, 4);
    assertThat(offsets(state)).containsExactly(1L, 2L, 3L, 4L);
    assertThat(state.since()).isZero();
    state = keep(state, 9, 20, 10, 11);
    assertThat(offsets(state)).containsExactly(3L, 4L, 10L, 11L);
    assertThat(state.since()).isEqualTo(2);
    assertThat(state.upTo()).isEqualTo(20);
  }

  @Test
  void theOldestGoWhenTheyAreTooLarge() {
    var events = List.of(event(1, 1), event(2, 60), event(3, 40));
    var state =
        MailboxState.EMPTY.kept(
            new Mailbox.Kept("epoch", events, 0, 9, Acknowledgements.NONE, 0), LIMITS);
    assertThat(offsets(state)).containsExactly(2L, 3L);
    assertThat(state.since()).isEqualTo(1);
  }

  @Test
  void oneThatIsTooLargeLeavesNothing() {
    var events = List.of(event(1, 1), event(2, 101));
    var state =
        MailboxState.EMPTY.kept(
            new Mailbox.Kept("epoch", events, 0, 9, Acknowledgements.NONE, 0), LIMITS);
    assertThat(state.isEmpty()).isTrue();
    assertThat(state.since()).isEqualTo(2);
    assertThat(state.upTo()).isEqualTo(9);
  }

  @Test
  void theOldestGoWhenTheyAreTooOld() {
    var state = keep(MailboxState.EMPTY, 0, 9, 1);
    assertThat(offsets(state.kept(kept("epoch", 9, 20, 1_000, 10), LIMITS)))
        .containsExactly(1L, 10L);
    var later = state.kept(kept("epoch", 9, 20, 1_001, 10), LIMITS);
    assertThat(offsets(later)).containsExactly(10L);
    assertThat(later.since()).isEqualTo(1);
  }

  @Test
  void whatIsTooOldIsNotThereEvenIfNothingCameSince() {
    var state = keep(MailboxState.EMPTY, 0, 9, 1, 2);
    assertThat(offsets(state.within(LIMITS, 1_000))).containsExactly(1L, 2L);
    var later = state.within(LIMITS, 1_001);
    assertThat(later.isEmpty()).isTrue();
    assertThat(later.since()).isEqualTo(2);
    assertThat(later.upTo()).isEqualTo(9);
  }

  @Test
  void aDeviceThatLeftItsMailForTooLongIsForgotten() {
    var state =
        MailboxState.EMPTY.acknowledged("epoch", "phone", 1).acknowledged("epoch", "tablet", 1);
    state = state.kept(kept("epoch", 1, 3, 10, 2), LIMITS).acknowledged("epoch", "phone", 2);
    assertThat(state.kept(kept("epoch", 3, 5, 1_010, 4), LIMITS).acknowledged().knows("tablet"))
        .isTrue();
    state = state.kept(kept("epoch", 3, 5, 1_011, 4), LIMITS);
    assertThat(state.acknowledged().knows("tablet")).isFalse();
    assertThat(state.acknowledged().of("phone")).isEqualTo(2);
    // It comes back, as a new one.
    state = state.acknowledged("epoch", "tablet", 0);
    assertThat(state.kept(kept("epoch", 5, 7, 2_011, 6), LIMITS).acknowledged().knows("tablet"))
        .isTrue();
  }

  @Test
  void aDeviceThatHadNoMailIsNotForgottenHoweverLongItWasQuiet() {
    var state =
        MailboxState.EMPTY.acknowledged("epoch", "phone", 1).acknowledged("epoch", "tablet", 1);
    state = state.kept(kept("epoch", 1, 3, 10, 2), LIMITS);
    state = state.acknowledged("epoch", "phone", 2).acknowledged("epoch", "tablet", 2);
    state = state.kept(kept("epoch", 3, 5, 10_000, 4), LIMITS);
    assertThat(state.acknowledged().knows("tablet")).isTrue();
    assertThat(state.acknowledged().knows("phone")).isTrue();
  }

  @Test
  void whatADeviceHasGoes() {
    var state = keep(MailboxState.EMPTY, 0, 9, 1, 2, 3).acknowledged("epoch", "phone", 2);
    assertThat(offsets(state)).containsExactly(3L);
    assertThat(state.since()).isEqualTo(2);
    assertThat(state.upTo()).isEqualTo(9);
    assertThat(state.acknowledged().of("phone")).isEqualTo(2);
    assertThat(offsets(state.acknowledged("epoch", "phone", 1))).containsExactly(3L);
    assertThat(state.acknowledged("epoch", "phone", 100).isEmpty()).isTrue();
  }

  @Test
  void whatOneOfTwoDevicesHasStays() {
    var state =
        keep(MailboxState.EMPTY, 0, 9, 1, 2, 3)
            .acknowledged("epoch", "tablet", 1)
            .acknowledged("epoch", "phone", 3);
    assertThat(offsets(state)).containsExactly(2L, 3L);
    assertThat(offsets(state.acknowledged("epoch", "tablet", 2))).containsExactly(3L);
  }

  @Test
  void acknowledgementsThatComeWithEventsAreRemembered() {
    var state =
        MailboxState.EMPTY.kept(
            new Mailbox.Kept(
                "epoch",
                List.of(event(3, 1)),
                0,
                9,
                Acknowledgements.NONE.and("phone", 7).and("tablet", 2),
                0),
            LIMITS);
    assertThat(state.acknowledged().of("phone")).isEqualTo(7);
    assertThat(offsets(state)).containsExactly(3L);
  }

  @Test
  void whoAcknowledgedBeforeThereWasMailIsKnownWhenSomeComes() {
    var state = MailboxState.EMPTY.acknowledged("epoch", "tablet", 5);
    state = keep(state, 5, 9, 7).acknowledged("epoch", "phone", 7);
    assertThat(offsets(state)).containsExactly(7L);
    assertThat(state.acknowledged("next", "phone", 1).acknowledged().knows("tablet")).isFalse();
  }
}
