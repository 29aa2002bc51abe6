package dev.hawser.gateway.kafka;

import dev.hawser.gateway.connection.Identity;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/** What a record of the events topic turns out to be. Decided by its headers. */
sealed interface EventRecord {

  /** For all connections of a user, but the excluded one. */
  record ToUser(PushEvent event) implements EventRecord {}

  /** Internal, not for clients. */
  record Inner() implements EventRecord {}

  /**
   * Cannot be delivered, now or later.
   *
   * @param reason names what was wrong and what was expected, without the payload
   */
  record Undeliverable(String reason) implements EventRecord {}

  /** Reads the headers; never throws. */
  static EventRecord of(
      ConsumerRecord<byte[], byte[]> record, boolean requireJson, OfflineDefaults offline) {
    try {
      String inner = header(record, EventHeaders.INNER);
      if (inner != null && !inner.equals("false")) {
        return new Inner();
      }
      String user = header(record, EventHeaders.USER);
      if (user == null) {
        return new Undeliverable(
            header(record, EventHeaders.CHANNEL) == null
                ? "no target, expected header " + EventHeaders.USER
                : "channels (" + EventHeaders.CHANNEL + ") are not available");
      }
      if (user.isEmpty() || user.length() > Identity.MAX_USER_LENGTH) {
        return new Undeliverable(
            "%s has %d characters, expected 1 to %d"
                .formatted(EventHeaders.USER, user.length(), Identity.MAX_USER_LENGTH));
      }
      if (!Identity.isUser(user)) {
        return new Undeliverable(EventHeaders.USER + " has control characters");
      }
      byte[] value = record.value();
      if (value == null || value.length == 0) {
        return new Undeliverable("no value, expected a payload");
      }
      if (requireJson && !JsonCodec.isJson(value)) {
        return new Undeliverable("the value is not JSON, and hawser.kafka.require-json is on");
      }
      String name = header(record, EventHeaders.EVENT);
      String kept = header(record, EventHeaders.OFFLINE);
      if (kept != null && !kept.equals("keep") && !kept.equals("drop")) {
        return new Undeliverable("%s is neither keep nor drop".formatted(EventHeaders.OFFLINE));
      }
      return new ToUser(
          new PushEvent(
              user,
              header(record, EventHeaders.ID),
              name,
              header(record, EventHeaders.PUSH_CLIENT_ID),
              kept == null ? offline.keeps(name) : kept.equals("keep"),
              tags(record),
              new Payload(value)));
    } catch (CharacterCodingException notText) {
      return new Undeliverable("a header is not UTF-8");
    }
  }

  private static Map<String, String> tags(ConsumerRecord<byte[], byte[]> record)
      throws CharacterCodingException {
    Map<String, String> tags = Map.of();
    for (Header header : record.headers()) {
      if (header.key().startsWith(EventHeaders.TAG_PREFIX) && header.value() != null) {
        tags = tags.isEmpty() ? new HashMap<>() : tags;
        tags.put(header.key().substring(EventHeaders.TAG_PREFIX.length()), text(header));
      }
    }
    return tags;
  }

  private static @Nullable String header(ConsumerRecord<byte[], byte[]> record, String name)
      throws CharacterCodingException {
    Header header = record.headers().lastHeader(name);
    return header == null || header.value() == null ? null : text(header);
  }

  private static String text(Header header) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(header.value())).toString();
  }
}
