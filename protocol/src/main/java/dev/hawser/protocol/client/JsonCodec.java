package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * The JSON encoding: one object per message, newlines between messages, payloads as raw JSON values
 * (section 2). Names are the snake_case ones of section 3.
 */
public enum JsonCodec implements Codec {
  INSTANCE;

  /** UTF-8 only: a guess at the charset would leave the parser without byte offsets. */
  private static final JsonFactory PARSERS =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private static final byte[] PING = "{}".getBytes(US_ASCII);

  @Override
  public String subprotocol() {
    return "centrifuge-json";
  }

  @Override
  public boolean isText() {
    return true;
  }

  @Override
  public List<ClientCommand> decodeCommands(byte[] frame) {
    return decode(frame, CommandSchemas.COMMAND);
  }

  @Override
  public byte[] encode(ServerFrame frame) {
    return frame instanceof ServerFrame.Ping ? PING : encode(List.of(frame));
  }

  @Override
  public byte[] encode(List<? extends ServerFrame> frames) {
    return encode(frames, FrameSchemas.FRAME);
  }

  @Override
  public byte[] join(List<byte[]> encoded) {
    int length = Math.max(0, encoded.size() - 1);
    for (byte[] message : encoded) {
      length += message.length;
    }
    byte[] frame = new byte[length];
    int end = 0;
    for (byte[] message : encoded) {
      if (end > 0) {
        frame[end++] = '\n';
      }
      System.arraycopy(message, 0, frame, end, message.length);
      end += message.length;
    }
    return frame;
  }

  @Override
  public byte[] encode(ClientCommand... commands) {
    return encode(List.of(commands), CommandSchemas.COMMAND);
  }

  @Override
  public List<ServerFrame> decodeFrames(byte[] frame) {
    return decode(frame, FrameSchemas.FRAME);
  }

  /** Whether the bytes are exactly one JSON value in valid UTF-8. */
  public static boolean isJson(byte[] bytes) {
    try (JsonParser parser = PARSERS.createParser(bytes)) {
      if (parser.nextToken() == null) {
        return false;
      }
      parser.skipChildren();
      return parser.nextToken() == null && isUtf8(bytes);
    } catch (IOException notJson) {
      return false;
    }
  }

  private static <T> byte[] encode(List<? extends T> messages, Schema<T> schema) {
    var writer = new JsonWriter(schema);
    try {
      for (T message : messages) {
        writer.line(message, schema);
      }
      byte[] frame = writer.allocate();
      for (T message : messages) {
        writer.line(message, schema);
      }
      return frame;
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  private static <T> List<T> decode(byte[] frame, Schema<T> schema) {
    if (!isUtf8(frame)) {
      throw new MalformedFrameException("not valid UTF-8");
    }
    try (JsonParser parser = PARSERS.createParser(frame)) {
      return JsonReader.readAll(frame, parser, schema);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  /** The parser is lenient with strings that it skips. */
  private static boolean isUtf8(byte[] bytes) {
    int next = 0;
    while (next < bytes.length) {
      int first = bytes[next++];
      if (first >= 0) {
        continue;
      }
      int more = first >= (byte) 0xF0 ? 3 : first >= (byte) 0xE0 ? 2 : 1;
      int codePoint = first & (0x3F >> more);
      if (first < (byte) 0xC2 || first > (byte) 0xF4 || next + more > bytes.length) {
        return false;
      }
      for (int end = next + more; next < end; next++) {
        if ((bytes[next] & 0xC0) != 0x80) {
          return false;
        }
        codePoint = (codePoint << 6) | (bytes[next] & 0x3F);
      }
      boolean overlong = codePoint < (more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80);
      boolean surrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
      if (overlong || surrogate || codePoint > 0x10FFFF) {
        return false;
      }
    }
    return true;
  }
}
