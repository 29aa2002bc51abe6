package dev.hawser.loadtest;

import dev.hawser.loadtest.report.Sample;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What the end of a node does to those who are connected, second by second: how late and how many
 * their pushes are, before it and until everybody is back. What is replayed to those who come back
 * is told apart, for it is as late as they are.
 *
 * @param calm the seconds before
 * @param storm from the node's end until everybody is back, or to the last second
 * @param users all of them
 * @param admitted clients a second that the nodes that are left let in; 0 for any number
 */
record Storm(List<Sample> calm, List<Sample> storm, int users, int admitted) {

  /** How many times what is let in must arrive in a second for it to be one at the limit. */
  private static final int OVERLOAD = 2;

  /**
   * Cuts off what comes behind the storm. Clients are told to leave, or noticed to be gone, a
   * moment after its begin: so it ends after the last second in which somebody is away.
   *
   * @param since the seconds from the node's end on
   */
  static Storm of(List<Sample> before, List<Sample> since, int users, int admitted) {
    int length = since.size();
    while (length > 0 && since.get(length - 1).connected() >= users) {
      length--;
    }
    // The second in which the last one comes back is part of it.
    return new Storm(before, since.subList(0, Math.min(length + 1, since.size())), users, admitted);
  }

  void put(Figures figures) {
    double before = Summary.medianSecond(calm);
    double during = Summary.medianSecond(storm);
    figures.put("p99 calm, ms", before);
    figures.put("p99 in the storm, ms", during);
    figures.put("p99 in the storm, worst second, ms", most(storm, Sample::p99));
    if (before > 0) {
      figures.put("p99 in the storm / calm", during / before);
    }
    figures.put("delivered/s calm", mean(calm, Storm::live));
    figures.put("delivered/s in the storm", mean(storm, Storm::live));
    figures.put("replayed/s in the storm", mean(storm, Sample::replayed));
    figures.put("connected in the storm, %", percentConnected(storm));
    figures.put("seconds of storm", storm.size());
    figures.put("arrivals/s in the storm", mean(storm, Storm::arrivals));
    figures.put("arrivals/s in the storm, most", most(storm, Storm::arrivals));
    if (admitted > 0) {
      putOverload(before, figures);
    }
  }

  /**
   * Backoff spreads those who are refused more than once over a long and quiet time, which the
   * median second of the storm is from. What the limit is for shows in the crowded ones.
   */
  private void putOverload(double before, Figures figures) {
    List<Sample> crowded =
        storm.stream().filter(second -> arrivals(second) >= OVERLOAD * admitted).toList();
    figures.put("seconds of twice what is admitted", crowded.size());
    if (!crowded.isEmpty()) {
      double during = Summary.medianSecond(crowded);
      figures.put("p99 at twice what is admitted, ms", during);
      if (before > 0) {
        figures.put("p99 at twice what is admitted / calm", during / before);
      }
      figures.put("delivered/s at twice what is admitted", mean(crowded, Storm::live));
      figures.put("connected at twice what is admitted, %", percentConnected(crowded));
    }
  }

  private double percentConnected(List<Sample> seconds) {
    return 100 * mean(seconds, Sample::connected) / users;
  }

  private static double live(Sample second) {
    return second.received() - second.replayed();
  }

  /** Clients whose handshake was answered. */
  private static double arrivals(Sample second) {
    return second.opened() + second.refused();
  }

  private static double mean(List<Sample> seconds, ToDoubleFunction<Sample> value) {
    return seconds.stream().mapToDouble(value).average().orElse(0);
  }

  private static double most(List<Sample> seconds, ToDoubleFunction<Sample> value) {
    return seconds.stream().mapToDouble(value).max().orElse(0);
  }
}
