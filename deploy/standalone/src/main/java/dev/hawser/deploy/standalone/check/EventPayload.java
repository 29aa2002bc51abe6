package dev.hawser.deploy.standalone.check;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is in an event of a check.
 *
 * @param number of the event, in the whole check
 * @param user whom it is for
 * @param sentAt when its producer was about to write it, in nanoseconds since the begin
 */
record EventPayload(long number, String user, long sentAt) {

  private static final Pattern FORM =
      Pattern.compile("\\{\"n\":(\\d+),\"user\":\"([^\"]+)\",\"at\":(\\d+)}");

  /** One that no check has written has the number -1. */
  static EventPayload of(byte[] json) {
    Matcher matcher = FORM.matcher(new String(json, UTF_8));
    return matcher.matches()
        ? new EventPayload(
            Long.parseLong(matcher.group(1)), matcher.group(2), Long.parseLong(matcher.group(3)))
        : new EventPayload(-1, "", 0);
  }

  byte[] json() {
    return "{\"n\":%d,\"user\":\"%s\",\"at\":%d}".formatted(number, user, sentAt).getBytes(UTF_8);
  }
}
