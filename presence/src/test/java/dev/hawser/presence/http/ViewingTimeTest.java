package dev.hawser.presence.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.presence.http.ViewingTime.Stay;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import org.junit.jupiter.api.Test;

class ViewingTimeTest {

  private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");

  private static Stay stay(String start, String end) {
    return new Stay(Instant.parse(start), Instant.parse(end));
  }

  @Test
  void aStayOverMidnightCountsForBothDays() {
    assertThat(
            ViewingTime.byDay(
                List.of(stay("2026-11-22T22:30:00Z", "2026-11-22T23:45:00Z")),
                Instant.parse("2026-11-21T23:00:00Z"),
                Instant.parse("2026-11-24T23:00:00Z"),
                BERLIN))
        .containsExactly(
            java.util.Map.entry(LocalDate.parse("2026-11-22"), Duration.ofMinutes(30)),
            java.util.Map.entry(LocalDate.parse("2026-11-23"), Duration.ofMinutes(45)),
            java.util.Map.entry(LocalDate.parse("2026-11-24"), Duration.ZERO));
  }

  @Test
  void theDaysTheClocksChangeLast23And25Hours() {
    var spring =
        ViewingTime.byDay(
            List.of(stay("2026-03-01T00:00:00Z", "2026-04-30T00:00:00Z")),
            Instant.parse("2026-03-28T23:00:00Z"),
            Instant.parse("2026-03-29T22:00:00Z"),
            BERLIN);
    assertThat(spring)
        .containsExactly(java.util.Map.entry(LocalDate.parse("2026-03-29"), Duration.ofHours(23)));
    var autumn =
        ViewingTime.byDay(
            List.of(stay("2026-10-01T00:00:00Z", "2026-11-30T00:00:00Z")),
            Instant.parse("2026-10-24T22:00:00Z"),
            Instant.parse("2026-10-25T23:00:00Z"),
            BERLIN);
    assertThat(autumn)
        .containsExactly(java.util.Map.entry(LocalDate.parse("2026-10-25"), Duration.ofHours(25)));
  }

  @Test
  void onlyWhatLiesInTheRangeCounts() {
    assertThat(
            ViewingTime.byDay(
                List.of(
                    stay("2026-11-23T00:00:00Z", "2026-11-23T10:30:00Z"),
                    stay("2026-11-23T11:30:00Z", "2026-11-23T20:00:00Z")),
                Instant.parse("2026-11-23T10:00:00Z"),
                Instant.parse("2026-11-23T12:00:00Z"),
                ZoneId.of("UTC")))
        .containsExactly(java.util.Map.entry(LocalDate.parse("2026-11-23"), Duration.ofHours(1)));
  }
}
