package dev.hawser.gateway.socket;

import dev.hawser.gateway.connection.Admission;
import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.DrainSettings;
import dev.hawser.protocol.client.DisconnectCode;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.util.NettyRuntime;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The WebSocket listener: native epoll where there is one, NIO elsewhere. */
public final class WebSocketServer {

  private static final int ACCEPT_BACKLOG = 4_096;
  private static final int MAX_HANDSHAKE_BYTES = 16 * 1_024;

  /** Refused clients that are told why. Each has a file descriptor that it was refused for. */
  private static final int MAX_REFUSED = 100;

  private static final long QUIET_MILLISECONDS = 100;
  private static final long STOP_TIMEOUT_MILLISECONDS = 5_000;

  private final MultiThreadIoEventLoopGroup group;
  private final Map<EventExecutor, ConnectionLoop> loops;
  private final Channel listener;
  private final @Nullable Tls tls;
  private final Supplier<DrainSettings> drain;
  private final AtomicBoolean stopping = new AtomicBoolean();
  private final CompletableFuture<Void> stopped = new CompletableFuture<>();

  /**
   * Starts to listen. The stage fails with {@link java.net.BindException} when the port is taken.
   *
   * @throws IllegalArgumentException if the certificate is of no use
   */
  public static CompletionStage<WebSocketServer> bind(
      WebSocketSettings settings, ConnectionServices services) {
    @Nullable Tls tls = settings.tls().map(Tls::new).orElse(null);
    IoHandlerFactory handlers =
        Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    Class<? extends ServerSocketChannel> channel =
        Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    int threads =
        settings.eventLoops() > 0 ? settings.eventLoops() : NettyRuntime.availableProcessors();
    var group = new MultiThreadIoEventLoopGroup(threads, handlers);
    var loops = new IdentityHashMap<EventExecutor, ConnectionLoop>();
    group.forEach(
        loop -> loops.put(loop, new ConnectionLoop((EventLoop) loop, services.settings())));

    ChannelFutureListener left = closed -> services.admission().left(null);
    var refused = new AtomicInteger();
    int pending = services.settings().maxPendingBytes();
    var bootstrap =
        new ServerBootstrap()
            .group(group)
            .channel(channel)
            .option(ChannelOption.SO_BACKLOG, ACCEPT_BACKLOG)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(
                ChannelOption.WRITE_BUFFER_WATER_MARK,
                new WriteBufferWaterMark(pending / 2, pending))
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel accepted) {
                    ConnectionLoop loop = loops.get(accepted.eventLoop());
                    if (loop == null) {
                      throw new IllegalStateException("a channel on a foreign event loop");
                    }
                    Admission admission = services.admission();
                    InetAddress address =
                        admission.countsAddresses()
                                && accepted.remoteAddress() instanceof InetSocketAddress from
                            ? from.getAddress()
                            : null;
                    if (admission.ask(address) != null) {
                      if (tls == null) {
                        refuse(accepted, admission.retryAfterSeconds(), refused);
                      } else {
                        // To say why would take the handshake that there is no room for.
                        var unused = accepted.close();
                      }
                      return;
                    }
                    admission.entered(address);
                    accepted
                        .closeFuture()
                        .addListener(address == null ? left : closed -> admission.left(address));
                    if (tls != null) {
                      accepted.pipeline().addLast(tls.handler(accepted.alloc()));
                    }
                    accepted
                        .pipeline()
                        .addLast(new HttpServerCodec())
                        .addLast(new HttpObjectAggregator(MAX_HANDSHAKE_BYTES))
                        .addLast(new Handshake(settings, services, loop));
                  }
                });
    var bound = new CompletableFuture<WebSocketServer>();
    var binding = bootstrap.bind(settings.host(), settings.port());
    binding.addListener(
        done -> {
          if (done.isSuccess()) {
            bound.complete(
                new WebSocketServer(group, loops, binding.channel(), tls, services.drain()));
          } else {
            if (tls != null) {
              tls.close();
            }
            var unused = group.shutdownGracefully();
            bound.completeExceptionally(done.cause());
          }
        });
    return bound;
  }

  private static void refuse(Channel accepted, int retryAfterSeconds, AtomicInteger refused) {
    if (refused.incrementAndGet() <= MAX_REFUSED) {
      accepted.closeFuture().addListener(closed -> refused.decrementAndGet());
      accepted.pipeline().addLast(new RefusedHandshake(retryAfterSeconds));
    } else {
      refused.decrementAndGet();
      // With a reset, so that nothing of it stays in the kernel either.
      accepted.config().setOption(ChannelOption.SO_LINGER, 0);
      var unused = accepted.close();
    }
  }

  private WebSocketServer(
      MultiThreadIoEventLoopGroup group,
      Map<EventExecutor, ConnectionLoop> loops,
      Channel listener,
      @Nullable Tls tls,
      Supplier<DrainSettings> drain) {
    this.tls = tls;
    this.drain = drain;
    this.group = group;
    this.loops = loops;
    this.listener = listener;
  }

  /** Tasks that wait for their turn on the event loops; a measure of how busy the edge is. */
  public int pendingTasks() {
    int tasks = 0;
    for (EventExecutor loop : loops.keySet()) {
      tasks += ((SingleThreadEventExecutor) loop).pendingTasks();
    }
    return tasks;
  }

  /** Writes it to all clients of this door; completes when that is done. */
  public CompletionStage<Void> broadcast(Broadcast broadcast) {
    var frames = new SharedFrames(broadcast, listener.alloc());
    return CompletableFuture.allOf(
            loops.values().stream()
                .map(loop -> loop.broadcast(frames, broadcast.messages()).toCompletableFuture())
                .toArray(CompletableFuture<?>[]::new))
        .whenComplete((done, failure) -> frames.release());
  }

  /** Whose load is the door's. */
  public Collection<ConnectionLoop> loops() {
    return loops.values();
  }

  /** When the certificate that new connections get ends; empty without TLS. */
  public Optional<Instant> certificateExpiresAt() {
    return Optional.ofNullable(tls).map(Tls::expiresAt);
  }

  /** The port it listens on. */
  public int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  /**
   * Takes no new clients, tells those that are there to come back elsewhere, and ends. A second
   * call waits for the same end.
   */
  public CompletionStage<Void> stop() {
    if (stopping.getAndSet(true)) {
      return stopped;
    }
    listener
        .close()
        .addListener(
            closed -> {
              var unused =
                  ConnectionLoop.closeAll(loops.values(), DisconnectCode.SHUTDOWN, drain.get())
                      .thenRun(this::end);
            });
    return stopped;
  }

  private void end() {
    Future<?> ended =
        group.shutdownGracefully(
            QUIET_MILLISECONDS, STOP_TIMEOUT_MILLISECONDS, TimeUnit.MILLISECONDS);
    ended.addListener(
        done -> {
          if (tls != null) {
            tls.close();
          }
          stopped.complete(null);
        });
  }
}
