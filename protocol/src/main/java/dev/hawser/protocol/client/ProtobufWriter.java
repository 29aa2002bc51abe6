package dev.hawser.protocol.client;

import com.google.protobuf.CodedOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes messages as Protobuf, each behind its length. Everything is written twice by the same
 * code: Protobuf puts the length of a nested message before it, so the first time only the lengths
 * are found, the second time an array of just the right size is filled.
 */
final class ProtobufWriter implements Schema.Writer {

  private static final int DELIMITED = 2;

  private @Nullable CodedOutputStream out;
  private Schema<?> schema;

  /** Bytes counted until now, in the first run. */
  private int counted;

  /** Lengths of the nested messages, in the order in which they begin. */
  private int[] lengths = new int[8];

  private int nested;

  ProtobufWriter(Schema<?> schema) {
    this.schema = schema;
  }

  /** What was written until now was only counted; from here on it is written. */
  byte[] allocate() {
    byte[] result = new byte[counted];
    out = CodedOutputStream.newInstance(result);
    nested = 0;
    return result;
  }

  /** One message of the frame, with its length before it. */
  <T> void delimited(T message, Schema<T> schema) throws IOException {
    int place = begin();
    body(message, schema);
    end(place);
  }

  @Override
  public void string(String field, String value) throws IOException {
    if (!value.isEmpty()) {
      string(number(field), value);
    }
  }

  @Override
  public void bool(String field, boolean value) throws IOException {
    if (!value) {
      return;
    }
    if (out == null) {
      counted += CodedOutputStream.computeBoolSize(number(field), true);
    } else {
      out.writeBool(number(field), true);
    }
  }

  @Override
  public void int32(String field, int value) throws IOException {
    int64(field, value);
  }

  @Override
  public void uint32(String field, int value) throws IOException {
    uint64(field, Integer.toUnsignedLong(value));
  }

  @Override
  public void int64(String field, long value) throws IOException {
    uint64(field, value);
  }

  @Override
  public void uint64(String field, long value) throws IOException {
    if (value == 0) {
      return;
    }
    if (out == null) {
      counted += CodedOutputStream.computeUInt64Size(number(field), value);
    } else {
      out.writeUInt64(number(field), value);
    }
  }

  @Override
  public void payload(String field, Payload value) throws IOException {
    if (value.isEmpty()) {
      return;
    }
    if (out == null) {
      counted += CodedOutputStream.computeByteArraySize(number(field), value.bytes());
    } else {
      out.writeByteArray(number(field), value.bytes());
    }
  }

  @Override
  public <T> void message(String field, @Nullable T value, Schema<T> schema) throws IOException {
    if (value != null) {
      message(number(field), value, schema);
    }
  }

  @Override
  public <T> void list(String field, List<T> values, Schema<T> schema) throws IOException {
    for (T value : values) {
      message(number(field), value, schema);
    }
  }

  @Override
  public <T> void map(String field, Map<String, T> values, Schema<T> schema) throws IOException {
    for (Map.Entry<String, T> entry : values.entrySet()) {
      tag(number(field));
      int place = begin();
      string(1, entry.getKey());
      message(2, entry.getValue(), schema);
      end(place);
    }
  }

  @Override
  public void strings(String field, Map<String, String> values) throws IOException {
    for (Map.Entry<String, String> entry : values.entrySet()) {
      tag(number(field));
      int place = begin();
      string(1, entry.getKey());
      string(2, entry.getValue());
      end(place);
    }
  }

  private void string(int number, String value) throws IOException {
    if (out == null) {
      counted += CodedOutputStream.computeStringSize(number, value);
    } else {
      out.writeString(number, value);
    }
  }

  private <T> void message(int number, T value, Schema<T> schema) throws IOException {
    tag(number);
    int place = begin();
    body(value, schema);
    end(place);
  }

  private <T> void body(T message, Schema<T> schema) throws IOException {
    Schema<?> outer = this.schema;
    this.schema = schema;
    schema.write(message, this);
    this.schema = outer;
  }

  private void tag(int number) throws IOException {
    if (out == null) {
      counted += CodedOutputStream.computeTagSize(number);
    } else {
      out.writeTag(number, DELIMITED);
    }
  }

  /** The length of what follows up to {@link #end}; returns its place in {@link #lengths}. */
  private int begin() throws IOException {
    if (nested == lengths.length) {
      lengths = Arrays.copyOf(lengths, 2 * nested);
    }
    int place = nested++;
    if (out == null) {
      lengths[place] = counted;
    } else {
      out.writeUInt32NoTag(lengths[place]);
    }
    return place;
  }

  private void end(int place) {
    if (out == null) {
      lengths[place] = counted - lengths[place];
      counted += CodedOutputStream.computeUInt32SizeNoTag(lengths[place]);
    }
  }

  private int number(String field) {
    return schema.own(field).number();
  }
}
