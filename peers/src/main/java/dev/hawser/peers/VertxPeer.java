package dev.hawser.peers;

import io.netty.channel.Channel;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.ServerWebSocket;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Vert.x: a verticle on every event loop, which has its own WebSockets and hears of messages on the
 * event bus.
 */
public final class VertxPeer implements PeerServer {

  private static final String MESSAGES = "messages";

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    PeerServer.run(new VertxPeer(), arguments);
  }

  @Override
  public String versions() {
    return "Vert.x %s, Netty %s"
        .formatted(PeerServer.versionOf(Vertx.class), PeerServer.versionOf(Channel.class));
  }

  @Override
  public void listen(int port) throws Exception {
    Vertx vertx = Vertx.vertx(new VertxOptions().setPreferNativeTransport(true));
    var everyLoop = new DeploymentOptions().setInstances(VertxOptions.DEFAULT_EVENT_LOOP_POOL_SIZE);
    vertx
        .deployVerticle(() -> new Door(port), everyLoop)
        .toCompletionStage()
        .toCompletableFuture()
        .get();
  }

  private static final class Door extends VerticleBase {

    private final int port;
    private final Set<ServerWebSocket> subscribers = new LinkedHashSet<>();

    Door(int port) {
      this.port = port;
    }

    @Override
    public Future<?> start() {
      vertx
          .eventBus()
          .<String>localConsumer(
              MESSAGES,
              message ->
                  subscribers.forEach(
                      socket -> {
                        var unused = socket.writeTextMessage(message.body());
                      }));
      var options =
          new HttpServerOptions()
              .setHost(HOST)
              .setPort(port)
              .setAcceptBacklog(BACKLOG)
              .setTcpNoDelay(true);
      return vertx.createHttpServer(options).webSocketHandler(this::opened).listen();
    }

    private void opened(ServerWebSocket socket) {
      if (socket.path().equals(SUBSCRIBE)) {
        subscribers.add(socket);
        socket.closeHandler(closed -> subscribers.remove(socket));
      } else {
        socket.textMessageHandler(text -> vertx.eventBus().publish(MESSAGES, text));
      }
    }
  }
}
