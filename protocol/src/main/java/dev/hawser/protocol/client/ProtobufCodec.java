package dev.hawser.protocol.client;

import java.util.List;

/** The Protobuf encoding. */
public enum ProtobufCodec implements Codec {
  INSTANCE;

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
}
