package dev.hawser.gateway.socket;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Reads the frames of one client (RFC 6455, sections 5 to 8) as their bytes come in, however TCP
 * cuts them, and puts messages together from their fragments. What is wrong is noticed at its first
 * wrong byte. Holds memory only while a message or a control frame is under way, and never more of
 * it than twice what has come in.
 */
final class FrameReader {

  static final int FINAL = 0x80;
  static final int CONTINUATION = 0x0;
  static final int TEXT = 0x1;
  static final int BINARY = 0x2;
  static final int CLOSE = 0x8;
  static final int PING = 0x9;
  static final int PONG = 0xA;

  /** Close codes of violations (RFC 6455, section 7.4.1). */
  static final int PROTOCOL_ERROR = 1002;

  static final int INVALID_PAYLOAD = 1007;
  static final int TOO_BIG = 1009;

  /** What {@link Listener#closed} tells when the close frame has no code. */
  static final int NO_CODE = 1005;

  private static final int RESERVED_BITS = 0x70;
  private static final int OPCODE = 0x0F;
  private static final int CONTROL = 0x08;
  private static final int MASKED = 0x80;
  private static final int MAX_CONTROL_BYTES = 125;
  private static final int LENGTH_16 = 126;
  private static final int LENGTH_64 = 127;
  private static final int MASK_BYTES = 4;
  private static final int MIN_CAPACITY = 256;

  /** That the shortest of messages may get longer by. */
  private static final int DEFLATE_BYTES = 64;

  private static final byte[] EMPTY = {};

  /**
   * The answers to pings, in JSON and in Protobuf: they cost no array. Receivers do not change what
   * they get.
   */
  private static final byte[][] PONGS = {{'{', '}'}, {0}};

  /** Told what was read, in order, while {@link #read} runs. */
  interface Listener {
    /** A whole text, which is UTF-8, or binary message. */
    void message(boolean text, byte[] payload);

    void ping(byte[] payload);

    /** A valid close frame; {@link #NO_CODE} if it says no code. Nothing follows. */
    void closed(int code);

    /** The client broke the rules; nothing of what it sends is read any more. */
    void violated(int closeCode, String reason);
  }

  private enum Stage {
    FIRST_BYTE,
    LENGTH,
    MORE_LENGTH,
    MASK,
    PAYLOAD,
    END
  }

  private final Listener listener;
  private final int maxMessageBytes;
  private final boolean inflating;

  // The frame under way.
  private Stage stage = Stage.FIRST_BYTE;
  private boolean last;
  private byte opcode;

  /** Bytes of the length, or of the mask, that are still to come. */
  private byte due;

  private int mask;

  /** Of its payload; and how much of it was read. */
  private long length;

  private int position;

  /** Null unless it is a control frame. */
  private byte @Nullable [] control;

  // The message under way: TEXT or BINARY, CONTINUATION while there is none.
  private byte kind = CONTINUATION;
  private byte[] message = EMPTY;
  private int size;
  private int utf8 = Utf8.COMPLETE;

  /** Only for a compressed message. */
  private @Nullable Inflater inflater;

  /**
   * A reader of one connection, to be used by one thread.
   *
   * @param maxMessageBytes of a message, all its fragments together, and not compressed
   * @param inflating whether messages may be compressed
   */
  FrameReader(int maxMessageBytes, boolean inflating, Listener listener) {
    this.maxMessageBytes = maxMessageBytes;
    this.inflating = inflating;
    this.listener = listener;
  }

  /** Reads all there is; the buffer stays the caller's. */
  void read(ByteBuf in) {
    while (in.isReadable()) {
      switch (stage) {
        case FIRST_BYTE -> onFirstByte(in.readUnsignedByte());
        case LENGTH -> onLength(in.readUnsignedByte());
        case MORE_LENGTH -> onMoreLength(in.readUnsignedByte());
        case MASK -> onMask(in.readUnsignedByte());
        case PAYLOAD -> onPayload(in);
        case END -> in.skipBytes(in.readableBytes());
      }
    }
  }

