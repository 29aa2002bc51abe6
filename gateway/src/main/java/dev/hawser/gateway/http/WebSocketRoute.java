package dev.hawser.gateway.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequest;
import static org.apache.pekko.http.javadsl.server.Directives.extractWebSocketUpgrade;
import static org.apache.pekko.http.javadsl.server.Directives.get;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.PathMatchers.separateOnSlashes;

import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Subprotocol;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.model.ws.WebSocketUpgrade;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.SystemMaterializer;
import org.jspecify.annotations.Nullable;

/**
 * WebSockets as Pekko streams, on the port that serves HTTP. The same clients, tokens and Origin
 * rules as on the port of their own; only the memory per connection differs (docs/decisions/0001).
 */
final class WebSocketRoute {

  /** Time for close frames to leave before the loops end. */
  private static final Duration FAREWELL = Duration.ofMillis(200);

  private final ConnectionServices services;
  private final Materializer materializer;
  private final List<ScheduledExecutorService> threads = new ArrayList<>();
  private final List<ConnectionLoop> loops = new ArrayList<>();
  private final AtomicInteger accepted = new AtomicInteger();

  WebSocketRoute(ActorSystem<?> system, ConnectionServices services) {
    this.services = services;
    this.materializer = SystemMaterializer.get(system).materializer();
    for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) {
      var thread =
          new ScheduledThreadPoolExecutor(
              1, Thread.ofPlatform().name("hawser-http-connections-" + i).factory());
      // What waits for a time to come must hold neither a closed connection nor the process.
      thread.setRemoveOnCancelPolicy(true);
      thread.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
      threads.add(thread);
      loops.add(new ConnectionLoop(thread, services.settings()));
    }
  }

  Route route() {
    String path = services.settings().path().substring(1);
    return path(
        separateOnSlashes(path),
        () ->
            get(
                () ->
                    extractRequest(
                        request ->
                            extractWebSocketUpgrade(
                                upgrade -> complete(accept(request, upgrade))))));
  }

  private HttpResponse accept(HttpRequest request, WebSocketUpgrade upgrade) {
    if (!services
        .settings()
        .allowedOrigins()
        .allow(header(request, "Origin"), header(request, "Host"))) {
      return HttpResponse.create()
          .withStatus(StatusCodes.FORBIDDEN)
          .withEntity("this Origin is not in hawser.connection.allowed-origins\n");
    }
    if (services.admission().ask(null) != null) {
      return HttpResponse.create()
          .withStatus(StatusCodes.SERVICE_UNAVAILABLE)
          .addHeader(
              RawHeader.create(
                  "Retry-After", Integer.toString(services.admission().retryAfterSeconds())));
    }
    String selected = null;
    for (String offered : upgrade.getRequestedProtocols()) {
      if (selected == null && Subprotocol.SUPPORTED.contains(offered)) {
        selected = offered;
      }
    }
    Codec codec = Subprotocol.codec(selected, name -> request.getUri().query().getAll(name));
    ConnectionLoop loop = loops.get(Math.floorMod(accepted.getAndIncrement(), loops.size()));
    var flow = new StreamedConnection(services, loop, codec, materializer).flow();
    return selected == null
        ? upgrade.handleMessagesWith(flow)
        : upgrade.handleMessagesWith(flow, selected);
  }

  private static @Nullable String header(HttpRequest request, String name) {
    return request.getHeader(name).map(HttpHeader::value).orElse(null);
  }

  CompletionStage<Void> broadcast(Broadcast broadcast) {
    Broadcast.Writer writer =
        (transport, codec) -> broadcast.frames(codec).forEach(transport::write);
    return CompletableFuture.allOf(
        loops.stream()
            .map(loop -> loop.broadcast(writer, broadcast.messages()).toCompletableFuture())
            .toArray(CompletableFuture<?>[]::new));
  }

  CompletionStage<Done> stop() {
    return ConnectionLoop.closeAll(loops, DisconnectCode.SHUTDOWN, services.drain().get())
        .thenApplyAsync(
            all -> {
              threads.forEach(ScheduledExecutorService::shutdown);
              return Done.getInstance();
            },
            CompletableFuture.delayedExecutor(FAREWELL.toMillis(), TimeUnit.MILLISECONDS));
  }
}
