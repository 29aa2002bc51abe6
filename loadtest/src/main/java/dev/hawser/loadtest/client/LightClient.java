package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * One connection of one user: the only handler of its channel. It has no codec, no timer and no
 * buffer but for a frame that has come in part. Everything runs on the worker's event loop.
 */
final class LightClient extends ChannelInboundHandlerAdapter {

  /** How far it is. */
  enum State {
    OPENING,
    UPGRADING,
    CONNECTING,
    CONNECTED,
    /** It ends by our will, or its end is known already. */
    ENDING
  }

  private static final int MEDIUM = 126;
  private static final int LONG = 127;
  private static final int MAX_FRAME = 4 * 1024 * 1024;
  private static final int OPCODE_MASK = 0x0f;
  private static final int FINAL = 0x80;
  private static final int LENGTH_MASK = 0x7f;
  private static final String SWITCHING = "HTTP/1.1 101 ";

  final Connections connections;
  final int user;
  final int attempt;

  /** When it was meant to begin. */
  final long intendedAt;

  State state = State.OPENING;

  /** When the server had taken it in. */
  long connectedAt;

  /** When it last heard what it waited for: at first its beginning, then the last ping. */
  long heardAt;

  @Nullable ChannelHandlerContext context;
  private @Nullable ByteBuf partial;

  LightClient(Connections connections, int user, int attempt, long intendedAt) {
    this.connections = connections;
    this.user = user;
    this.attempt = attempt;
    this.intendedAt = intendedAt;
    this.heardAt = System.nanoTime();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void channelActive(ChannelHandlerContext active) {
    state = State.UPGRADING;
    var unused = active.writeAndFlush(connections.handshake(this));
  }

  @Override
  public void channelRead(ChannelHandlerContext reading, Object message) {
    ByteBuf in = (ByteBuf) message;
    ByteBuf known = partial;
    if (known != null) {
      known.writeBytes(in);
      in.release();
      in = known;
      partial = null;
    }
    try {
      while (state != State.ENDING && readOne(reading, in)) {
        // As long as there is something whole.
      }
      if (state != State.ENDING && in.isReadable()) {
        partial = Unpooled.buffer(in.readableBytes()).writeBytes(in);
      }
    } finally {
      in.release();
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext read) {
    read.flush();
  }

  @Override
  public void channelInactive(ChannelHandlerContext inactive) {
    partial = null;
    connections.ended(this, state == State.UPGRADING ? "upgrade-cut" : "cut");
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext failed, Throwable failure) {
    connections.ended(
        this, failure instanceof IOException ? "reset" : failure.getClass().getSimpleName());
  }

  void write(int opcode, byte[] content) {
    ChannelHandlerContext open = context;
    if (open != null) {
      var unused = open.write(Frames.masked(open.alloc(), opcode, content));
    }
  }

  void flush() {
    ChannelHandlerContext open = context;
    if (open != null) {
      open.flush();
    }
  }

  void close() {
    ChannelHandlerContext open = context;
    if (open != null) {
      var unused = open.close();
    }
  }

  /** Reads the answer to the handshake, or one frame; false if it is not all there. */
  private boolean readOne(ChannelHandlerContext reading, ByteBuf in) {
    if (state == State.UPGRADING) {
      return readUpgrade(in);
    }
    int start = in.readerIndex();
    int readable = in.readableBytes();
    if (readable < 2) {
      return false;
    }
    int first = in.getUnsignedByte(start);
    int length = in.getUnsignedByte(start + 1) & LENGTH_MASK;
    int header = 2;
    if (length == MEDIUM) {
      header += Short.BYTES;
      length = readable < header ? 0 : in.getUnsignedShort(start + 2);
    } else if (length == LONG) {
      header += Long.BYTES;
      length = readable < header ? 0 : (int) Math.min(in.getLong(start + 2), MAX_FRAME);
    }
    if (readable < header + length) {
      return false;
    }
    int content = start + header;
    switch (first & OPCODE_MASK) {
      case Frames.TEXT -> {
        if ((first & FINAL) == 0 || length == MAX_FRAME) {
          connections.ended(this, "fragmented-or-huge");
        } else {
          connections.onText(this, in, content, length);
        }
      }
      case Frames.PING -> write(Frames.PONG, ByteBufUtil.getBytes(in, content, length));
      case Frames.CLOSE -> {
        int code = length < 2 ? 0 : in.getUnsignedShort(content);
        var unused =
            reading.writeAndFlush(
                Frames.masked(
                    reading.alloc(),
                    Frames.CLOSE,
                    ByteBufUtil.getBytes(in, content, Math.min(length, 2))));
        connections.closed(this, code);
      }
      default -> {}
    }
    in.readerIndex(content + length);
    return true;
  }

  private boolean readUpgrade(ByteBuf in) {
    int start = in.readerIndex();
    int end = start + in.readableBytes();
    for (int i = start + 3; i < end; i++) {
      if (in.getByte(i) == '\n'
          && in.getByte(i - 1) == '\r'
          && in.getByte(i - 2) == '\n'
          && in.getByte(i - 3) == '\r') {
        String head = in.toString(start, i - start, UTF_8);
        in.readerIndex(i + 1);
        if (head.startsWith(SWITCHING) && head.contains(Frames.ACCEPT)) {
          state = State.CONNECTING;
          connections.upgraded(this);
        } else {
          connections.refused(this, head);
        }
        return true;
      }
    }
    return false;
  }
}