  private void onFirstByte(int first) {
    last = (first & FINAL) != 0;
    opcode = (byte) (first & OPCODE);
    boolean compressed =
        inflating
            && (opcode == TEXT || opcode == BINARY)
            && (first & RESERVED_BITS) == Deflate.RESERVED_BIT;
    if ((first & RESERVED_BITS) != 0 && !compressed) {
      fail(PROTOCOL_ERROR, "a reserved bit is set");
      return;
    }
    switch (opcode) {
      case CONTINUATION -> {
        if (kind == CONTINUATION) {
          fail(PROTOCOL_ERROR, "a continuation of nothing");
        }
      }
      case TEXT, BINARY -> {
        if (kind != CONTINUATION) {
          fail(PROTOCOL_ERROR, "a new message within another");
        } else {
          kind = opcode;
          inflater = compressed ? new Inflater(true) : null;
        }
      }
      case CLOSE, PING, PONG -> {
        if (!last) {
          fail(PROTOCOL_ERROR, "a control frame in fragments");
        }
      }
      default -> fail(PROTOCOL_ERROR, "an opcode that means nothing");
    }
    proceed(Stage.LENGTH);
  }

  private void onLength(int second) {
    if ((second & MASKED) == 0) {
      fail(PROTOCOL_ERROR, "a frame without mask");
      return;
    }
    length = second & ~MASKED;
    if (isControl() && length > MAX_CONTROL_BYTES) {
      fail(PROTOCOL_ERROR, "a control frame of more than 125 bytes");
    } else if (length == LENGTH_16 || length == LENGTH_64) {
      due = (byte) (length == LENGTH_16 ? Short.BYTES : Long.BYTES);
      length = 0;
      position = due;
      proceed(Stage.MORE_LENGTH);
    } else {
      onWholeLength();
    }
  }

  private void onMoreLength(int next) {
    length = (length << 8) | next;
    if (--due > 0) {
      return;
    }
    long least = position == Short.BYTES ? LENGTH_16 : 0x1_0000;
    if (length < least) {
      // Negative, too: the highest bit of 64 must be 0.
      fail(PROTOCOL_ERROR, "a length in the wrong form");
    } else {
      onWholeLength();
    }
  }

  private void onWholeLength() {
    if (!isControl() && length > mostBytes()) {
      fail(TOO_BIG, "message too big");
      return;
    }
    due = MASK_BYTES;
    proceed(Stage.MASK);
  }

  /**
   * Of the frame. What cannot be compressed gets longer, by much less than a quarter (zlib's {@code
   * deflateBound}); whether the message is too big shows when it is inflated.
   */
  private long mostBytes() {
    return inflater == null
        ? maxMessageBytes - size
        : maxMessageBytes + maxMessageBytes / 4L + DEFLATE_BYTES;
  }

  private void onMask(int next) {
    mask = (mask << 8) | next;
    if (--due > 0) {
      return;
    }
    position = 0;
    control = isControl() ? new byte[(int) length] : null;
    proceed(Stage.PAYLOAD);
    if (length == 0) {
      onWholeFrame();
    }
  }

  private void onPayload(ByteBuf in) {
    int count = (int) Math.min(in.readableBytes(), length - position);
    byte[] part = control;
    if (part != null) {
      in.readBytes(part, position, count);
      unmask(part, position, count);
    } else if (inflater != null) {
      byte[] compressed = new byte[count];
      in.readBytes(compressed);
      unmask(compressed, 0, count);
      inflate(inflater, compressed);
    } else if (last && size == 0 && count == length && isPong(in)) {
      in.skipBytes(count);
      size = count;
    } else {
      reserve(count);
      in.readBytes(message, size, count);
      unmask(message, size, count);
      append(count);
    }
    if (stage == Stage.END) {
      return;
    }
    position += count;
    if (position == length) {
      onWholeFrame();
    }
  }

  /** Whether the payload is one of the {@link #PONGS}, which is the message then. */
  private boolean isPong(ByteBuf in) {
    for (byte[] pong : PONGS) {
      if (pong.length == length && isMasked(pong, in)) {
        message = pong;
        return true;
      }
    }
    return false;
  }

  private boolean isMasked(byte[] plain, ByteBuf in) {
    for (int i = 0; i < plain.length; i++) {
      byte key = (byte) (mask >>> (8 * (3 - i)));
      if (in.getByte(in.readerIndex() + i) != (byte) (plain[i] ^ key)) {
        return false;
      }
    }
    return true;
  }

  /** These bytes of the message are there, behind the others. */
  private void append(int count) {
    if (kind == TEXT) {
      utf8 = Utf8.check(utf8, message, size, size + count);
      if (utf8 == Utf8.INVALID) {
        fail(INVALID_PAYLOAD, "a text that is not UTF-8");
        return;
      }
    }
    size += count;
  }

