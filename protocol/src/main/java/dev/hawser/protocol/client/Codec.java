package dev.hawser.protocol.client;

import java.util.List;

/**
 * An encoding of the client protocol (section 2). Codecs have no state and are safe for all
 * threads.
 *
 * <p>A transport frame (a WebSocket message, an HTTP body) holds one or more messages. The server
 * uses {@link #decodeCommands} and the {@code encode} of {@link ServerFrame}s; the other two
 * methods are for clients. Unknown fields are ignored in both directions.
 */
public sealed interface Codec permits JsonCodec, ProtobufCodec {

  /** The WebSocket subprotocol that selects this encoding (section 1). */
  String subprotocol();

  /** Whether frames are text (UTF-8) and not binary. */
  boolean isText();

  /**
   * Reads all commands of one transport frame, in order. Slices payloads out without looking into
   * them.
   *
   * @throws MalformedFrameException if the frame is empty or any of it cannot be decoded
   */
  List<ClientCommand> decodeCommands(byte[] frame);

  /**
   * Writes one message. The array may be shared by all callers: do not change it.
   *
   * @throws InappropriatePayloadException if this encoding cannot carry one of the payloads
   */
  byte[] encode(ServerFrame frame);

  /**
   * Writes several messages as one transport frame.
   *
   * @throws InappropriatePayloadException if this encoding cannot carry one of the payloads
   */
  byte[] encode(List<? extends ServerFrame> frames);

  /** Puts messages that are encoded already into one transport frame. */
  byte[] join(List<byte[]> encoded);

  /**
   * Writes several commands as one transport frame.
   *
   * @throws InappropriatePayloadException if this encoding cannot carry one of the payloads
   */
  byte[] encode(ClientCommand... commands);

  /**
   * Reads all messages of one transport frame, in order.
   *
   * @throws MalformedFrameException if the frame is empty or any of it cannot be decoded
   */
  List<ServerFrame> decodeFrames(byte[] frame);
}
