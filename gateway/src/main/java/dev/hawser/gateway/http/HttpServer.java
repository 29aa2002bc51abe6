package dev.hawser.gateway.http;

import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.ConnectionServices;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.server.Directives;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.http.javadsl.settings.ServerSettings;
import org.jspecify.annotations.Nullable;

/** The HTTP listener. */
public final class HttpServer {

  private static final Duration FINISH_TIMEOUT = Duration.ofSeconds(3);
  private static final Duration MIN_IDLE_TIMEOUT = Duration.ofSeconds(60);

  private final ServerBinding binding;
  private final @Nullable WebSocketRoute webSockets;

  /**
   * Starts to listen. The stage fails when the port is taken.
   *
   * @param services what connections work with; null where WebSockets are not served
   * @param routes what is served besides WebSockets
   */
  public static CompletionStage<HttpServer> bind(
      ActorSystem<?> system,
      HttpSettings settings,
      @Nullable ConnectionServices services,
      Route routes) {
    WebSocketRoute webSockets = services == null ? null : new WebSocketRoute(system, services);
    // pekko-http cuts what is silent for its idle timeout; clients are silent between two pings.
    Duration twoPings =
        services == null ? Duration.ZERO : services.settings().maxPingInterval().multipliedBy(2);
    Duration idleTimeout = twoPings.compareTo(MIN_IDLE_TIMEOUT) > 0 ? twoPings : MIN_IDLE_TIMEOUT;
    var defaults = ServerSettings.create(system.classicSystem());
    return Http.get(system)
        .newServerAt(settings.host(), settings.port())
        .withSettings(
            defaults.withTimeouts(
                defaults
                    .getTimeouts()
                    .withIdleTimeout(
                        scala.concurrent.duration.Duration.fromNanos(idleTimeout.toNanos()))))
        .bind(webSockets == null ? routes : Directives.concat(webSockets.route(), routes))
        .thenApply(binding -> new HttpServer(binding, webSockets))
        .whenComplete(
            (server, failure) -> {
              if (failure != null && webSockets != null) {
                var unused = webSockets.stop();
              }
            });
  }

  private HttpServer(ServerBinding binding, @Nullable WebSocketRoute webSockets) {
    this.binding = binding;
    this.webSockets = webSockets;
  }

  /** The port it listens on. */
  public int port() {
    return binding.localAddress().getPort();
  }

  /** Writes it to all clients of this door; completes when that is done. */
  public CompletionStage<Void> broadcast(Broadcast broadcast) {
    return webSockets == null
        ? CompletableFuture.completedFuture(null)
        : webSockets.broadcast(broadcast);
  }

  /** Takes no new clients, tells those that are there to come back elsewhere, and ends. */
  public CompletionStage<Done> stop() {
    return binding
        .unbind()
        .thenCompose(
            unbound ->
                webSockets == null
                    ? CompletableFuture.completedFuture(Done.getInstance())
                    : webSockets.stop())
        .thenCompose(closed -> binding.terminate(FINISH_TIMEOUT))
        .thenApply(terminated -> Done.getInstance());
  }
}
