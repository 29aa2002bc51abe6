package dev.hawser.gateway.socket;

import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.Transport;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ProtobufCodec;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.List;

/**
 * A broadcast as the bytes that go to the sockets: server frames are the same for all clients of an
 * encoding, so one buffer an encoding is written to all of them and freed behind the last one.
 */
final class SharedFrames implements Broadcast.Writer {

  private final ByteBuf json;
  private final ByteBuf protobuf;

  SharedFrames(Broadcast broadcast, ByteBufAllocator allocator) {
    json = buffer(broadcast, JsonCodec.INSTANCE, allocator);
    protobuf = buffer(broadcast, ProtobufCodec.INSTANCE, allocator);
  }

  private static ByteBuf buffer(Broadcast broadcast, Codec codec, ByteBufAllocator allocator) {
    List<byte[]> frames = broadcast.frames(codec);
    int size = frames.stream().mapToInt(frame -> WebSocket.MAX_HEADER_BYTES + frame.length).sum();
    ByteBuf buffer = allocator.directBuffer(size);
    frames.forEach(
        frame ->
            WebSocket.writeTo(
                buffer, codec.isText() ? FrameReader.TEXT : FrameReader.BINARY, frame));
    return buffer;
  }

  /** All transports of this door are its own. */
  @Override
  public void write(Transport transport, Codec codec) {
    ((WebSocketConnection) transport).writeShared(codec.isText() ? json : protobuf);
  }

  /** Nobody else gets it. Those whose sockets have not taken it yet hold the buffer. */
  void release() {
    json.release();
    protobuf.release();
  }
}
