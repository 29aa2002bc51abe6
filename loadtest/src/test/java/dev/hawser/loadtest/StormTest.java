package dev.hawser.loadtest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.loadtest.report.Sample;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is told of a storm, by seconds that were made up. */
class StormTest {

  private static final int USERS = 100;
  private static final int ADMITTED = 30;

  private static Sample second(int connected, double received, double replayed, double p99) {
    return second(connected, received, replayed, p99, 0, 0);
  }

  private static Sample second(
      int connected, double received, double replayed, double p99, double opened, double refused) {
    return new Sample(
        1, connected, opened, received, replayed, 0, refused, refused, 0, 1, p99, p99, p99,
        List.of());
  }

  private static final List<Sample> CALM =
      List.of(second(100, 30, 0, 90), second(100, 50, 0, 4), second(100, 40, 0, 5));

  private static Map<String, Double> figures(List<Sample> since) {
    var figures = new Figures();
    Storm.of(CALM, since, USERS, ADMITTED).put(figures);
    return figures.byName();
  }

  @Test
  void endsWithTheSecondInWhichTheLastOneIsBack() {
    List<Sample> since =
        List.of(
            second(100, 40, 0, 6),
            second(50, 20, 0, 12),
            second(50, 20, 0, 0, 10, 90),
            second(90, 80, 40, 8, 40, 20),
            second(100, 45, 5, 10, 10, 0),
            second(100, 50, 0, 500));
    assertThat(figures(since))
        .containsEntry("seconds of storm", 5.0)
        .containsEntry("p99 calm, ms", 5.0)
        .containsEntry("p99 in the storm, ms", 10.0)
        .containsEntry("p99 in the storm, worst second, ms", 12.0)
        .containsEntry("p99 in the storm / calm", 2.0)
        .containsEntry("delivered/s calm", 40.0)
        .containsEntry("delivered/s in the storm", 32.0)
        .containsEntry("replayed/s in the storm", 9.0)
        .containsEntry("connected in the storm, %", 78.0)
        .containsEntry("arrivals/s in the storm", 34.0)
        .containsEntry("arrivals/s in the storm, most", 100.0)
        .containsEntry("seconds of twice what is admitted", 2.0)
        .containsEntry("p99 at twice what is admitted, ms", 8.0)
        .containsEntry("p99 at twice what is admitted / calm", 1.6)
        .containsEntry("delivered/s at twice what is admitted", 30.0)
        .containsEntry("connected at twice what is admitted, %", 70.0);
  }

  @Test
  void lastsToTheEndWhenSomebodyIsNeverBack() {
    List<Sample> since = List.of(second(50, 20, 0, 12), second(99, 20, 0, 12));
    assertThat(figures(since)).containsEntry("seconds of storm", 2.0);
  }

  @Test
  void aStormWithoutASecondHasNoFiguresThatAreNotNumbers() {
    assertThat(figures(List.of()).values()).doesNotContain(Double.NaN);
  }
}
