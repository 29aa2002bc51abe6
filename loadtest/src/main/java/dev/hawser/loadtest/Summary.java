package dev.hawser.loadtest;

import dev.hawser.loadtest.client.Counts;
import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.report.Sample;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** Turns what happened in the measured phase into figures, in the order in which they are shown. */
final class Summary {

  /** How clients count that a node was too busy for them. */
  static final String REFUSED = "http-503";

  private static final double MILLION = 1e6;

  private final Scenario scenario;
  private final Counts found;
  private final double seconds;
  private final Figures figures;

  /**
   * @param found in the phase, and behind it while the rest arrived
   * @param seconds of the phase
   */
  Summary(Scenario scenario, Counts found, double seconds, Figures figures) {
    this.scenario = scenario;
    this.found = found;
    this.seconds = seconds;
    this.figures = figures;
  }

  void churned() {
    figures.put("replaced/s", found.of(Count.CLOSED) / seconds);
    figures.put("connect while churning", found.of(Timing.CONNECT));
  }

  void cameBack(int connected) {
    figures.put("lost connections", found.of(Count.LOST));
    figures.put("refused (%s)".formatted(REFUSED), found.errors().getOrDefault(REFUSED, 0L));
    figures.put("back", found.of(Timing.AWAY).getTotalCount());
    figures.put("connected at the end", connected);
    figures.put("away", found.of(Timing.AWAY));
  }

  void delivered(Events events) {
    figures.put("records written/s", events.written() / seconds);
    figures.put("deliveries expected", events.expected());
    figures.put("delivered", found.of(Count.RECEIVED));
    figures.put("missing", events.expected() - found.of(Count.RECEIVED));
    figures.put("delivered/s", found.of(Count.RECEIVED) / seconds);
    figures.put("delivered twice", found.of(Count.DUPLICATES));
    figures.put("records Kafka refused", events.failed());
  }

  void said(BusinessService service) {
    figures.put("sent by clients", found.of(Count.SENT));
    figures.put("sent by clients/s", found.of(Count.SENT) / seconds);
    if (scenario == Scenario.UPSTREAM) {
      figures.put("acknowledged", found.of(Count.ACKNOWLEDGED));
    }
    figures.put("read from Kafka", service.read());
    figures.put("client to Kafka's consumer", service.times());
  }

  /**
   * How late messages were.
   *
   * @param samples of the phase
   */
  void times(List<Sample> samples) {
    Histogram messages = found.of(Timing.MESSAGE);
    if (messages.getTotalCount() > 0) {
      String name = scenario == Scenario.UPSTREAM ? "publish to reply" : "delivery";
      figures.put(name, messages);
      figures.put(name + " p99 of the median second, ms", medianSecond(samples));
    }
    figures.put("delivery, replayed", found.of(Timing.REPLAYED));
  }

  /** Seconds of CPU by node, before the phase and after it. */
  void processors(Map<String, Double> before, Map<String, Double> after) {
    double all = 0;
    int lived = 0;
    for (var node : after.entrySet()) {
      double used = node.getValue() - before.getOrDefault(node.getKey(), 0.0);
      // Another process has taken the place of one that ended.
      if (used >= 0) {
        figures.put(node.getKey() + " CPU, % of a core", 100 * used / seconds);
        all += used;
        lived++;
      }
    }
    if (lived > 1 && lived == after.size()) {
      figures.put("all nodes CPU, % of a core", 100 * all / seconds);
    }
    long handled = found.of(Count.RECEIVED) + found.of(Count.ACKNOWLEDGED);
    if (handled > 0 && all > 0) {
      figures.put("CPU s of nodes per million messages", all / handled * MILLION);
    }
  }

  /**
   * The p99 of the median one of the seconds in which messages arrived: says more than the whole on
   * a machine that is shared. 0 if there is none.
   */
  static double medianSecond(List<Sample> samples) {
    double[] seconds =
        samples.stream().mapToDouble(Sample::p99).filter(p99 -> p99 > 0).sorted().toArray();
    return seconds.length == 0 ? 0 : seconds[seconds.length / 2];
  }
}
