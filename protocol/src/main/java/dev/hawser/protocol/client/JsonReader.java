package dev.hawser.protocol.client;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads messages from JSON. A payload is cut out of the frame by the byte offsets of its first and
 * last token. A field that is null counts as absent, except a payload: null is a value of it.
 */
final class JsonReader implements Schema.Reader {

  private static final Set<String> PAYLOADS = Set.of("data", "conn_info", "chan_info");
  private static final long MAX_UINT32 = 0xFFFF_FFFFL;

  private final byte[] frame;
  private final JsonParser parser;
  private int messages;
  private Schema<?> schema;

  /** One bit for each field of the message that was there already. */
  private long seen;

  private @Nullable String field;

  private JsonReader(byte[] frame, JsonParser parser, Schema<?> schema) {
    this.frame = frame;
    this.parser = parser;
    this.schema = schema;
  }

  /** Reads all messages of the frame; the parser stands before the first. */
  static <T> List<T> readAll(byte[] frame, JsonParser parser, Schema<T> schema) {
    var reader = new JsonReader(frame, parser, schema);
    var messages = new ArrayList<T>();
    try {
      while (parser.nextToken() != null) {
        reader.messages++;
        messages.add(reader.message(schema));
      }
    } catch (IOException broken) {
      // Not as the cause: Jackson's messages quote the frame.
      throw reader.malformed("not valid JSON, or beyond the limits of its nesting and lengths");
    }
    if (messages.isEmpty()) {
      throw new MalformedFrameException("empty frame");
    }
    return messages;
  }

  @Override
  public @Nullable String next() throws IOException {
    for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      JsonToken value = parser.nextToken();
      Schema.Field known = schema.field(name);
      if (known == null) {
        parser.skipChildren();
        continue;
      }
      field = known.name();
      long bit = 1L << known.order();
      if ((seen & bit) != 0) {
        throw malformed("comes twice");
      }
      seen |= bit;
      if (value != JsonToken.VALUE_NULL || PAYLOADS.contains(name)) {
        return field;
      }
    }
    field = null;
    return null;
  }

  @Override
  public String string() throws IOException {
    expect(JsonToken.VALUE_STRING, "a string");
    return wellFormed(parser.getText());
  }

  @Override
  public boolean bool() throws IOException {
    if (parser.currentToken() == JsonToken.VALUE_TRUE) {
      return true;
    }
    expect(JsonToken.VALUE_FALSE, "true or false");
    return false;
  }

  @Override
  public int int32() throws IOException {
    return (int) integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
  }

  @Override
  public int uint32() throws IOException {
    return (int) integer(0, MAX_UINT32);
  }

  @Override
  public long int64() throws IOException {
    return integer(Long.MIN_VALUE, Long.MAX_VALUE);
  }

  @Override
  public long uint64() throws IOException {
    expect(JsonToken.VALUE_NUMBER_INT, "an integer");
    if (parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
      return integer(0, Long.MAX_VALUE);
    }
    try {
      return Long.parseUnsignedLong(parser.getText());
    } catch (NumberFormatException tooLong) {
      throw malformed("out of range");
    }
  }

  private long integer(long least, long most) throws IOException {
    expect(JsonToken.VALUE_NUMBER_INT, "an integer");
    if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      throw malformed("out of range");
    }
    long value = parser.getLongValue();
    if (value < least || value > most) {
      throw malformed("out of range");
    }
    return value;
  }

  @Override
  public Payload payload() throws IOException {
    int start = (int) parser.currentTokenLocation().getByteOffset();
    if (parser.currentToken().isScalarValue()) {
      parser.finishToken();
    } else {
      parser.skipChildren();
    }
    int end = (int) parser.currentLocation().getByteOffset();
    return new Payload(Arrays.copyOfRange(frame, start, end));
  }

  @Override
  public <T> T message(Schema<T> schema) throws IOException {
    expect(JsonToken.START_OBJECT, "an object");
    Schema<?> outerSchema = this.schema;
    long outerSeen = seen;
    this.schema = schema;
    seen = 0;
    T message = schema.read(this);
    this.schema = outerSchema;
    seen = outerSeen;
    return message;
  }

  @Override
  public <T> void list(List<T> values, Schema<T> schema) throws IOException {
    expect(JsonToken.START_ARRAY, "an array");
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      values.add(message(schema));
    }
  }

  @Override
  public <T> void map(Map<String, T> values, Schema<T> schema) throws IOException {
    expect(JsonToken.START_OBJECT, "an object");
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      parser.nextToken();
      put(values, key, message(schema));
    }
  }

  @Override
  public void strings(Map<String, String> values) throws IOException {
    expect(JsonToken.START_OBJECT, "an object");
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      parser.nextToken();
      put(values, key, string());
    }
  }

  private <T> void put(Map<String, T> values, String key, T value) {
    if (values.putIfAbsent(wellFormed(key), value) != null) {
      throw malformed("has the same key twice");
    }
  }

  /** Refuses halves of surrogate pairs, which JSON can escape but no UTF-8 can say. */
  private String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (!Character.isSupplementaryCodePoint(text.codePointAt(i))) {
          throw malformed("holds half a surrogate pair");
        }
        i++;
      }
    }
    return text;
  }

  private void expect(JsonToken token, String what) {
    if (parser.currentToken() != token) {
      throw malformed("must be " + what);
    }
  }

  @Override
  public MalformedFrameException malformed(String what) {
    return new MalformedFrameException(
        "message %d, %snear byte %d: %s"
            .formatted(
                messages,
                field == null ? "" : "field " + field + ", ",
                parser.currentLocation().getByteOffset(),
                what));
  }
}
