package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonCodecTest {

  private static final JsonCodec CODEC = JsonCodec.INSTANCE;

  @Test
  void lineBreaksInAPayloadBecomeSpaces() {
    var push = push("{\r\n  \"text\": \"two\\nlines\"\n}");

    assertThat(encode(push))
        .isEqualTo(
            "{\"push\":{\"channel\":\"c\",\"message\":{\"data\":{    \"text\":"
                + " \"two\\nlines\" }}}}");
  }

  @Test
  void encodingLeavesThePayloadItselfAlone() {
    byte[] bytes = "[\n1]".getBytes(UTF_8);
    CODEC.encode(new ServerFrame.Push("c", new PushBody.Message(new Payload(bytes))));

    assertThat(bytes).asString(UTF_8).isEqualTo("[\n1]");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"x", "{", "1 2", "{}{}", "'a'", "01", "NaN", " ", "\"\n\"", "\uFEFF1", "[1,]"})
  void aPayloadThatIsNotOneJsonValueIsInappropriate(String payload) {
    assertThat(JsonCodec.isJson(payload.getBytes(UTF_8))).isFalse();
    assertThatExceptionOfType(InappropriatePayloadException.class)
        .isThrownBy(() -> CODEC.encode(push(payload)))
        .withMessage("data of %d bytes is not JSON".formatted(payload.getBytes(UTF_8).length));
  }

  @Test
  void aPayloadThatIsNotUtf8IsInappropriate() {
    byte[] latin = "\"ü\"".getBytes(ISO_8859_1);
    byte[] utf16 = {'{', 0, '}', 0};
    assertThat(JsonCodec.isJson(latin)).isFalse();
    assertThat(JsonCodec.isJson(utf16)).isFalse();
  }

  /** Encoders that keep to ASCII write keys like this, Python's among them. */
  @Test
  void aPayloadMayEscapeAnyCharacterInItsKeys() {
    assertThat(JsonCodec.isJson("{\"\\ud83d\\udea2\":1}".getBytes(UTF_8))).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "1|1",
        " -1.5e+3 |-1.5e+3",
        "null|null",
        "true|true",
        "\"a\\\"}\\u0000\"|\"a\\\"}\\u0000\"",
        "\t[ {\"ü\" : [ ] } ] |[ {\"ü\" : [ ] } ]",
        "{\"a\":1,\"a\":2}|{\"a\":1,\"a\":2}"
      })
  void aPayloadIsCutOutOfItsFrameAsItStands(String value, String payload) {
    for (String form : new String[] {"{\"data\":%s}", "{\"data\" : %s , \"ignored\":{}}"}) {
      String frame = "\n{\"send\":{\"ü\":\"\"}}\n{\"send\":" + form.formatted(value) + "}\r\n";

      assertThat(CODEC.decodeCommands(frame.getBytes(UTF_8)))
          .containsExactly(
              new ClientCommand.Send(0, Payload.EMPTY),
              new ClientCommand.Send(0, new Payload(payload.getBytes(UTF_8))));
    }
  }

  @Test
  void ofSeveralPayloadsTheFirstOfTheProtocolWinsWhereverItStands() {
    var frame = "{\"send\":{},\"rpc\":{\"method\":\"m\"},\"id\":1,\"refresh\":{}}";
    assertThat(CODEC.decodeCommands(frame.getBytes(UTF_8)))
        .containsExactly(new ClientCommand.Rpc(1, "m", Payload.EMPTY));
  }

  @Test
  void aCommandWithoutAnIdIsAPongUnlessItIsASend() {
    assertThat(CODEC.decodeCommands("{\"future\":[{}]}".getBytes(UTF_8)))
        .containsExactly(new ClientCommand.Pong());
    assertThat(CODEC.decodeCommands("{\"send\":{}}".getBytes(UTF_8)))
        .containsExactly(new ClientCommand.Send(0, Payload.EMPTY));
  }

  @Test
  void aFieldThatIsNullCountsAsAbsent() {
    var frame = "{\"id\":1,\"connect\":{\"token\":null,\"subs\":null,\"data\":null},\"rpc\":null}";
    assertThat(CODEC.decodeCommands(frame.getBytes(UTF_8)))
        .containsExactly(
            new ClientCommand.Connect(
                1, "", new Payload("null".getBytes(UTF_8)), Map.of(), "", "", Map.of()));
  }

  @Test
  void namesAndTagsMayBeOfAnyScript() {
    var publication =
        new Publication(Payload.EMPTY, null, -1, Map.of("größe", "大\u0001\"🚢"), 0, "");
    String encoded = encode(new ServerFrame.Push("новости", publication));

    assertThat(encoded)
        .isEqualTo(
            "{\"push\":{\"channel\":\"новости\",\"pub\":{\"offset\":18446744073709551615,"
                + "\"tags\":{\"größe\":\"大\\u0001\\\"🚢\"}}}}");
  }

  @Test
  void halfASurrogatePairDoesNotBreakAFrame() {
    assertThat(encode(new ServerFrame.Push("a\ud800b", new PushBody.Message(Payload.EMPTY))))
        .isEqualTo("{\"push\":{\"channel\":\"a?b\",\"message\":{}}}");
  }

  @Test
  void secretsDoNotShow() {
    assertThat(
            new ClientCommand.Connect(
                        1, "secret", Payload.EMPTY, Map.of(), "", "", Map.of("cookie", "secret"))
                    .toString()
                + new ClientCommand.Refresh(1, "secret")
                + new ClientCommand.SubRefresh(1, "c", "secret"))
        .doesNotContain("secret");
  }

  private static ServerFrame push(String payload) {
    return new ServerFrame.Push("c", new PushBody.Message(new Payload(payload.getBytes(UTF_8))));
  }

  private static String encode(ServerFrame frame) {
    return new String(CODEC.encode(frame), UTF_8);
  }
}
