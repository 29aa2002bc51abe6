package dev.hawser.deploy.standalone.doctor;

import java.util.List;

/** The numbers that the kernel shows in a file, or why there are none. */
public sealed interface Reading {

  /** What the kernel writes as {@code unlimited} or {@code max}. */
  long UNLIMITED = Long.MAX_VALUE;

  /** At least one number. */
  record Numbers(List<Long> values) implements Reading {

    /** Checks that there is one. */
    public Numbers {
      values = List.copyOf(values);
      if (values.isEmpty()) {
        throw new IllegalArgumentException("values is empty, expected at least one number");
      }
    }
  }

  /** There is no such file or no such line: the kernel does not have the setting here. */
  record Absent() implements Reading {}

  /** There is a file, and it cannot be read or understood. */
  record Unreadable(String reason) implements Reading {}

  /** Numbers, for short. */
  static Reading of(Long... values) {
    return new Numbers(List.of(values));
  }
}
