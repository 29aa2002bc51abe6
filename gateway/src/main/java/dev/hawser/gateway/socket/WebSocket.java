package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ConnectionLoop;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket on Netty, the only handler of its pipeline but for that of TLS: reads frames,
 * writes frames, answers pings, and closes as RFC 6455 has it (section 7). Server frames are not
 * masked, so no encoder is needed.
 */
abstract class WebSocket extends ChannelInboundHandlerAdapter
    implements FrameReader.Listener, Runnable {

  private static final Logger log = LoggerFactory.getLogger(WebSocket.class);

  /** Of a frame of the server. */
  static final int MAX_HEADER_BYTES = 10;

  private static final int NORMAL_CLOSURE = 1000;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(3);

  final ConnectionLoop loop;
  private final FrameReader reader;
  private final boolean compressing;
  private @Nullable ChannelHandlerContext context;
  private boolean flushScheduled;

  /** Whether the close frame has left; null until it is written. Nothing is written behind it. */
  private @Nullable ChannelFuture closeFrame;

  /** Ends the wait for the client's end; to be cancelled, or it holds a closed channel. */
  private @Nullable Future<?> cutOff;

  WebSocket(ConnectionLoop loop, int maxMessageBytes, boolean compressing) {
    this.loop = loop;
    this.compressing = compressing;
    this.reader = new FrameReader(maxMessageBytes, compressing, this);
  }

  /** A whole message came in. */
  abstract void received(boolean text, byte[] payload);

  /** A ping came in. */
  abstract void pinged(byte[] payload);

  /** Nothing can be said to the client any more. Once or more often. */
  abstract void ended();

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  // What the client does.

  @Override
  public void channelRead(ChannelHandlerContext unused, Object bytes) {
    ByteBuf in = (ByteBuf) bytes;
    try {
      reader.read(in);
    } finally {
      in.release();
    }
  }

  @Override
  public void message(boolean text, byte[] payload) {
    if (closeFrame == null) {
      received(text, payload);
    }
  }

  @Override
  public void ping(byte[] payload) {
    // Nothing follows a close frame (RFC 6455, section 5.5.1).
    if (closeFrame == null) {
      pinged(payload);
    }
  }

  @Override
  public void closed(int code) {
    if (closeFrame == null) {
      end(code == FrameReader.NO_CODE ? NORMAL_CLOSURE : code, "");
      behindCloseFrame(this::endOutput);
    } else {
      behindCloseFrame(this::closeChannel);
    }
  }

  @Override
  public void violated(int closeCode, String reason) {
    if (closeFrame == null) {
      end(closeCode, reason);
    }
    behindCloseFrame(this::endOutput);
  }

  /**
   * To end the output, or to close, drops what still waits for a client that reads slowly: both
   * wait until it has left, with the close frame as its last, or the client is cut off.
   */
  private void behindCloseFrame(Runnable task) {
    if (closeFrame != null) {
      closeFrame.addListener(
          left -> {
            if (left.isSuccess()) {
              task.run();
            }
          });
    }
  }

  /**
   * Nothing will come that is worth to be read. The client gets the end of the stream, and not a
   * reset, which could overtake the close frame; then it ends, or is cut off.
   */
  private void endOutput() {
    if (context != null && context.channel() instanceof DuplexChannel socket) {
      SslHandler tls = context.pipeline().get(SslHandler.class);
      if (tls == null) {
        var unused = socket.shutdownOutput();
      } else {
        // Says first that this is the end, and not that somebody has cut it.
        tls.closeOutbound()
            .addListener(
                said -> {
                  var unused = socket.shutdownOutput();
                });
      }
    } else {
      closeChannel();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext unused) {
    reader.end();
    ended();
    if (cutOff != null) {
      var unusedToo = cutOff.cancel(false);
      cutOff = null;
    }
    context = null;
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext unused, Throwable failure) {
    Throwable cause = failure instanceof DecoderException ? failure.getCause() : failure;
    if (!(cause instanceof IOException)) {
      log.error("a WebSocket failed", failure);
    }
    closeChannel();
  }

  // What the server does.

  /**
   * Whether more than the allowed number of bytes waits for a client that reads too slowly. One
   * that has gone is not slow, though nothing can be written to it.
   */
  final boolean isCongested() {
    return context != null && context.channel().isActive() && !context.channel().isWritable();
  }

  /** Whether the client is read from; what it sends meanwhile waits in the sockets' buffers. */
  final void read(boolean on) {
    if (context != null) {
      context.channel().config().setAutoRead(on);
    }
  }

  final void writeMessage(boolean text, byte[] payload) {
    if (closeFrame != null) {
      return;
    }
    int opcode = text ? FrameReader.TEXT : FrameReader.BINARY;
    byte[] compressed = compressing ? Deflate.compress(payload) : null;
    if (compressed == null) {
      writeFrame(opcode, payload);
    } else {
      writeFrame(Deflate.RESERVED_BIT | opcode, compressed);
    }
  }

  final void pong(byte[] payload) {
    writeFrame(FrameReader.PONG, payload);
  }

  /** Writes a close frame and gives the client a little time to answer it with its own. */
  final void end(int code, String reason) {
    ChannelHandlerContext open = context;
    if (closeFrame != null || open == null) {
      return;
    }
    byte[] text = reason.getBytes(UTF_8);
    byte[] body = new byte[2 + text.length];
    body[0] = (byte) (code >>> 8);
    body[1] = (byte) code;
    System.arraycopy(text, 0, body, 2, text.length);
    closeFrame = write(open, frame(open, FrameReader.CLOSE, body), open.newPromise());
    read(true);
    ended();
    cutOff = loop.after(CLOSE_TIMEOUT, this::closeChannel);
  }

  private void writeFrame(int opcode, byte[] body) {
    ChannelHandlerContext open = context;
    if (open != null) {
      var unused = write(open, frame(open, opcode, body), open.voidPromise());
    }
  }

  private static ByteBuf frame(ChannelHandlerContext open, int opcode, byte[] body) {
    ByteBuf frame = open.alloc().directBuffer(MAX_HEADER_BYTES + body.length);
    writeTo(frame, opcode, body);
    return frame;
  }

  /** Frames of the server that are shared with other sockets. */
  final void writeShared(ByteBuf frames) {
    ChannelHandlerContext open = context;
    if (open != null && closeFrame == null) {
      // A slice has no room behind its end, where TLS would gather what comes next.
      var unused = write(open, frames.retainedSlice(), open.voidPromise());
    }
  }

  /** A frame of the server. */
  static void writeTo(ByteBuf out, int opcode, byte[] body) {
    out.writeByte(FrameReader.FINAL | opcode);
    if (body.length < 126) {
      out.writeByte(body.length);
    } else if (body.length <= 0xFFFF) {
      out.writeByte(126).writeShort(body.length);
    } else {
      out.writeByte(127).writeLong(body.length);
    }
    out.writeBytes(body);
  }

  private ChannelFuture write(ChannelHandlerContext open, ByteBuf frames, ChannelPromise promise) {
    ChannelFuture left = open.write(frames, promise);
    // Flushed behind the tasks that wait already: several frames then leave in one system call.
    if (!flushScheduled) {
      flushScheduled = true;
      loop.atEndOfTurn(this);
    }
    return left;
  }

  /** The end of the loop's turn. A task of its own would be garbage with every frame. */
  @Override
  public final void run() {
    flushScheduled = false;
    if (context != null) {
      context.flush();
    }
  }

  final void closeChannel() {
    if (context != null) {
      var unused = context.close();
    }
  }
}
