package dev.hawser.protocol.client;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;

/**
 * The Protobuf encoding: each message behind its length as a varint (section 2). The numbers of
 * section 3 are in client.proto, too, for authors of SDKs; this code does not use it.
 */
public enum ProtobufCodec implements Codec {
  INSTANCE;

  private static final byte[] PING = {0};

  /** What clients say most often. */
  private static final List<ClientCommand> PONG = List.of(new ClientCommand.Pong());

  @Override
  public String subprotocol() {
    return "centrifuge-protobuf";
  }

  @Override
  public boolean isText() {
    return false;
  }

  @Override
  public List<ClientCommand> decodeCommands(byte[] frame) {
    return Arrays.equals(frame, PING)
        ? PONG
        : ProtobufReader.readAll(frame, CommandSchemas.COMMAND);
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
    int length = 0;
    for (byte[] message : encoded) {
      length += message.length;
    }
    byte[] frame = new byte[length];
    int end = 0;
    for (byte[] message : encoded) {
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
    return ProtobufReader.readAll(frame, FrameSchemas.FRAME);
  }

  private static <T> byte[] encode(List<? extends T> messages, Schema<T> schema) {
    var writer = new ProtobufWriter(schema);
    try {
      for (T message : messages) {
        writer.delimited(message, schema);
      }
      byte[] frame = writer.allocate();
      for (T message : messages) {
        writer.delimited(message, schema);
      }
      return frame;
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }
}
