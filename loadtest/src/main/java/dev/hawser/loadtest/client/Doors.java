package dev.hawser.loadtest.client;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;

/** Where clients connect, and from which addresses. Used by one event loop. */
final class Doors {

  private static final int RECEIVE_BUFFER = 8 * 1024;
  private static final int CONNECT_MILLISECONDS = 10_000;

  private final Bootstrap bootstrap;
  private final List<ByteBuf> handshakes;
  private final List<InetSocketAddress> addresses;
  private final List<InetSocketAddress> sources;
  private int nextSource;

  Doors(List<URI> urls, List<String> sources, EventLoop loop) {
    this.handshakes = urls.stream().map(Frames::handshake).toList();
    this.addresses =
        urls.stream().map(url -> new InetSocketAddress(url.getHost(), url.getPort())).toList();
    this.sources = sources.stream().map(source -> new InetSocketAddress(source, 0)).toList();
    this.bootstrap =
        new Bootstrap()
            .group(loop)
            .channel(EpollSocketChannel.class)
            // The port is chosen when it connects: it must be free for that address pair only.
            .option(EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true)
            .option(ChannelOption.TCP_NODELAY, true)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLISECONDS)
            .option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
            .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BUFFER));
  }

  /** Opens a client's connection. */
  ChannelFuture connect(LightClient client) {
    InetSocketAddress source = sources.get(nextSource++ % sources.size());
    return bootstrap.clone().handler(client).connect(addresses.get(door(client)), source);
  }

  /** What a client that is connected says first. */
  ByteBuf handshake(LightClient client) {
    return handshakes.get(door(client)).duplicate();
  }

  /** Why a connection could not be opened, as a kind of error. */
  static String trouble(Throwable cause) {
    if (cause instanceof ConnectTimeoutException) {
      return "tcp-timeout";
    }
    return String.valueOf(cause.getMessage()).contains("refused") ? "refused" : "unreachable";
  }

  /** The next one at every attempt, as behind a balancer. */
  private int door(LightClient client) {
    return (client.user + client.attempt) % addresses.size();
  }
}
