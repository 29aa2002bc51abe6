package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ServerFrame;
import java.util.ArrayList;
import java.util.List;

/** Remembers what a connection does with it. */
final class FakeTransport implements Transport {

  final List<byte[]> written = new ArrayList<>();
  final List<Integer> closes = new ArrayList<>();
  boolean congested;

  @Override
  public void write(byte[] frame) {
    written.add(frame);
  }

  @Override
  public boolean congested() {
    return congested;
  }

  @Override
  public void close(DisconnectCode code) {
    closes.add(code.code());
  }

  /** What was written since the last call. */
  List<ServerFrame> messages() {
    var messages = new ArrayList<ServerFrame>();
    written.forEach(frame -> messages.addAll(JsonCodec.INSTANCE.decodeFrames(frame)));
    written.clear();
    return messages;
  }
}