  /** Appends what comes out, and no more than the limit. */
  private void inflate(Inflater from, byte[] compressed) {
    try {
      from.setInput(compressed);
      while (stage != Stage.END) {
        if (size == message.length) {
          long doubled = Math.max(MIN_CAPACITY, 2L * size);
          message = Arrays.copyOf(message, (int) Math.min(maxMessageBytes + 1L, doubled));
        }
        int count = from.inflate(message, size, message.length - size);
        if (size + count > maxMessageBytes) {
          fail(TOO_BIG, "message too big");
        } else if (count > 0) {
          append(count);
        } else if (from.finished() && from.getRemaining() > 0) {
          // A last block need not be the last (RFC 7692, section 7.2.3.4).
          int left = from.getRemaining();
          from.reset();
          from.setInput(compressed, compressed.length - left, left);
        } else if (from.finished()) {
          from.reset();
          return;
        } else if (from.needsInput()) {
          return;
        } else {
          fail(INVALID_PAYLOAD, "a compressed message that needs a dictionary");
        }
      }
    } catch (DataFormatException wrong) {
      fail(INVALID_PAYLOAD, "a compressed message that is none");
    }
  }

  /** Room for more of the message; its whole length is believed only as it comes in. */
  private void reserve(int count) {
    if (message.length - size >= count) {
      return;
    }
    int doubled = (int) Math.min(maxMessageBytes, Math.max(MIN_CAPACITY, 2L * size));
    int wanted = Math.max(size + count, doubled);
    int known = last ? size + (int) (length - position) : wanted;
    message = Arrays.copyOf(message, Math.min(wanted, known));
  }

  private void unmask(byte[] bytes, int from, int count) {
    // The mask, turned so that the byte for the next byte of the payload comes first.
    int key = Integer.rotateLeft(mask, 8 * (position & 3));
    for (int i = from; i < from + count; i++) {
      key = Integer.rotateLeft(key, 8);
      bytes[i] ^= (byte) key;
    }
  }

  private void onWholeFrame() {
    byte[] payload = control;
    control = null;
    stage = Stage.FIRST_BYTE;
    if (payload != null) {
      switch (opcode) {
        case PING -> listener.ping(payload);
        case CLOSE -> onClose(payload);
        default -> {}
      }
    } else if (last) {
      if (inflater != null) {
        inflate(inflater, Deflate.TAIL);
        if (stage == Stage.END) {
          return;
        }
      }
      if (utf8 != Utf8.COMPLETE) {
        fail(INVALID_PAYLOAD, "a text that ends within a character");
        return;
      }
      byte[] whole = message.length == size ? message : Arrays.copyOf(message, size);
      boolean text = kind == TEXT;
      forget();
      listener.message(text, whole);
    }
  }

  private void onClose(byte[] payload) {
    int code = payload.length < 2 ? NO_CODE : ((payload[0] & 0xFF) << 8) | (payload[1] & 0xFF);
    if (payload.length == 1 || (payload.length > 1 && !mayBeSent(code))) {
      fail(PROTOCOL_ERROR, "a close code that must not be sent");
    } else if (payload.length > 2
        && Utf8.check(Utf8.COMPLETE, payload, 2, payload.length) != Utf8.COMPLETE) {
      fail(INVALID_PAYLOAD, "a close reason that is not UTF-8");
    } else {
      forget();
      stage = Stage.END;
      listener.closed(code);
    }
  }

  /** RFC 6455, section 7.4, and the registry it founded, which has 1012 to 1014 by now. */
  private static boolean mayBeSent(int code) {
    return (code >= 1000 && code <= 1003)
        || (code >= 1007 && code <= 1014)
        || (code >= 3000 && code <= 4999);
  }

  private boolean isControl() {
    return (opcode & CONTROL) != 0;
  }

  /** Unless something was wrong. */
  private void proceed(Stage next) {
    if (stage != Stage.END) {
      stage = next;
    }
  }

  private void fail(int closeCode, String reason) {
    stage = Stage.END;
    control = null;
    forget();
    listener.violated(closeCode, reason);
  }

  /** Nothing will be read any more. */
  void end() {
    stage = Stage.END;
    forget();
  }

  private void forget() {
    if (inflater != null) {
      inflater.end();
      inflater = null;
    }
    message = EMPTY;
    size = 0;
    utf8 = Utf8.COMPLETE;
    kind = CONTINUATION;
  }
}
