package dev.hawser.deploy.standalone.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.deploy.standalone.check.Findings.Fault;
import dev.hawser.deploy.standalone.check.Findings.Figure;
import dev.hawser.deploy.standalone.check.History.Event;
import dev.hawser.deploy.standalone.check.History.Got;
import dev.hawser.deploy.standalone.check.History.SentAway;
import dev.hawser.deploy.standalone.check.History.Told;
import dev.hawser.deploy.standalone.check.Judge.Outage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whatever a gateway may do wrong has to be found, and what it may do has not. */
class JudgeTest {

  private static final String USER = "alice";
  private static final Duration WINDOW = Duration.ofSeconds(10);
  private static final int LIMIT = 4;

  private final List<Event> events = new ArrayList<>();
  private final List<History> histories = new ArrayList<>();
  private final List<Outage> outages = new ArrayList<>();

  /** Event n is sent at second n and has the offset 10 n. */
  private JudgeTest sent(int... numbers) {
    for (int number : numbers) {
      events.add(new Event(10L * number, number, true, seconds(number)));
    }
    return this;
  }

  private JudgeTest sentNotKept(int number) {
    events.add(new Event(10L * number, number, false, seconds(number)));
    return this;
  }

  private static long seconds(double time) {
    return Math.round(time * 1e9);
  }

  private History client() {
    return client("");
  }

  private History client(String device) {
    var history = new History(USER, device, histories.size());
    histories.add(history);
    return history;
  }

  private static void connected(History client, double time) {
    client.add(new Told(seconds(time), false, false));
  }

  private static void recovered(History client, double time, boolean recovered) {
    client.add(new Told(seconds(time), true, recovered));
  }

  private static void got(History client, int... numbers) {
    for (int number : numbers) {
      client.add(new Got(seconds(number + 0.1), USER, 10L * number, number));
    }
  }

  private Findings judge() {
    return Judge.judge(Map.of(USER, events), histories, outages, WINDOW, LIMIT);
  }

  private void assertFound(Fault fault, int count) {
    Findings findings = judge();
    assertThat(findings.of(fault)).as(findings.details().toString()).isEqualTo(count);
    for (Fault other : Fault.values()) {
      if (other != fault) {
        assertThat(findings.of(other)).as(findings.details().toString()).isZero();
      }
    }
    assertThat(findings.isClean()).isEqualTo(count == 0);
  }

  private void assertClean() {
    assertFound(Fault.LOST, 0);
  }

