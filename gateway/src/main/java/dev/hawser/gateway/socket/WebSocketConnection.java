package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ClientConnection;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Transport;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.PrematureChannelClosureException;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket as a {@link Transport}, and the last handler of its pipeline. Server frames are not
 * masked, so it writes them itself (RFC 6455, section 5.2) and no encoder is needed per connection.
 */
final class WebSocketConnection extends SimpleChannelInboundHandler<WebSocketFrame>
    implements Transport {

  private static final Logger log = LoggerFactory.getLogger(WebSocketConnection.class);

  private static final int FINAL = 0x80;
  private static final int TEXT = 0x1;
  private static final int BINARY = 0x2;
  private static final int CLOSE = 0x8;
  private static final int PONG = 0xA;
  private static final int MAX_HEADER_BYTES = 10;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(3);

  private final ConnectionServices services;
  private final ConnectionLoop loop;
  private final Codec codec;
  private @Nullable ClientConnection connection;
  private @Nullable ChannelHandlerContext context;
  private boolean flushScheduled;
  private boolean closing;

  /** Ends the wait for the client's close frame; to be cancelled, or it holds a closed channel. */
  private @Nullable Future<?> cutOff;

  WebSocketConnection(ConnectionServices services, ConnectionLoop loop, Codec codec) {
    this.services = services;
    this.loop = loop;
    this.codec = codec;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
    connection = new ClientConnection(services, loop, this, codec);
  }

  // What the client does.

  @Override
  protected void channelRead0(ChannelHandlerContext unused, WebSocketFrame frame) {
    switch (frame) {
      case TextWebSocketFrame text -> received(text.content());
      case BinaryWebSocketFrame binary -> received(binary.content());
      case PingWebSocketFrame ping -> onPing(ping.content());
      case CloseWebSocketFrame close -> onClose(close);
      default -> {}
    }
  }

  private void received(ByteBuf content) {
    if (connection != null && !closing) {
      connection.received(ByteBufUtil.getBytes(content));
    }
  }

  private void onPing(ByteBuf content) {
    if (connection == null || closing) {
      // Nothing follows a close frame (RFC 6455, section 5.5.1).
      return;
    }
    if (congested()) {
      connection.close(DisconnectCode.SLOW);
    } else {
      writeFrame(PONG, ByteBufUtil.getBytes(content));
    }
  }

  private void onClose(CloseWebSocketFrame close) {
    if (closing) {
      closeChannel();
    } else {
      int code = close.statusCode();
      end(code < 0 ? WebSocketCloseStatus.NORMAL_CLOSURE.code() : code, "");
      // Behind the flush.
      loop.execute(this::closeChannel);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext unused) {
    closed();
    if (cutOff != null) {
      var unusedToo = cutOff.cancel(false);
      cutOff = null;
    }
    context = null;
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext unused, Throwable failure) {
    switch (failure) {
      case TooLongFrameException tooLong ->
          end(WebSocketCloseStatus.MESSAGE_TOO_BIG.code(), "message too big");
      case CorruptedWebSocketFrameException corrupted ->
          end(corrupted.closeStatus().code(), corrupted.closeStatus().reasonText());
      case IOException gone -> closeChannel();
      case PrematureChannelClosureException goneInTheMiddleOfAMessage -> closeChannel();
      default -> {
        log.error("a WebSocket failed", failure);
        closeChannel();
      }
    }
  }

  // What the server does.

  @Override
  public void write(byte[] frame) {
    if (!closing) {
      writeFrame(codec.isText() ? TEXT : BINARY, frame);
    }
  }

  @Override
  public boolean congested() {
    return context != null && !context.channel().isWritable();
  }

  @Override
  public void close(DisconnectCode code) {
    if (code.equals(DisconnectCode.CONNECTION_CLOSED)) {
      closeChannel();
    } else {
      end(code.code(), code.reason());
    }
  }

  /** Writes a close frame and gives the client a little time to answer it with its own. */
  private void end(int code, String reason) {
    if (closing || context == null) {
      return;
    }
    byte[] text = reason.getBytes(UTF_8);
    byte[] body = new byte[2 + text.length];
    body[0] = (byte) (code >>> 8);
    body[1] = (byte) code;
    System.arraycopy(text, 0, body, 2, text.length);
    writeFrame(CLOSE, body);
    closing = true;
    closed();
    cutOff = loop.after(CLOSE_TIMEOUT, this::closeChannel);
  }

  private void closed() {
    if (connection != null) {
      connection.closed();
      connection = null;
    }
  }

  private void writeFrame(int opcode, byte[] body) {
    ChannelHandlerContext open = context;
    if (open == null) {
      return;
    }
    ByteBuf frame = open.alloc().directBuffer(MAX_HEADER_BYTES + body.length);
    frame.writeByte(FINAL | opcode);
    if (body.length < 126) {
      frame.writeByte(body.length);
    } else if (body.length <= 0xFFFF) {
      frame.writeByte(126).writeShort(body.length);
    } else {
      frame.writeByte(127).writeLong(body.length);
    }
    frame.writeBytes(body);
    var unused = open.write(frame, open.voidPromise());
    // Flushed behind the tasks that wait already: several frames then leave in one system call.
    if (!flushScheduled) {
      flushScheduled = true;
      loop.execute(this::flush);
    }
  }

  private void flush() {
    flushScheduled = false;
    if (context != null) {
      context.flush();
    }
  }

  private void closeChannel() {
    if (context != null) {
      var unused = context.close();
    }
  }
}
