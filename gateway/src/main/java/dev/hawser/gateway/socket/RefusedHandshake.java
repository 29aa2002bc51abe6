package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Answers whatever is asked with 503 and Retry-After, without reading it. It waits for the first
 * bytes of the request: an answer to nothing is lost when the request meets a closed socket.
 */
final class RefusedHandshake extends ChannelInboundHandlerAdapter {

  private static final int TIMEOUT_SECONDS = 2;

  /** Before and behind the seconds. */
  private static final String HEAD = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: ";

  private static final String TAIL = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

  private final int retryAfterSeconds;
  private @Nullable Future<?> timeout;
  private boolean answered;

  RefusedHandshake(int retryAfterSeconds) {
    this.retryAfterSeconds = retryAfterSeconds;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    timeout =
        context
            .executor()
            .schedule(
                () -> {
                  var unused = context.close();
                },
                TIMEOUT_SECONDS,
                TimeUnit.SECONDS);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    if (timeout != null) {
      var unused = timeout.cancel(false);
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object request) {
    ReferenceCountUtil.release(request);
    if (answered) {
      return;
    }
    answered = true;
    context
        .writeAndFlush(Unpooled.copiedBuffer(HEAD + retryAfterSeconds + TAIL, US_ASCII))
        .addListener(
            written -> {
              if (written.isSuccess() && context.channel() instanceof DuplexChannel socket) {
                var unused = socket.shutdownOutput();
              } else {
                var unused = context.close();
              }
            });
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    var unused = context.close();
  }
}
