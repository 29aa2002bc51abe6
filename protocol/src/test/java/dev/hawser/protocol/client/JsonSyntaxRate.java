package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.util.Locale;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/**
 * Measures the check of a payload against Jackson's parser, in turns. Not run by the build (its
 * name does not end with Test); {@code docs/performance.md} has the command and the figures.
 */
class JsonSyntaxRate {

  private static final int CALLS = 2_000_000;
  private static final int ROUNDS = 5;
  private static final JsonFactory JACKSON = new JsonFactory();

  private static boolean jackson(byte[] bytes) {
    try (JsonParser parser = JACKSON.createParser(bytes)) {
      parser.nextToken();
      parser.skipChildren();
      return parser.nextToken() == null;
    } catch (IOException notJson) {
      return false;
    }
  }

  @Test
  void measure() {
    byte[] payload =
        """
        {"id":"9f2c","from":"alice","room":"general","text":"Hello, how are you? \\u263a","at":1795438699,"n":[1,2,3]}
        """
            .getBytes(UTF_8);
    for (int round = 1; round <= ROUNDS; round++) {
      System.out.printf(
          Locale.ROOT,
          "round %d, %d bytes: JsonSyntax %.0f ns, Jackson %.0f ns%n",
          round,
          payload.length,
          nanoseconds(payload, JsonSyntax::isValid),
          nanoseconds(payload, JsonSyntaxRate::jackson));
    }
  }

  private static double nanoseconds(byte[] payload, Predicate<byte[]> check) {
    long start = System.nanoTime();
    int valid = 0;
    for (int call = 0; call < CALLS; call++) {
      if (check.test(payload)) {
        valid++;
      }
    }
    if (valid != CALLS) {
      throw new AssertionError("expected the payload to be JSON");
    }
    return (System.nanoTime() - start) / (double) CALLS;
  }
}
