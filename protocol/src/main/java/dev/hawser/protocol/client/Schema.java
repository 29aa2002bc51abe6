package dev.hawser.protocol.client;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One message of the protocol, described once for all encodings: its fields, and how a record is
 * written to them and read from them. {@link CommandSchemas} and {@link FrameSchemas} hold the
 * tables of sections 2 and 3 in this form; an encoding is a {@link Writer} and a {@link Reader}.
 *
 * @param <T> the record
 */
final class Schema<T> {

  private final Map<String, Field> byName = new HashMap<>();
  private final @Nullable Field[] byNumber;
  private final Body<T> body;
  private final Parser<T> parser;

  /**
   * @param fields {@code name=number} of each field, separated by spaces, an exclamation mark
   *     behind those that JSON writes even when they are zero or empty
   */
  Schema(String fields, Body<T> body, Parser<T> parser) {
    this.body = body;
    this.parser = parser;
    List<String> specifications = fields.isEmpty() ? List.of() : List.of(fields.split(" ", -1));
    int highest = 0;
    for (String specification : specifications) {
      String[] parts = specification.replace("!", "").split("=", -1);
      var field =
          new Field(
              parts[0], Integer.parseInt(parts[1]), byName.size(), specification.endsWith("!"));
      byName.put(field.name(), field);
      highest = Math.max(highest, field.number());
    }
    byNumber = new @Nullable Field[highest + 1];
    byName.values().forEach(field -> byNumber[field.number()] = field);
  }

  void write(T message, Writer out) throws IOException {
    body.write(message, out);
  }

  T read(Reader in) throws IOException {
    return parser.read(in);
  }

  /** The field of that name, null if this message has none. */
  @Nullable Field field(String name) {
    return byName.get(name);
  }

  /** The field of that number, null if this message has none. */
  @Nullable Field field(int number) {
    return number < byNumber.length ? byNumber[number] : null;
  }

  /** The field of that name, for code that names its own fields. */
  Field own(String name) {
    Field field = byName.get(name);
    if (field == null) {
      throw new AssertionError("no field " + name + " in " + byName.keySet());
    }
    return field;
  }

  /**
   * @param name in JSON
   * @param number in Protobuf
   * @param order place in the table of the protocol document, from 0
   * @param always whether JSON has it even when it is zero or empty
   */
  record Field(String name, int number, int order, boolean always) {}

  /** Writes the fields of one message. */
  interface Body<T> {
    void write(T message, Writer out) throws IOException;
  }

  /** Reads the fields of one message, up to its end. */
  interface Parser<T> {
    T read(Reader in) throws IOException;
  }

  /** Takes the fields of one message after the other; leaves out what is zero or empty. */
  interface Writer {
    void string(String field, String value) throws IOException;

    void bool(String field, boolean value) throws IOException;

    void int32(String field, int value) throws IOException;

    void uint32(String field, int value) throws IOException;

    void int64(String field, long value) throws IOException;

    void uint64(String field, long value) throws IOException;

    void payload(String field, Payload value) throws IOException;

    /** Writes the message even when all its fields are empty; null leaves it out. */
    <T> void message(String field, @Nullable T value, Schema<T> schema) throws IOException;

    <T> void list(String field, List<T> values, Schema<T> schema) throws IOException;

    <T> void map(String field, Map<String, T> values, Schema<T> schema) throws IOException;

    void strings(String field, Map<String, String> values) throws IOException;
  }

  /**
   * Hands out the fields that a message has. After {@link #next}, exactly one of the other methods
   * reads the field's value. Throws {@link MalformedFrameException} for a value of the wrong type,
   * and IOException where the encoding itself is broken.
   */
  interface Reader {
    /** Name of the next field that the schema knows; null at the end of the message. */
    @Nullable String next() throws IOException;

    String string() throws IOException;

    boolean bool() throws IOException;

    int int32() throws IOException;

    int uint32() throws IOException;

    long int64() throws IOException;

    long uint64() throws IOException;

    Payload payload() throws IOException;

    <T> T message(Schema<T> schema) throws IOException;

    /** Adds to the list; Protobuf may bring the field several times. */
    <T> void list(List<T> values, Schema<T> schema) throws IOException;

    /** Adds to the map; Protobuf brings the field once for each entry. */
    <T> void map(Map<String, T> values, Schema<T> schema) throws IOException;

    /** Adds to the map; Protobuf brings the field once for each entry. */
    void strings(Map<String, String> values) throws IOException;

    /** To be thrown: says what is wrong, where the reader stands now. Must not repeat content. */
    MalformedFrameException malformed(String what);
  }
}
