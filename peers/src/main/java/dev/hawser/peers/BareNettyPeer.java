package dev.hawser.peers;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler.HandshakeComplete;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The floor: Netty's own WebSocket handlers and nothing else. A message is encoded once, and each
 * event loop writes it to its connections.
 */
public final class BareNettyPeer implements PeerServer {

  private static final int MAX_REQUEST = 8_192;
  private static final int FINAL_TEXT = 0x81;
  private static final int MAX_SHORT = 125;
  private static final int MEDIUM = 126;

  /** Who is on which event loop. A write may end one while others are written. */
  private final Map<EventLoop, Set<Channel>> subscribers = new ConcurrentHashMap<>();

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    PeerServer.run(new BareNettyPeer(), arguments);
  }

  @Override
  public String versions() {
    return "Netty " + PeerServer.versionOf(Channel.class);
  }

  @Override
  public void listen(int port) throws InterruptedException {
    WebSocketServerProtocolConfig anyPath =
        WebSocketServerProtocolConfig.newBuilder().websocketPath("/").checkStartsWith(true).build();
    new ServerBootstrap()
        .group(new MultiThreadIoEventLoopGroup(EpollIoHandler.newFactory()))
        .channel(EpollServerSocketChannel.class)
        .option(ChannelOption.SO_BACKLOG, BACKLOG)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childHandler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                channel
                    .pipeline()
                    .addLast(
                        new HttpServerCodec(),
                        new HttpObjectAggregator(MAX_REQUEST),
                        new WebSocketServerProtocolHandler(anyPath),
                        new Messages());
              }
            })
        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
        .sync();
  }

  private void publish(String text) {
    byte[] content = text.getBytes(UTF_8);
    ByteBuf frame = Unpooled.directBuffer(4 + content.length).writeByte(FINAL_TEXT);
    if (content.length <= MAX_SHORT) {
      frame.writeByte(content.length);
    } else {
      frame.writeByte(MEDIUM).writeShort(content.length);
    }
    ByteBuf encoded = Unpooled.unreleasableBuffer(frame.writeBytes(content)).asReadOnly();
    subscribers.forEach(
        (loop, channels) ->
            loop.execute(
                () -> {
                  for (Channel channel : channels) {
                    // What is encoded already passes the encoder of frames as it is.
                    channel
                        .writeAndFlush(encoded.duplicate())
                        .addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
                  }
                }));
  }

  private final class Messages extends SimpleChannelInboundHandler<TextWebSocketFrame> {

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof HandshakeComplete handshake
          && handshake.requestUri().equals(SUBSCRIBE)) {
        Set<Channel> neighbours =
            subscribers.computeIfAbsent(
                context.channel().eventLoop(), loop -> ConcurrentHashMap.newKeySet());
        neighbours.add(context.channel());
        context.channel().closeFuture().addListener(closed -> neighbours.remove(context.channel()));
      }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, TextWebSocketFrame frame) {
      publish(frame.text());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
      var unused = context.close();
    }
  }
}
