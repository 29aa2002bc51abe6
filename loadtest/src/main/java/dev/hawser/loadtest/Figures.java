package dev.hawser.loadtest;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** What a run found, by name with unit, in the order it is shown. */
final class Figures {

  private static final double MICROSECONDS = 1_000;
  private static final Map<Double, String> PERCENTILES = new LinkedHashMap<>();

  static {
    for (double percentile : List.of(50.0, 90.0, 99.0)) {
      PERCENTILES.put(percentile, "p%.0f".formatted(percentile));
    }
    PERCENTILES.put(99.9, "p99.9");
  }

  private final Map<String, Double> byName = new LinkedHashMap<>();

  void put(String name, double value) {
    byName.put(name, value);
  }

  void put(String name, long value) {
    put(name, (double) value);
  }

  /** Percentiles of microseconds, as milliseconds; nothing if there are none. */
  void put(String of, Histogram times) {
    if (times.getTotalCount() == 0) {
      return;
    }
    PERCENTILES.forEach(
        (percentile, name) ->
            put("%s %s, ms".formatted(of, name), milliseconds(times, percentile)));
    put(of + " max, ms", times.getMaxValue() / MICROSECONDS);
  }

  /** 0 of an empty histogram. */
  static double milliseconds(Histogram times, double percentile) {
    return times.getTotalCount() == 0 ? 0 : times.getValueAtPercentile(percentile) / MICROSECONDS;
  }

  Map<String, Double> byName() {
    return byName;
  }
}
