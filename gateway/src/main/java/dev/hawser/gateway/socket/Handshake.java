package dev.hawser.gateway.socket;

import static io.netty.handler.codec.http.HttpResponseStatus.BAD_REQUEST;
import static io.netty.handler.codec.http.HttpResponseStatus.FORBIDDEN;
import static io.netty.handler.codec.http.HttpResponseStatus.METHOD_NOT_ALLOWED;
import static io.netty.handler.codec.http.HttpResponseStatus.NOT_FOUND;
import static io.netty.handler.codec.http.HttpResponseStatus.SWITCHING_PROTOCOLS;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Subprotocol;
import dev.hawser.protocol.client.Codec;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Turns one HTTP request into a WebSocket, or answers why not. After the upgrade nothing of HTTP,
 * and not this handler either, stays in the pipeline.
 */
final class Handshake extends SimpleChannelInboundHandler<FullHttpRequest> {

  private static final String VERSION = "13";

  /** 16 bytes in Base64. */
  private static final Pattern KEY = Pattern.compile("[A-Za-z0-9+/]{22}==");

  private static final String MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

  private final WebSocketSettings settings;
  private final ConnectionServices services;
  private final ConnectionLoop loop;
  private @Nullable Future<?> timeout;

  Handshake(WebSocketSettings settings, ConnectionServices services, ConnectionLoop loop) {
    this.settings = settings;
    this.services = services;
    this.loop = loop;
  }

  /** Who opens a socket and asks for nothing must not hold it for ever. */
  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    services.admission().handshakeStarted();
    timeout =
        loop.after(
            services.settings().connectTimeout(),
            () -> {
              var unused = context.close();
            });
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    services.admission().handshakeEnded();
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
    boolean echo = uri.path().equals(settings.echoPath());
    if (request.protocolVersion().compareTo(HttpVersion.HTTP_1_1) < 0) {
      refuse(context, BAD_REQUEST, "expected HTTP/1.1");
    } else if (headers.getAll(HttpHeaderNames.HOST).size() != 1) {
      refuse(context, BAD_REQUEST, "expected one header Host");
    } else if (!echo && !uri.path().equals(services.settings().path())) {
      refuse(context, NOT_FOUND, "nothing here; WebSockets are at " + services.settings().path());
    } else if (!request.method().equals(HttpMethod.GET)) {
      refuse(context, METHOD_NOT_ALLOWED, "expected GET with a WebSocket upgrade");
    } else if (!headers.containsValue(HttpHeaderNames.UPGRADE, HttpHeaderValues.WEBSOCKET, true)) {
      refuse(context, BAD_REQUEST, "expected the header Upgrade: websocket");
    } else if (!headers.containsValue(HttpHeaderNames.CONNECTION, HttpHeaderValues.UPGRADE, true)) {
      refuse(context, BAD_REQUEST, "expected the header Connection: Upgrade");
    } else if (!echo && !isOriginAllowed(headers)) {
      refuse(context, FORBIDDEN, "this Origin is not in hawser.connection.allowed-origins");
    } else if (!VERSION.equals(headers.get(HttpHeaderNames.SEC_WEBSOCKET_VERSION))) {
      WebSocketServerHandshakerFactory.sendUnsupportedVersionResponse(context.channel())
          .addListener(ChannelFutureListener.CLOSE);
    } else {
      String key = headers.get(HttpHeaderNames.SEC_WEBSOCKET_KEY);
      if (key == null || !KEY.matcher(key).matches()) {
        refuse(context, BAD_REQUEST, "expected the header Sec-WebSocket-Key with 16 bytes");
      } else {
        boolean compressing =
            settings.compression()
                && Deflate.isOffered(headers.getAll(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS));
        if (echo) {
          var socket = new EchoSocket(loop, settings.maxEchoBytes(), compressing);
          upgrade(context, key, null, compressing, socket);
        } else {
          String subprotocol = subprotocol(headers);
          Codec codec =
              Subprotocol.codec(
                  subprotocol, name -> uri.parameters().getOrDefault(name, List.of()));
          var socket = new WebSocketConnection(services, loop, codec, compressing);
          upgrade(context, key, subprotocol, compressing, socket);
        }
      }
    }
  }

  private boolean isOriginAllowed(HttpHeaders headers) {
    return services
        .settings()
        .allowedOrigins()
        .allow(headers.get(HttpHeaderNames.ORIGIN), headers.get(HttpHeaderNames.HOST));
  }

  /** The first of those the client offers that is known. */
  private static @Nullable String subprotocol(HttpHeaders headers) {
    for (String line : headers.getAll(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL)) {
      for (String offered : line.split(",", -1)) {
        if (Subprotocol.SUPPORTED.contains(offered.strip())) {
          return offered.strip();
        }
      }
    }
    return null;
  }

  private void upgrade(
      ChannelHandlerContext context,
      String key,
      @Nullable String subprotocol,
      boolean compressing,
      WebSocket socket) {
    var response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, SWITCHING_PROTOCOLS, Unpooled.EMPTY_BUFFER);
    response
        .headers()
        .set(HttpHeaderNames.UPGRADE, HttpHeaderValues.WEBSOCKET)
        .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.UPGRADE)
        .set(HttpHeaderNames.SEC_WEBSOCKET_ACCEPT, accept(key));
    if (subprotocol != null) {
      response.headers().set(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    if (compressing) {
      response.headers().set(HttpHeaderNames.SEC_WEBSOCKET_EXTENSIONS, Deflate.AGREED);
    }
    var unused = context.writeAndFlush(response);
    ChannelPipeline pipeline = context.pipeline();
    pipeline.addLast(socket);
    pipeline.remove(HttpObjectAggregator.class);
    pipeline.remove(this);
    // Last: it hands on what it has read behind the request.
    pipeline.remove(HttpServerCodec.class);
  }

  /** RFC 6455, section 4.2.2. */
  private static String accept(String key) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-1").digest((key + MAGIC).getBytes(US_ASCII));
      return Base64.getEncoder().encodeToString(digest);
    } catch (NoSuchAlgorithmException everyPlatformHasIt) {
      throw new AssertionError(everyPlatformHasIt);
    }
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
    if (status.equals(METHOD_NOT_ALLOWED)) {
      response.headers().set(HttpHeaderNames.ALLOW, HttpMethod.GET.name());
    }
    context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    // Peer reset, TLS spoken to a plain port and the like, before there is a client to tell.
    var unused = context.close();
  }
}