  @Test
  void allInOrderIsClean() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1, 2);
    recovered(client, 2.5, true);
    got(client, 3);
    assertClean();
    assertThat(judge().of(Figure.RECEIVED)).isEqualTo(3);
  }

  @Test
  void aHoleIsALoss() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1, 3);
    assertFound(Fault.LOST, 1);
  }

  @Test
  void whatIsMissingAtTheEndIsLostUnlessTheClientHasLeft() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1, 2);
    assertFound(Fault.LOST, 1);
    client.leave();
    assertClean();
  }

  @Test
  void aLossAcrossARecoveryIsAFalsePromise() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 2.5, true);
    got(client, 3);
    assertFound(Fault.FALSELY_RECOVERED, 1);
  }

  @Test
  void aLossAfterARecoveryIsNoFalsePromise() {
    sent(1, 2, 3, 4);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 1.5, true);
    got(client, 2, 4);
    assertFound(Fault.LOST, 1);
  }

  @Test
  void theSameTwiceIsDoubled() {
    sent(1, 2);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 1.5, true);
    got(client, 1, 2);
    assertFound(Fault.DOUBLED, 1);
  }

  @Test
  void whoWasToldThatItMissedSomethingBeginsAnew() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1, 3);
    outages.add(new Outage(seconds(1), seconds(2)));
    recovered(client, 3.5, false);
    got(client, 2, 3);
    assertClean();
    assertThat(judge().of(Figure.REPEATED)).isEqualTo(1);
  }

  @Test
  void aLaterOneFirstIsOutOfOrder() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1, 3, 2);
    assertFound(Fault.OUT_OF_ORDER, 1);
  }

  @Test
  void notRecoveredNeedsAReason() {
    sent(1, 2, 3);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 2.5, false);
    got(client, 3);
    assertFound(Fault.FALSELY_NOT_RECOVERED, 1);
    outages.add(new Outage(seconds(1), seconds(2)));
    assertClean();
    assertThat(judge().of(Figure.TOLD_FOR_OUTAGE)).isEqualTo(1);
  }

  @Test
  void whatIsNotKeptIsAReasonOnceItIsOld() {
    sent(1).sentNotKept(2);
    sent(13);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 11, false);
    got(client, 13);
    assertFound(Fault.FALSELY_NOT_RECOVERED, 1);
    histories.clear();
    History later = client();
    connected(later, 0.5);
    got(later, 1);
    recovered(later, 12.5, false);
    got(later, 13);
    assertClean();
    assertThat(judge().of(Figure.TOLD_FOR_DROPPED)).isEqualTo(1);
  }

  @Test
  void limitsAreAReason() {
    sent(1, 2, 3, 4, 5, 6);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    recovered(client, 5.5, false);
    got(client, 6);
    assertClean();
    assertThat(judge().of(Figure.TOLD_FOR_LIMITS)).isEqualTo(1);
  }

  @Test
  void whatWasSentAfterItWasToldMustComeEvenIfItIsNotKept() {
    sent(1).sentNotKept(2);
    sent(3);
    History client = client();
    connected(client, 0.5);
    got(client, 1);
    outages.add(new Outage(seconds(1), seconds(2)));
    recovered(client, 1.5, false);
    got(client, 3);
    assertFound(Fault.LOST, 1);
  }

  @Test
  void whoComesLateGetsWhatWasKeptAndPerhapsTheRest() {
    sent(1).sentNotKept(2);
    sent(3);
    History client = client();
    connected(client, 2.5);
    got(client, 1, 3);
    assertClean();
    histories.clear();
    History careless = client();
    connected(careless, 2.5);
    got(careless, 3);
    assertFound(Fault.LOST, 1);
  }

  @Test
  void theNextClientOfADeviceGetsWhatTheOneBeforeHasNot() {
    sent(1, 2, 3);
    History first = client();
    connected(first, 0.5);
    got(first, 1);
    first.leave();
    History second = client();
    connected(second, 2.5);
    got(second, 1, 2, 3);
    assertClean();
    assertThat(judge().of(Figure.REPEATED)).isEqualTo(1);
    histories.removeLast();
    History careless = client();
    connected(careless, 2.5);
    got(careless, 3);
    assertFound(Fault.LOST, 1);
  }

  @Test
  void whatAnEarlierClientHadNeedNotComeAgainBetweenWhatDoes() {
    sent(1, 2, 3);
    History first = client();
    connected(first, 0.5);
    got(first, 1, 2);
    first.leave();
    History second = client();
    connected(second, 2.5);
    got(second, 1, 3);
    assertClean();
  }

  @Test
  void whatAnotherDeviceHadBeforeThisOneWasKnownNeedNotBeKept() {
    sent(1, 2, 3);
    History phone = client("phone");
    connected(phone, 0.5);
    got(phone, 1, 2, 3);
    History laptop = client("laptop");
    connected(laptop, 2.5);
    got(laptop, 3);
    assertClean();
  }

  @Test
  void moreThanTheLimitsIsNotKept() {
    sent(1, 2, 3, 4, 5, 6);
    History client = client();
    connected(client, 5.5);
    got(client, 2, 3, 4, 5, 6);
    assertClean();
    assertThat(judge().of(Figure.BEYOND_LIMITS)).isEqualTo(1);
  }

  @Test
  void anotherUsersEventIsWrong() {
    sent(1);
    History client = client();
    connected(client, 0.5);
    client.add(new Got(seconds(1), "bob", 10, 1));
    got(client, 1);
    assertFound(Fault.WRONG, 1);
  }

  @Test
  void ofWhatWasWrittenTwiceOneIsEnough() {
    sent(1, 2);
    History client = client();
    connected(client, 0.5);
    client.add(new Got(seconds(1.1), USER, 15, 1));
    got(client, 2);
    assertClean();
    client.add(new Got(seconds(2.2), USER, 25, 2));
    assertFound(Fault.DOUBLED, 1);
  }

  @Test
  void nobodyIsSentAwayForGood() {
    History client = client();
    connected(client, 0.5);
    client.add(new SentAway(seconds(1), 3_500));
    assertFound(Fault.SENT_AWAY, 1);
  }
}
