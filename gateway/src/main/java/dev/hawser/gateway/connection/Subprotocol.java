package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.ProtobufCodec;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** How a client says which encoding it speaks (section 1 of the client protocol). */
public final class Subprotocol {

  /** Values of {@code Sec-WebSocket-Protocol}; the first one the client names is taken. */
  public static final List<String> SUPPORTED =
      List.of(ProtobufCodec.INSTANCE.subprotocol(), JsonCodec.INSTANCE.subprotocol());

  private Subprotocol() {}

  /**
   * The encoding of a new connection; JSON when the client does not say.
   *
   * @param selected the subprotocol agreed on, null if the client named none that is known
   * @param queryParameters values of a parameter of the request's query
   */
  public static Codec codec(
      @Nullable String selected, Function<String, List<String>> queryParameters) {
    boolean protobuf =
        selected == null
            ? queryParameters.apply("cf_protocol").contains("protobuf")
                || queryParameters.apply("format").contains("protobuf")
            : selected.equals(ProtobufCodec.INSTANCE.subprotocol());
    return protobuf ? ProtobufCodec.INSTANCE : JsonCodec.INSTANCE;
  }
}
