package dev.hawser.protocol.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.util.List;

/** The Json encoding. */
public enum JsonCodec implements Codec {
  INSTANCE;

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
    throw new UnsupportedOperationException();
  }

  @Override
  public byte[] encode(ServerFrame frame) {
    throw new UnsupportedOperationException();
  }

  @Override
  public byte[] encode(List<? extends ServerFrame> frames) {
    throw new UnsupportedOperationException();
  }

  @Override
  public byte[] join(List<byte[]> encoded) {
    throw new UnsupportedOperationException();
  }

  @Override
  public byte[] encode(ClientCommand... commands) {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<ServerFrame> decodeFrames(byte[] frame) {
    throw new UnsupportedOperationException();
  }

  private static final JsonFactory FACTORY =
      JsonFactory.builder().disable(JsonFactory.Feature.CHARSET_DETECTION).build();

  /** Whether the bytes are exactly one JSON value in valid UTF-8. */
  public static boolean isJson(byte[] bytes) {
    try (JsonParser parser = FACTORY.createParser(bytes)) {
      if (parser.nextToken() == null) {
        return false;
      }
      parser.skipChildren();
      return parser.nextToken() == null;
    } catch (IOException notJson) {
      return false;
    }
  }
}
