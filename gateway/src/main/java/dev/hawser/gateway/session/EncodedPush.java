package dev.hawser.gateway.session;

import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.InappropriatePayloadException;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ProtobufCodec;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame.Push;
import org.jspecify.annotations.Nullable;

/** A push that is encoded at most once in each encoding, however many connections get it. */
public final class EncodedPush {

  private final Push push;
  private byte @Nullable [] json;
  private byte @Nullable [] protobuf;

  public EncodedPush(Push push) {
    this.push = push;
  }

  /** Its place in the user's stream. */
  public long offset() {
    return push.body() instanceof Publication publication ? publication.offset() : 0;
  }

  /**
   * The transport frame; shared, not to be changed. To be called by one thread.
   *
   * @throws InappropriatePayloadException if this encoding cannot carry the payload
   */
  public byte[] in(Codec codec) {
    return switch (codec) {
      case JsonCodec text -> {
        if (json == null) {
          json = text.encode(push);
        }
        yield json;
      }
      case ProtobufCodec binary -> {
        if (protobuf == null) {
          protobuf = binary.encode(push);
        }
        yield protobuf;
      }
    };
  }
}
