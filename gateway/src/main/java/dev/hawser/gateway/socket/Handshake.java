package dev.hawser.gateway.socket;

import static io.netty.handler.codec.http.HttpResponseStatus.BAD_REQUEST;
import static io.netty.handler.codec.http.HttpResponseStatus.FORBIDDEN;
import static io.netty.handler.codec.http.HttpResponseStatus.METHOD_NOT_ALLOWED;
import static io.netty.handler.codec.http.HttpResponseStatus.NOT_FOUND;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Subprotocol;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketDecoderConfig;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshaker13;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.util.List;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Turns one HTTP request into a WebSocket, or answers why not. After the upgrade nothing of HTTP,
 * and not this handler either, stays in the pipeline.
 */
final class Handshake extends SimpleChannelInboundHandler<FullHttpRequest> {

  private static final String SUBPROTOCOLS = String.join(",", Subprotocol.SUPPORTED);
  private static final String VERSION = "13";
  private static final String NETTY_FRAME_ENCODER = "wsencoder";

  private final ConnectionServices services;
  private final ConnectionLoop loop;
  private @Nullable Future<?> timeout;

  Handshake(ConnectionServices services, ConnectionLoop loop) {
    this.services = services;
    this.loop = loop;
  }

  /** Who opens a socket and asks for nothing must not hold it for ever. */
  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    timeout =
        loop.after(
            services.settings().connectTimeout(),
            () -> {
              var unused = context.close();
            });
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    if (timeout != null) {
      var unused = timeout.cancel(false);
      timeout = null;
    }
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
    var uri = new QueryStringDecoder(request.uri());
    if (!request.decoderResult().isSuccess() || !isDecodable(uri)) {
      refuse(context, BAD_REQUEST, "malformed HTTP request");
    } else {
      answer(context, request, uri);
    }
  }

  /** The decoder works, and throws, when asked. */
  private static boolean isDecodable(QueryStringDecoder uri) {
    try {
      return !uri.path().isEmpty() && uri.parameters() != null;
    } catch (IllegalArgumentException badEscape) {
      return false;
    }
  }

  private void answer(
      ChannelHandlerContext context, FullHttpRequest request, QueryStringDecoder uri) {
    var headers = request.headers();
    if (!uri.path().equals(services.settings().path())) {
      refuse(context, NOT_FOUND, "nothing here; WebSockets are at " + services.settings().path());
    } else if (!request.method().equals(HttpMethod.GET)) {
      refuse(context, METHOD_NOT_ALLOWED, "expected GET with a WebSocket upgrade");
    } else if (!headers.containsValue(HttpHeaderNames.UPGRADE, HttpHeaderValues.WEBSOCKET, true)) {
      refuse(context, BAD_REQUEST, "expected the header Upgrade: websocket");
    } else if (!services
        .settings()
        .allowedOrigins()
        .allow(headers.get(HttpHeaderNames.ORIGIN), headers.get(HttpHeaderNames.HOST))) {
      refuse(context, FORBIDDEN, "this Origin is not in hawser.connection.allowed-origins");
    } else {
      upgrade(context, request, uri);
    }
  }

  private void upgrade(
      ChannelHandlerContext context, FullHttpRequest request, QueryStringDecoder uri) {
    int maxFrame = services.settings().maxFrameBytes();
    // Violations arrive as exceptions: the connection writes its close frames itself.
    var decoding =
        WebSocketDecoderConfig.newBuilder()
            .maxFramePayloadLength(maxFrame)
            .allowExtensions(false)
            .closeOnProtocolViolation(false)
            .build();
    if (!VERSION.equals(request.headers().get(HttpHeaderNames.SEC_WEBSOCKET_VERSION))) {
      // Netty would speak the drafts before RFC 6455, too, whose frames are others.
      WebSocketServerHandshakerFactory.sendUnsupportedVersionResponse(context.channel())
          .addListener(ChannelFutureListener.CLOSE);
      return;
    }
    var handshaker = new WebSocketServerHandshaker13("", SUBPROTOCOLS, decoding);
    ChannelPipeline pipeline = context.pipeline();
    try {
      var unused = handshaker.handshake(context.channel(), request);
    } catch (RuntimeException malformed) {
      refuse(context, BAD_REQUEST, "malformed WebSocket handshake");
      return;
    }
    pipeline.remove(NETTY_FRAME_ENCODER);
    pipeline.addLast(new WebSocketFrameAggregator(maxFrame));
    pipeline.addLast(
        new WebSocketConnection(
            services,
            loop,
            Subprotocol.codec(
                handshaker.selectedSubprotocol(),
                name -> uri.parameters().getOrDefault(name, List.of()))));
    pipeline.remove(this);
  }

  private static void refuse(
      ChannelHandlerContext context, HttpResponseStatus status, String reason) {
    var response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, status, Unpooled.copiedBuffer(reason + "\n", UTF_8));
    response
        .headers()
        .set(HttpHeaderNames.CONTENT_TYPE, "text/plain; charset=utf-8")
        .set(HttpHeaderNames.CONTENT_LENGTH, response.content().readableBytes())
        .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    // Peer reset, TLS spoken to a plain port and the like, before there is a client to tell.
    var unused = context.close();
  }
}
