package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.net.URI;
import java.util.concurrent.ThreadLocalRandom;

/** What a WebSocket client writes (RFC 6455): its handshake, and masked frames. */
final class Frames {

  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;

  /** The same for all: the server answers it with {@link #ACCEPT}, which saves a hash each. */
  private static final String KEY = "dGhlIHNhbXBsZSBub25jZQ==";

  static final String ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

  private static final int FINAL = 0x80;
  private static final int MASKED = 0x80;
  private static final int MAX_SHORT = 125;
  private static final int MEDIUM = 126;
  private static final int MAX_MEDIUM = 65_535;
  private static final int MAX_HEADER = 8;

  private Frames() {}

  static ByteBuf handshake(URI url) {
    String target = url.getQuery() == null ? url.getPath() : url.getPath() + "?" + url.getQuery();
    String request =
        """
        GET %s HTTP/1.1\r
        Host: %s:%d\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: %s\r
        Sec-WebSocket-Version: 13\r
        \r
        """
            .formatted(target, url.getHost(), url.getPort(), KEY);
    return Unpooled.unreleasableBuffer(
        Unpooled.directBuffer().writeBytes(request.getBytes(US_ASCII)).asReadOnly());
  }

  /**
   * A frame with a random mask.
   *
   * @throws IllegalArgumentException if the content has more than 65,535 bytes
   */
  static ByteBuf masked(ByteBufAllocator allocator, int opcode, byte[] content) {
    if (content.length > MAX_MEDIUM) {
      throw new IllegalArgumentException(
          "frame of %d bytes, expected at most %d".formatted(content.length, MAX_MEDIUM));
    }
    ByteBuf frame = allocator.directBuffer(MAX_HEADER + content.length);
    frame.writeByte(FINAL | opcode);
    if (content.length <= MAX_SHORT) {
      frame.writeByte(MASKED | content.length);
    } else {
      frame.writeByte(MASKED | MEDIUM).writeShort(content.length);
    }
    int mask = ThreadLocalRandom.current().nextInt();
    frame.writeInt(mask);
    int i = 0;
    for (; i + Integer.BYTES <= content.length; i += Integer.BYTES) {
      frame.writeInt(intAt(content, i) ^ mask);
    }
    for (; i < content.length; i++) {
      frame.writeByte(content[i] ^ (mask >>> (24 - 8 * (i % Integer.BYTES))));
    }
    return frame;
  }

  private static int intAt(byte[] bytes, int at) {
    return (bytes[at] & 0xff) << 24
        | (bytes[at + 1] & 0xff) << 16
        | (bytes[at + 2] & 0xff) << 8
        | (bytes[at + 3] & 0xff);
  }
}
