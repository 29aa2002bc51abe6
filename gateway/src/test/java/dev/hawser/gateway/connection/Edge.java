package dev.hawser.gateway.connection;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.http.HttpServer;
import dev.hawser.gateway.http.HttpSettings;
import dev.hawser.gateway.socket.WebSocketServer;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.http.javadsl.server.Directives;

/** A door, open on a free port, before {@link PlayedServices}. */
final class Edge implements AutoCloseable {

  /** Lasts as long as the tests' process. */
  private static final ActorSystem<Void> SYSTEM =
      ActorSystem.create(
          Behaviors.empty(),
          "edge",
          ConfigFactory.parseString("pekko.actor.provider = local, pekko.daemonic = on")
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());

  private static final Map<Door, Edge> SHARED = new EnumMap<>(Door.class);
  private static final AtomicInteger USERS = new AtomicInteger();

  final Door door;
  final PlayedServices played;
  final int port;
  private final Supplier<CompletionStage<?>> stop;
  private final Function<Broadcast, CompletionStage<?>> broadcast;

  /** With the default settings, for tests that neither change nor stop it. */
  static synchronized Edge shared(Door door) {
    return SHARED.computeIfAbsent(door, missing -> open(missing, ""));
  }

  /** With settings of its own: lines of {@code hawser}. */
  static Edge open(Door door, String settings) {
    return new Edge(door, new PlayedServices(settings));
  }

  /** A user that no other test has. */
  static String newUser() {
    return "user-" + USERS.incrementAndGet();
  }

  private Edge(Door door, PlayedServices played) {
    this.door = door;
    this.played = played;
    try {
      switch (door) {
        case NETTY -> {
          var server =
              WebSocketServer.bind(played.webSocket, played.services)
                  .toCompletableFuture()
                  .get(10, TimeUnit.SECONDS);
          port = server.port();
          stop = server::stop;
          broadcast = server::broadcast;
        }
        case PEKKO_HTTP -> {
          var api = Directives.path("hello", () -> Directives.complete("world"));
          var server =
              HttpServer.bind(SYSTEM, new HttpSettings("127.0.0.1", 0), played.services, api)
                  .toCompletableFuture()
                  .get(10, TimeUnit.SECONDS);
          port = server.port();
          stop = server::stop;
          broadcast = server::broadcast;
        }
        default -> throw new AssertionError(door);
      }
    } catch (Exception failure) {
      throw new AssertionError(failure);
    }
  }

  /** A socket to the door, and nothing said yet. */
  RawClient dial() {
    return RawClient.dial(port);
  }

  /** A WebSocket that speaks JSON, before the connect command. */
  RawClient upgraded() {
    return upgraded(JsonCodec.INSTANCE);
  }

  RawClient upgraded(Codec codec) {
    var client = dial();
    client.upgrade(codec);
    return client;
  }

  /** A client that is connected. */
  RawClient connected(String user) {
    return connected(user, JsonCodec.INSTANCE);
  }

  RawClient connected(String user, Codec codec) {
    var client = upgraded(codec);
    client.connect(Tokens.of(user));
    return client;
  }

  /** Waits until it was written to everybody. */
  void broadcast(Broadcast messages) {
    broadcast.apply(messages).toCompletableFuture().orTimeout(20, TimeUnit.SECONDS).join();
  }

  CompletionStage<?> stop() {
    return stop.get();
  }

  @Override
  public void close() {
    stop().toCompletableFuture().orTimeout(20, TimeUnit.SECONDS).join();
  }
}
