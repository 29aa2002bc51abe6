package dev.hawser.presence.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.pekko.http.javadsl.model.Query;

/**
 * The query of a request, strictly: an unknown or repeated parameter is an error, not a surprise.
 */
final class QueryParameters {

  private static final Instant EARLIEST = Instant.EPOCH;
  private static final Instant LATEST = Instant.parse("9999-12-31T00:00:00Z");

  /** Every question has it; {@link Answers} reads it. */
  private static final String FORMAT = "format";

  private final Map<String, String> values;

  /**
   * Checks the names.
   *
   * @param known all parameters of the operation but {@code format}
   * @throws BadRequestException naming a parameter that is not known or is there twice
   */
  QueryParameters(Query query, List<String> known) {
    values = query.toMap();
    for (var parameter : query.toList()) {
      String name = parameter.first();
      if (!known.contains(name) && !name.equals(FORMAT)) {
        throw new BadRequestException(
            name,
            "unknown parameter, expected "
                + Stream.concat(known.stream(), Stream.of(FORMAT))
                    .collect(Collectors.joining(", ")));
      }
      if (query.getAll(name).size() > 1) {
        throw new BadRequestException(name, "given more than once");
      }
    }
  }

  Optional<String> text(String name) {
    Optional<String> value = Optional.ofNullable(values.get(name));
    value.ifPresent(text -> requireText(name, text));
    return value;
  }

  /** Text that PostgreSQL can hold. */
  static String requireText(String name, String text) {
    if (text.isEmpty() || text.indexOf(0) >= 0) {
      throw new BadRequestException(
          name, text.isEmpty() ? "empty" : "has the character U+0000, which no user id has");
    }
    return text;
  }

  Optional<Boolean> flag(String name) {
    return text(name)
        .map(
            value ->
                switch (value) {
                  case "true" -> true;
                  case "false" -> false;
                  default -> throw bad(name, value, "true or false");
                });
  }

  OptionalLong integer(String name, long least, long most) {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      long number = Long.parseLong(value.get());
      if (number >= least && number <= most) {
        return OptionalLong.of(number);
      }
    } catch (NumberFormatException notANumber) {
      // Said below.
    }
    throw bad(name, value.get(), "an integer from %d to %d".formatted(least, most));
  }

  ZoneId zone(String name) {
    String value = text(name).orElse("UTC");
    if (!ZoneId.getAvailableZoneIds().contains(value)) {
      throw bad(name, value, "an IANA time zone such as Europe/Berlin");
    }
    return ZoneId.of(value);
  }

  /** An instant; a date is its first moment in the zone. */
  Optional<Instant> instant(String name, ZoneId zone) {
    return text(name).map(value -> instant(name, value, zone));
  }

  private static Instant instant(String name, String value, ZoneId zone) {
    try {
      Instant instant =
          value.contains("T")
              ? Instant.parse(value)
              : LocalDate.parse(value).atStartOfDay(zone).toInstant();
      if (!instant.isBefore(EARLIEST) && instant.isBefore(LATEST)) {
        return instant;
      }
      throw bad(name, value, "a time from 1970 to 9999");
    } catch (DateTimeException unreadable) {
      throw bad(
          name, value, "an instant such as 2026-11-23T12:00:00Z or a date such as 2026-11-23");
    }
  }

  Optional<LocalDate> date(String name) {
    return text(name)
        .map(
            value -> {
              try {
                LocalDate date = LocalDate.parse(value);
                if (date.getYear() >= 1970 && date.getYear() <= 9999) {
                  return date;
                }
              } catch (DateTimeException unreadable) {
                // Said below.
              }
              throw bad(name, value, "a date such as 2026-11-23, from 1970 to 9999");
            });
  }

  /** What follows makes no sense unless {@code from} is before {@code to}. */
  static <T extends Comparable<? super T>> void requireOrder(T from, T to) {
    if (from.compareTo(to) >= 0) {
      throw bad("from", from.toString(), "earlier than to, " + to);
    }
  }

  /**
   * A range whose answer takes a bounded time.
   *
   * @param where for which the bound holds, to be read after it
   */
  static void requireRange(Instant from, Instant to, Duration longest, String where) {
    requireOrder(from, to);
    if (Duration.between(from, to).compareTo(longest) > 0) {
      throw new BadRequestException(
          "from",
          "is %s before to, expected at most %d days%s"
              .formatted(length(Duration.between(from, to)), longest.toDays(), where));
    }
  }

  private static String length(Duration range) {
    return range.toDays()
        + " days"
        + (range.toHoursPart() > 0 ? " " + range.toHoursPart() + " hours" : "");
  }

  /** The place behind which the page begins. */
  Optional<String> cursor() {
    return text("cursor")
        .map(
            cursor -> {
              try {
                return requireText(
                    "cursor", new String(Base64.getUrlDecoder().decode(cursor), UTF_8));
              } catch (IllegalArgumentException notOurs) {
                throw badCursor(cursor);
              }
            });
  }

  /** What {@link #cursor()} reads. */
  static String cursor(String place) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(place.getBytes(UTF_8));
  }

  static BadRequestException badCursor(String cursor) {
    return bad("cursor", cursor, "the value of next in an earlier answer");
  }

  static BadRequestException bad(String name, String value, String expected) {
    return new BadRequestException(name, "is %s, expected %s".formatted(value, expected));
  }
}
