package dev.hawser.presence.http;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Time online by calendar day. A day lasts from midnight to midnight in its zone: 23 to 25 hours.
 */
final class ViewingTime {

  /** From {@code start}, inclusive, to {@code end}, exclusive. */
  record Stay(Instant start, Instant end) {}

  private ViewingTime() {}

  /**
   * What of the stays lies between two instants, by day; every day of the range is there.
   *
   * @param stays do not overlap
   */
  static Map<LocalDate, Duration> byDay(List<Stay> stays, Instant from, Instant to, ZoneId zone) {
    var days = new TreeMap<LocalDate, Duration>();
    if (!from.isBefore(to)) {
      return days;
    }
    LocalDate last = to.minusNanos(1).atZone(zone).toLocalDate();
    for (LocalDate day = from.atZone(zone).toLocalDate();
        !day.isAfter(last);
        day = day.plusDays(1)) {
      days.put(day, Duration.ZERO);
    }
    for (Stay stay : stays) {
      Instant start = later(stay.start(), from);
      Instant end = earlier(stay.end(), to);
      while (start.isBefore(end)) {
        LocalDate day = start.atZone(zone).toLocalDate();
        Instant midnight = day.plusDays(1).atStartOfDay(zone).toInstant();
        Instant until = earlier(end, midnight);
        days.merge(day, Duration.between(start, until), Duration::plus);
        start = until;
      }
    }
    return days;
  }

  private static Instant earlier(Instant a, Instant b) {
    return a.isBefore(b) ? a : b;
  }

  private static Instant later(Instant a, Instant b) {
    return a.isAfter(b) ? a : b;
  }
}
