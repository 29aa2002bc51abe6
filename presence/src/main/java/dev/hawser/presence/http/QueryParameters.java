package dev.hawser.presence.http;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.pekko.http.javadsl.model.Query;

/**
 * The query of a request, strictly: an unknown or repeated parameter is an error, not a surprise.
 */
final class QueryParameters {

  private static final Instant EARLIEST = Instant.EPOCH;
  private static final Instant LATEST = Instant.parse("9999-12-31T00:00:00Z");

  private final Map<String, String> values;

  /**
   * Checks the names.
   *
   * @param known all parameters of the operation
   * @throws BadRequestException naming a parameter that is not known or is there twice
   */
  QueryParameters(Query query, List<String> known) {
    values = query.toMap();
    for (var parameter : query.toList()) {
      String name = parameter.first();
      if (!known.contains(name)) {
        throw new BadRequestException(
            name,
            "unknown parameter, expected " + (known.isEmpty() ? "none" : String.join(", ", known)));
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

  static BadRequestException bad(String name, String value, String expected) {
    return new BadRequestException(name, "is %s, expected %s".formatted(value, expected));
  }
}
