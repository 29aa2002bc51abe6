package dev.hawser.loadtest.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What workers and coordinator say to each other. */
class CountsTest {

  private static Counts some() {
    var counts = new Counts();
    counts.add(Count.RECEIVED);
    counts.add(Count.RECEIVED);
    counts.add(Count.LOST);
    counts.add(Timing.MESSAGE, 3_000_000);
    counts.add(Timing.MESSAGE, 700_000_000_000L);
    counts.error("closed-3001");
    return counts;
  }

  @Test
  void survivesTheLine() {
    Counts parsed = Counts.parse(some().toLine());
    assertThat(parsed.of(Count.RECEIVED)).isEqualTo(2);
    assertThat(parsed.of(Count.LOST)).isEqualTo(1);
    assertThat(parsed.of(Count.SENT)).isZero();
    assertThat(parsed.of(Timing.CONNECT).getTotalCount()).isZero();
    assertThat(parsed.of(Timing.MESSAGE).getMinValue()).isBetween(2_950L, 3_050L);
    assertThat(parsed.errors()).containsExactly(Map.entry("closed-3001", 1L));
  }

  @Test
  void countsTimesBeyondTheLongestAsTheLongest() {
    assertThat(some().of(Timing.MESSAGE).getTotalCount()).isEqualTo(2);
    assertThat(some().of(Timing.MESSAGE).getMaxValue()).isBetween(119_000_000L, 121_000_000L);
  }

  @Test
  void addsUp() {
    var sum = new Counts();
    sum.add(some());
    sum.add(Counts.parse(some().toLine()));
    assertThat(sum.of(Count.RECEIVED)).isEqualTo(4);
    assertThat(sum.of(Timing.MESSAGE).getTotalCount()).isEqualTo(4);
    assertThat(sum.errors()).containsEntry("closed-3001", 2L);
  }

  @Test
  void aPlanSurvivesTheLine() {
    var plan =
        new WorkerPlan(
            List.of(URI.create("ws://127.0.0.1:8000/a"), URI.create("ws://127.0.0.1:8001/a")),
            "a secret with spaces, and = signs",
            "load-",
            100,
            50,
            1_000,
            List.of("127.10.0.1", "127.10.0.2"),
            1_000.5,
            0,
            3,
            100,
            WorkerPlan.Talk.CHAT,
            WorkerPlan.Speech.CENTRIFUGO);
    assertThat(WorkerPlan.parse(plan.toLine())).isEqualTo(plan);
  }

  @Test
  void whatIsLateKeepsItsIntendedTime() {
    long start = 1_000;
    var pace = new Pace(1_000, start);
    assertThat(pace.isDue(start - 1)).isFalse();
    long late = start + 2_500_000;
    assertThat(pace.take()).isEqualTo(start);
    assertThat(pace.isDue(late)).isTrue();
    assertThat(pace.take()).isEqualTo(start + 1_000_000);
    assertThat(pace.take()).isEqualTo(start + 2_000_000);
    assertThat(pace.isDue(late)).isFalse();
  }
}
