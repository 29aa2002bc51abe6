package dev.hawser.protocol.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The few fields that Hawser itself reads of what applications send. */
public enum KnownField {
  /** In the data of a connect: which of the user's devices it is. */
  DEVICE("device"),

  /** In the data of a connect: what the client looks at. */
  VIEWING("viewing"),

  /** In the data of the rpc {@code viewing}: the same. */
  RESOURCE("resource"),

  /** In the data of a connect and of the rpc {@code idle}: whether nobody is there. */
  IDLE("idle"),

  /** In the data of the rpc {@code ack}: everything up to this offset has arrived. */
  OFFSET("offset");

  private static final JsonFactory PARSERS = new JsonFactory();

  private final String key;

  KnownField(String key) {
    this.key = key;
  }

  /**
   * The value, if it is a string, an integer, true or false.
   *
   * @param object what should be a JSON object; anything else has no fields
   */
  public @Nullable String in(Payload object) {
    if (object.isEmpty()) {
      return null;
    }
    try (JsonParser parser = PARSERS.createParser(object.bytes())) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        return null;
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        boolean found = parser.currentName().equals(key);
        JsonToken value = parser.nextToken();
        if (found) {
          return switch (value) {
            case VALUE_STRING, VALUE_NUMBER_INT, VALUE_TRUE, VALUE_FALSE -> parser.getText();
            default -> null;
          };
        }
        parser.skipChildren();
      }
      return null;
    } catch (IOException notJson) {
      return null;
    }
  }
}
