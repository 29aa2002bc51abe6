package dev.hawser.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.EventHeaders;
import dev.hawser.protocol.event.PushEvent;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class EventRecordTest {

  private static final OfflineDefaults KEEP = new OfflineDefaults(true, Set.of("typing"));

  private static final String JSON = "{\"n\":1}";

  private static ConsumerRecord<byte[], byte[]> record(
      byte @Nullable [] value, Map<String, byte[]> headers) {
    var all = new RecordHeaders();
    headers.forEach(all::add);
    return new ConsumerRecord<>(
        "events", 0, 1, 0, TimestampType.CREATE_TIME, 0, 0, null, value, all, Optional.empty());
  }

  private static EventRecord read(@Nullable String value, String... headers) {
    var all = new RecordHeaders();
    for (int i = 0; i < headers.length; i += 2) {
      all.add(headers[i], headers[i + 1].getBytes(UTF_8));
    }
    return EventRecord.of(
        new ConsumerRecord<>(
            "events",
            0,
            1,
            0,
            TimestampType.CREATE_TIME,
            0,
            0,
            null,
            value == null ? null : value.getBytes(UTF_8),
            all,
            Optional.empty()),
        true,
        KEEP);
  }

  private static String reason(EventRecord record) {
    assertThat(record).isInstanceOf(EventRecord.Undeliverable.class);
    return ((EventRecord.Undeliverable) record).reason();
  }

  @Test
  void anEventIsWhatItsHeadersSayAndItsValueUntouched() {
    var event =
        read(
            " {\"n\" : 1} ",
            EventHeaders.USER,
            "alice",
            EventHeaders.ID,
            "m1",
            EventHeaders.EVENT,
            "message.created",
            EventHeaders.PUSH_CLIENT_ID,
            "00000000000000ff",
            EventHeaders.TAG_PREFIX + "lang",
            "en");

    assertThat(event)
        .isEqualTo(
            new EventRecord.ToUser(
                new PushEvent(
                    "alice",
                    "m1",
                    "message.created",
                    "00000000000000ff",
                    true,
                    Map.of("lang", "en"),
                    new Payload(" {\"n\" : 1} ".getBytes(UTF_8)))));
  }

  @Test
  void ofAHeaderGivenTwiceTheLastCounts() {
    assertThat(read(JSON, EventHeaders.USER, "alice", EventHeaders.USER, "bob"))
        .isEqualTo(
            new EventRecord.ToUser(
                new PushEvent(
                    "bob", null, null, null, true, Map.of(), new Payload(JSON.getBytes(UTF_8)))));
  }

  @Test
  void anInternalEventIsNotForClientsWhateverElseItSays() {
    assertThat(read(JSON, EventHeaders.INNER, "true")).isEqualTo(new EventRecord.Inner());
    assertThat(read(null, EventHeaders.INNER, "")).isEqualTo(new EventRecord.Inner());
    assertThat(read(JSON, EventHeaders.INNER, "1", EventHeaders.USER, "alice"))
        .isEqualTo(new EventRecord.Inner());
    assertThat(read(JSON, EventHeaders.INNER, "false", EventHeaders.USER, "alice"))
        .isInstanceOf(EventRecord.ToUser.class);
  }

  @Test
  void everyReasonAgainstDeliverySaysWhatWasExpected() {
    assertThat(reason(read(JSON))).isEqualTo("no target, expected header X-Uid");
    assertThat(reason(read(JSON, EventHeaders.CHANNEL, "news")))
        .isEqualTo("channels (X-Guid) are not available");
    assertThat(reason(read(JSON, EventHeaders.USER, "")))
        .isEqualTo("X-Uid has 0 characters, expected 1 to 255");
    assertThat(reason(read(JSON, EventHeaders.USER, "u".repeat(256))))
        .isEqualTo("X-Uid has 256 characters, expected 1 to 255");
    assertThat(reason(read(JSON, EventHeaders.USER, "\0al")))
        .isEqualTo("X-Uid has control characters");
    assertThat(reason(read(null, EventHeaders.USER, "alice")))
        .isEqualTo("no value, expected a payload");
    assertThat(reason(read("", EventHeaders.USER, "alice")))
        .isEqualTo("no value, expected a payload");
    assertThat(reason(read("{\"secret\":", EventHeaders.USER, "alice")))
        .isEqualTo("the value is not JSON, and hawser.kafka.require-json is on");
    var notText = record(JSON.getBytes(UTF_8), Map.of(EventHeaders.USER, new byte[] {(byte) 0xFF}));
    assertThat(reason(EventRecord.of(notText, true, KEEP))).isEqualTo("a header is not UTF-8");
  }

  @Test
  void aValueThatIsNotJsonIsDeliveredWhenThatIsAllowed() {
    var binary = record(new byte[] {0, 1, 2}, Map.of(EventHeaders.USER, "alice".getBytes(UTF_8)));

    assertThat(EventRecord.of(binary, true, KEEP)).isInstanceOf(EventRecord.Undeliverable.class);
    assertThat(EventRecord.of(binary, false, KEEP)).isInstanceOf(EventRecord.ToUser.class);
  }

  @Test
  void jsonNestedBeyondReasonIsUndeliverable() {
    assertThat(reason(read("[".repeat(100_000), EventHeaders.USER, "alice"))).contains("not JSON");
    assertThat(reason(read("[".repeat(5_000) + "]".repeat(5_000), EventHeaders.USER, "alice")))
        .contains("not JSON");
  }

  @Provide
  Arbitrary<Map<String, byte[]>> headers() {
    var names =
        Arbitraries.of(
            List.of(
                EventHeaders.USER,
                EventHeaders.ID,
                EventHeaders.EVENT,
                EventHeaders.CHANNEL,
                EventHeaders.INNER,
                EventHeaders.PUSH_CLIENT_ID));
    return Arbitraries.maps(names, Arbitraries.bytes().array(byte[].class).ofMaxSize(300))
        .ofMaxSize(6);
  }

  @Property
  void randomBytesNeverThrow(
      @ForAll("headers") Map<String, byte[]> headers, @ForAll byte[] value, @ForAll boolean json) {
    assertThat(EventRecord.of(record(value, headers), json, KEEP)).isNotNull();
  }
}
