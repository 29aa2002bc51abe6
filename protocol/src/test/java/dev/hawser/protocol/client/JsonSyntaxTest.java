package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jackson, and Java's own UTF-8 decoder, are the judges. */
class JsonSyntaxTest {

  private static final JsonFactory JACKSON = new JsonFactory();

  private static boolean judge(byte[] bytes) {
    try {
      var text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      try (JsonParser parser = JACKSON.createParser(text)) {
        int depth = 0;
        int values = 0;
        for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
          if (depth == 0) {
            values++;
          }
          if (token.isStructStart()) {
            depth++;
          } else if (token.isStructEnd()) {
            depth--;
          } else if (token == JsonToken.VALUE_STRING) {
            // Jackson checks strings and numbers when they are asked for.
            var unused = parser.getText();
          }
        }
        return values == 1;
      }
    } catch (CharacterCodingException notUtf8) {
      return false;
    } catch (IOException notJson) {
      return false;
    }
  }

  @Provide
  Arbitrary<String> nearlyJson() {
    return Arbitraries.of(
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\n",
            "\\u00e4",
            "\\u12",
            "a",
            "ä",
            "\uD83D\uDE00",
            "true",
            "false",
            "null",
            "nul",
            "0",
            "1",
            "-",
            "10",
            "01",
            ".",
            ".5",
            "e",
            "E+",
            "1e3",
            " ",
            "\n",
            "\t",
            "\"key\":",
            "\"text\"",
            "{}",
            "[]",
            "[1,2]",
            "{\"a\":1}",
            "\u0001",
            "\u00a0")
        .list()
        .ofMaxSize(9)
        .map(pieces -> String.join("", pieces));
  }

  @Property(tries = 40_000)
  void agreesOnWhatIsNearlyJson(@ForAll("nearlyJson") String text) {
    byte[] bytes = text.getBytes(UTF_8);
    assertThat(JsonSyntax.isValid(bytes)).as(text).isEqualTo(judge(bytes));
  }

  @Property(tries = 20_000)
  void agreesOnBytesInAString(@ForAll byte[] content) {
    byte[] bytes = new byte[content.length + 2];
    System.arraycopy(content, 0, bytes, 1, content.length);
    bytes[0] = '"';
    bytes[bytes.length - 1] = '"';
    assertThat(JsonSyntax.isValid(bytes)).isEqualTo(judge(bytes));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "1 2",
        "tru",
        "-",
        "1.",
        "1e",
        "+1",
        "'a'",
        "\"",
        "\"\\",
        "\"\\u12\"",
        "[",
        "{\"a\"",
        "\ufeff{}",
        "NaN",
        "// {}"
      })
  void isNotJson(String text) {
    assertThat(JsonSyntax.isValid(text.getBytes(UTF_8))).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "-0",
        "1.5e+10",
        "true",
        "null",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
        " [ ] ",
        "{ }",
        "{\"a\":[{\"b\":null}, -1.0E-2 ,\"ä😀\"]}\n"
      })
  void isJson(String text) {
    assertThat(JsonSyntax.isValid(text.getBytes(UTF_8))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 1_000, 1_001, 1_000_000})
  void nestsAsDeepAsJacksonAllows(int depth) {
    String text = "[".repeat(depth) + "]".repeat(depth);
    assertThat(JsonSyntax.isValid(text.getBytes(UTF_8))).isEqualTo(depth <= 1_000);
  }
}
