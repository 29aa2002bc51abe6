package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
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

  /** What clients say most often. */
  private static final List<ClientCommand> PONG = List.of(new ClientCommand.Pong());

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
    return Arrays.equals(frame, PING) ? PONG : decode(frame, CommandSchemas.COMMAND);
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
    return JsonSyntax.isValid(bytes);
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
    // The parser is lenient with strings that it skips.
    if (!JsonSyntax.isUtf8(frame)) {
      throw new MalformedFrameException("not valid UTF-8");
    }
    try (JsonParser parser = PARSERS.createParser(frame)) {
      return JsonReader.readAll(frame, parser, schema);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }
}
