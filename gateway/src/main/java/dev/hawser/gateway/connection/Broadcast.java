package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.InappropriatePayloadException;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.ProtobufCodec;
import dev.hawser.protocol.client.PushBody;
import dev.hawser.protocol.client.ServerFrame;
import java.util.ArrayList;
import java.util.List;

/**
 * Messages for everybody, each a transport frame in each encoding. Encoded once; the frames are
 * shared, not to be changed.
 */
public final class Broadcast {

  private final List<byte[]> json = new ArrayList<>();
  private final List<byte[]> protobuf = new ArrayList<>();

  /** Encodes them. What is not JSON is left out for clients that speak JSON. */
  public Broadcast(List<Payload> messages) {
    for (Payload message : messages) {
      var push = new ServerFrame.Push("", new PushBody.Message(message));
      protobuf.add(ProtobufCodec.INSTANCE.encode(push));
      try {
        json.add(JsonCodec.INSTANCE.encode(push));
      } catch (InappropriatePayloadException notJson) {
        // Whoever turned hawser.kafka.require-json off meant the others.
      }
    }
  }

  /** How many there are. */
  public int messages() {
    return protobuf.size();
  }

  /** One frame a message, in order. */
  public List<byte[]> frames(Codec codec) {
    return switch (codec) {
      case JsonCodec text -> json;
      case ProtobufCodec binary -> protobuf;
    };
  }

  /** Writes the frames to one client of a door. Runs on the client's loop. */
  @FunctionalInterface
  public interface Writer {
    /** To a client that speaks this encoding. */
    void write(Transport transport, Codec codec);
  }
}
