package dev.hawser.protocol.client;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes messages as JSON. Everything is written twice by the same code, first only counted, then
 * into an array of just that size: a push is made once and then held by many connections.
 */
final class JsonWriter implements Schema.Writer {

  private byte @Nullable [] out;
  private int length;
  private boolean first;
  private Schema<?> schema;

  JsonWriter(Schema<?> schema) {
    this.schema = schema;
  }

  /** What was written until now was only counted; from here on it is written. */
  byte[] allocate() {
    byte[] result = new byte[length];
    out = result;
    length = 0;
    return result;
  }

  /** One message of the frame; a newline goes between two of them. */
  <T> void line(T message, Schema<T> schema) throws IOException {
    if (length > 0) {
      put('\n');
    }
    object(message, schema);
  }

  @Override
  public void string(String field, String value) {
    if (begin(field, value.isEmpty())) {
      quoted(value);
    }
  }

  @Override
  public void bool(String field, boolean value) {
    if (begin(field, !value)) {
      ascii(String.valueOf(value));
    }
  }

  @Override
  public void int32(String field, int value) {
    int64(field, value);
  }

  @Override
  public void uint32(String field, int value) {
    int64(field, Integer.toUnsignedLong(value));
  }

  @Override
  public void int64(String field, long value) {
    if (begin(field, value == 0)) {
      ascii(Long.toString(value));
    }
  }

  @Override
  public void uint64(String field, long value) {
    if (begin(field, value == 0)) {
      ascii(Long.toUnsignedString(value));
    }
  }

  /** Raw, but line breaks become spaces: outside strings they mean the same, inside none can be. */
  @Override
  public void payload(String field, Payload value) {
    if (!begin(field, value.isEmpty())) {
      return;
    }
    byte[] bytes = value.bytes();
    int start = length;
    length += bytes.length;
    if (out == null) {
      if (!JsonCodec.isJson(bytes)) {
        throw new InappropriatePayloadException(
            "%s of %d bytes is not JSON".formatted(field, bytes.length));
      }
      return;
    }
    System.arraycopy(bytes, 0, out, start, bytes.length);
    for (int i = start; i < length; i++) {
      if (out[i] == '\n' || out[i] == '\r') {
        out[i] = ' ';
      }
    }
  }

  @Override
  public <T> void message(String field, @Nullable T value, Schema<T> schema) throws IOException {
    if (value != null) {
      name(field);
      object(value, schema);
    }
  }

  @Override
  public <T> void list(String field, List<T> values, Schema<T> schema) throws IOException {
    if (begin(field, values.isEmpty())) {
      put('[');
      first = true;
      for (T value : values) {
        separate();
        object(value, schema);
      }
      put(']');
      first = false;
    }
  }

  @Override
  public <T> void map(String field, Map<String, T> values, Schema<T> schema) throws IOException {
    if (begin(field, values.isEmpty())) {
      put('{');
      first = true;
      for (Map.Entry<String, T> entry : values.entrySet()) {
        name(entry.getKey());
        object(entry.getValue(), schema);
      }
      put('}');
      first = false;
    }
  }

  @Override
  public void strings(String field, Map<String, String> values) {
    if (begin(field, values.isEmpty())) {
      put('{');
      first = true;
      for (Map.Entry<String, String> entry : values.entrySet()) {
        name(entry.getKey());
        quoted(entry.getValue());
      }
      put('}');
      first = false;
    }
  }

  private <T> void object(T message, Schema<T> schema) throws IOException {
    Schema<?> outer = this.schema;
    this.schema = schema;
    put('{');
    first = true;
    schema.write(message, this);
    put('}');
    first = false;
    this.schema = outer;
  }

  /** Writes the field's name, unless the value is to be left out. */
  private boolean begin(String field, boolean zero) {
    if (zero && !schema.own(field).always()) {
      return false;
    }
    name(field);
    return true;
  }

  private void name(String name) {
    separate();
    quoted(name);
    put(':');
  }

  private void separate() {
    if (!first) {
      put(',');
    }
    first = false;
  }

  private void quoted(String text) {
    put('"');
    for (int i = 0; i < text.length(); i++) {
      char unit = text.charAt(i);
      if (unit == '"' || unit == '\\') {
        put('\\');
        put(unit);
      } else if (unit < ' ') {
        ascii("\\u00");
        put(Character.forDigit(unit >> 4, 16));
        put(Character.forDigit(unit & 0xF, 16));
      } else if (unit < 0x80) {
        put(unit);
      } else if (Character.isSurrogate(unit)) {
        i += surrogate(text.codePointAt(i));
      } else {
        utf8(unit);
      }
    }
    put('"');
  }

  /** Writes a character beyond the basic plane, and a question mark for half of one. */
  private int surrogate(int codePoint) {
    if (!Character.isSupplementaryCodePoint(codePoint)) {
      put('?');
      return 0;
    }
    put(0xF0 | (codePoint >> 18));
    put(0x80 | ((codePoint >> 12) & 0x3F));
    put(0x80 | ((codePoint >> 6) & 0x3F));
    put(0x80 | (codePoint & 0x3F));
    return 1;
  }

  private void utf8(char unit) {
    if (unit < 0x800) {
      put(0xC0 | (unit >> 6));
    } else {
      put(0xE0 | (unit >> 12));
      put(0x80 | ((unit >> 6) & 0x3F));
    }
    put(0x80 | (unit & 0x3F));
  }

  private void ascii(String text) {
    for (int i = 0; i < text.length(); i++) {
      put(text.charAt(i));
    }
  }

  private void put(int octet) {
    if (out != null) {
      out[length] = (byte) octet;
    }
    length++;
  }
}
