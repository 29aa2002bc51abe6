package dev.hawser.protocol.client;

import com.google.protobuf.CodedInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads messages from Protobuf. Of a field that comes several times the last one counts, also of a
 * nested message: writers that split one message into several, as the format allows, are not known.
 */
final class ProtobufReader implements Schema.Reader {

  private static final int VARINT = 0;
  private static final int DELIMITED = 2;

  private final CodedInputStream in;
  private int messages;
  private Schema<?> schema;
  private @Nullable String field;
  private int wireType;

  private ProtobufReader(CodedInputStream in, Schema<?> schema) {
    this.in = in;
    this.schema = schema;
  }

  /** Reads all messages of the frame, each behind its length. */
  static <T> List<T> readAll(byte[] frame, Schema<T> schema) {
    var reader = new ProtobufReader(CodedInputStream.newInstance(frame), schema);
    var messages = new ArrayList<T>();
    try {
      // Without this limit a message cut off by the end of the frame would count as complete.
      reader.in.pushLimit(frame.length);
      while (!reader.in.isAtEnd()) {
        reader.messages++;
        messages.add(reader.body(reader.in.readRawVarint32(), schema));
      }
    } catch (IOException broken) {
      throw reader.malformed("not valid Protobuf");
    }
    if (messages.isEmpty()) {
      throw new MalformedFrameException("empty frame");
    }
    return messages;
  }

  @Override
  public @Nullable String next() throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      Schema.Field known = schema.field(tag >>> 3);
      if (known != null) {
        field = known.name();
        wireType = tag & 7;
        return field;
      }
      skip(tag);
    }
    field = null;
    return null;
  }

  @Override
  public String string() throws IOException {
    expect(DELIMITED);
    return in.readStringRequireUtf8();
  }

  @Override
  public boolean bool() throws IOException {
    expect(VARINT);
    return in.readBool();
  }

  @Override
  public int int32() throws IOException {
    expect(VARINT);
    return in.readInt32();
  }

  @Override
  public int uint32() throws IOException {
    expect(VARINT);
    return in.readUInt32();
  }

  @Override
  public long int64() throws IOException {
    expect(VARINT);
    return in.readInt64();
  }

  @Override
  public long uint64() throws IOException {
    expect(VARINT);
    return in.readUInt64();
  }

  @Override
  public Payload payload() throws IOException {
    expect(DELIMITED);
    return new Payload(in.readByteArray());
  }

  @Override
  public <T> T message(Schema<T> schema) throws IOException {
    expect(DELIMITED);
    return body(in.readRawVarint32(), schema);
  }

  @Override
  public <T> void list(List<T> values, Schema<T> schema) throws IOException {
    values.add(message(schema));
  }

  @Override
  public <T> void map(Map<String, T> values, Schema<T> schema) throws IOException {
    entry(values, in -> in.message(schema), in -> body(0, schema));
  }

  @Override
  public void strings(Map<String, String> values) throws IOException {
    entry(values, Schema.Reader::string, in -> "");
  }

  /** A map is a list of messages with the fields key = 1 and value = 2. */
  private <T> void entry(Map<String, T> values, Schema.Parser<T> present, Schema.Parser<T> absent)
      throws IOException {
    expect(DELIMITED);
    int limit = in.pushLimit(in.readRawVarint32());
    String key = "";
    T value = null;
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      wireType = tag & 7;
      switch (tag >>> 3) {
        case 1 -> key = string();
        case 2 -> value = present.read(this);
        default -> skip(tag);
      }
    }
    values.put(key, value == null ? absent.read(this) : value);
    in.popLimit(limit);
  }

  private <T> T body(int length, Schema<T> schema) throws IOException {
    Schema<?> outer = this.schema;
    this.schema = schema;
    int limit = in.pushLimit(length);
    T message = schema.read(this);
    in.popLimit(limit);
    this.schema = outer;
    return message;
  }

  private void skip(int tag) throws IOException {
    if (!in.skipField(tag)) {
      throw malformed("ends a group that never began");
    }
  }

  private void expect(int type) {
    if (wireType != type) {
      throw malformed("has wire type %d, not %d".formatted(wireType, type));
    }
  }

  @Override
  public MalformedFrameException malformed(String what) {
    return new MalformedFrameException(
        "message %d, %snear byte %d: %s"
            .formatted(
                messages,
                field == null ? "" : "field " + field + ", ",
                in.getTotalBytesRead(),
                what));
  }
}
