package dev.hawser.deploy.standalone.check;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What the judge has found. Not thread-safe. */
final class Findings {

  /** What must not be. */
  enum Fault {
    LOST("lost"),
    FALSELY_RECOVERED("lost, and told recovered: true"),
    DOUBLED("doubled"),
    OUT_OF_ORDER("out of order"),
    FALSELY_NOT_RECOVERED("told recovered: false without a reason"),
    WRONG("another user's, or changed"),
    SENT_AWAY("clients sent away for good");

    final String text;

    Fault(String text) {
      this.text = text;
    }
  }

  /** What may be, and is worth knowing. */
  enum Figure {
    RECEIVED("received"),
    REPEATED("received again, by a new client of a device or after recovered: false"),
    CLIENTS("clients"),
    CONNECTED("connected"),
    RECOVERED("told recovered: true"),
    TOLD_FOR_DROPPED("told recovered: false because events were not kept"),
    TOLD_FOR_LIMITS("told recovered: false because of limits"),
    TOLD_FOR_OUTAGE("told recovered: false while PostgreSQL or Kafka was away"),
    BEYOND_LIMITS("not kept because of limits");

    final String text;

    Figure(String text) {
      this.text = text;
    }
  }

  private static final int MAX_DETAILS = 100;

  private final Map<Fault, Integer> faults = new EnumMap<>(Fault.class);
  private final Map<Figure, Integer> figures = new EnumMap<>(Figure.class);
  private final Map<Integer, Integer> cuts = new TreeMap<>();
  private final List<String> details = new ArrayList<>();

  Findings() {
    for (Fault fault : Fault.values()) {
      faults.put(fault, 0);
    }
    for (Figure figure : Figure.values()) {
      figures.put(figure, 0);
    }
  }

  void add(Fault fault, String detail) {
    faults.merge(fault, 1, Integer::sum);
    if (details.size() < MAX_DETAILS) {
      details.add(fault.text + ": " + detail);
    }
  }

  void count(Figure figure) {
    figures.merge(figure, 1, Integer::sum);
  }

  void cut(int code) {
    cuts.merge(code, 1, Integer::sum);
  }

  boolean isClean() {
    return faults.values().stream().allMatch(count -> count == 0);
  }

  int of(Fault fault) {
    return faults.getOrDefault(fault, 0);
  }

  int of(Figure figure) {
    return figures.getOrDefault(figure, 0);
  }

  /** How often connections ended, by the code that clients saw. */
  Map<Integer, Integer> cuts() {
    return cuts;
  }

  /** The first of the faults, for people. */
  List<String> details() {
    return details;
  }
}
