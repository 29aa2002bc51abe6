package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.Receiver;
import dev.hawser.gateway.session.Sessions;
import dev.hawser.gateway.socket.WebSocketSettings;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What connections work with, played by the test: sessions that let everybody in (or wait, or
 * fail), an upstream that acknowledges at once (or waits, or fails), and a listener that remembers.
 */
public final class PlayedServices {

  /** Of the next one: two nodes of one number would make the same connection ids. */
  private static final AtomicInteger NODES = new AtomicInteger();

  /** Where every stream ends. */
  static final StreamPosition TOP = new StreamPosition(41, "played");

  /** What a played part does when it is called. */
  enum Mode {
    ANSWER,
    HOLD,
    FAIL,
    THROW
  }

  /** A connection that asked for the session of a user. */
  record Attached(
      String user,
      long connection,
      String device,
      @Nullable StreamPosition since,
      Receiver receiver) {}

  final List<Attached> attached = new CopyOnWriteArrayList<>();
  final List<Long> acknowledged = new CopyOnWriteArrayList<>();
  final List<Long> detached = new CopyOnWriteArrayList<>();
  final LinkedBlockingQueue<Upstream.Message> messages = new LinkedBlockingQueue<>();
  final ConcurrentLinkedQueue<CompletableFuture<Void>> held = new ConcurrentLinkedQueue<>();
  final List<String> heard = new CopyOnWriteArrayList<>();
  final AtomicLong pushed = new AtomicLong();
  volatile Mode sessions = Mode.ANSWER;
  volatile Mode upstream = Mode.ANSWER;
  volatile Mode listener = Mode.ANSWER;

  /** A Netty door on a free port, with one loop. */
  final WebSocketSettings webSocket;

  /** What the connections get. */
  public final ConnectionServices services;

  /** Plays with settings that differ from the defaults: lines of {@code hawser}. */
  public PlayedServices(String settings) {
    int node = NODES.getAndIncrement();
    var config =
        ConfigFactory.parseString("hawser { auth.hmac-secret = " + Tokens.SECRET + " }")
            .withFallback(ConfigFactory.parseResources("reference.conf"));
    config =
        ConfigFactory.parseString("hawser {" + settings + "}")
            .withFallback(config)
            .withFallback(ConfigFactory.defaultReferenceUnresolved())
            .resolve();
    webSocket =
        WebSocketSettings.from(
            ConfigFactory.parseString("host = 127.0.0.1, port = 0, event-loops = 1")
                .withFallback(config.getConfig("hawser.websocket")));
    var drain = DrainSettings.from(config.getConfig("hawser.drain"));
    services =
        new ConnectionServices(
            ConnectionSettings.from(config.getConfig("hawser.connection")),
            new Admission(AdmissionSettings.from(config.getConfig("hawser.admission"))),
            () -> drain,
            new Authenticator(AuthenticatorSettings.from(config.getConfig("hawser.auth"))),
            new ConnectionId(() -> node, Clock.systemUTC()),
            new PlayedSessions(),
            this::upstream,
            new Ears(),
            "1.2.3");
  }

  private final class PlayedSessions implements Sessions {
    @Override
    public void attach(
        String user,
        long connection,
        String device,
        @Nullable StreamPosition since,
        Receiver receiver) {
      attached.add(new Attached(user, connection, device, since, receiver));
      switch (sessions) {
        case ANSWER -> receiver.attached(TOP, since != null);
        case HOLD, FAIL -> {}
        case THROW -> throw new IllegalStateException("no session today");
      }
    }

    @Override
    public void acknowledge(long connection, long offset) {
      acknowledged.add(offset);
    }

    @Override
    public void detach(long connection) {
      detached.add(connection);
      if (sessions == Mode.THROW) {
        throw new IllegalStateException("no session today");
      }
    }
  }

  private CompletionStage<Void> upstream(Upstream.Message message) {
    messages.add(message);
    var acknowledged = new CompletableFuture<Void>();
    switch (upstream) {
      case ANSWER -> acknowledged.complete(null);
      case HOLD -> held.add(acknowledged);
      case FAIL -> acknowledged.completeExceptionally(new IllegalStateException("no broker"));
      case THROW -> throw new IllegalStateException("no upstream today");
    }
    return acknowledged;
  }

  /** The message that came upstream, after those that were taken before. */
  Upstream.Message message() {
    try {
      var message = messages.poll(10, TimeUnit.SECONDS);
      assertThat(message).as("a message upstream").isNotNull();
      return message;
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  /** The user's latest connection, as its session sees it; waits for it to attach. */
  public Receiver outbox(String user) {
    await().until(() -> !attached(user).isEmpty());
    return attached(user).getLast().receiver();
  }

  /** Pings a client, as its loop does. */
  public void ping(Receiver client) {
    ((ClientConnection) client).ping();
  }

  List<Attached> attached(String user) {
    return attached.stream().filter(asked -> asked.user().equals(user)).toList();
  }

  boolean detached(String user) {
    return attached(user).stream().anyMatch(asked -> detached.contains(asked.connection()));
  }

  /** With which codes connections ended. */
  public List<Integer> closed() {
    return heard.stream()
        .filter(what -> what.startsWith("closed "))
        .map(what -> Integer.valueOf(what.substring("closed ".length())))
        .toList();
  }

  private final class Ears implements ConnectionListener {

    private void hear(String what) {
      heard.add(what);
      if (listener == Mode.THROW) {
        throw new IllegalStateException("does not want to hear");
      }
    }

    @Override
    public void connected(String user) {
      hear("connected " + user);
    }

    @Override
    public void disconnected(String user) {
      hear("disconnected " + user);
    }

    @Override
    public void viewing(String user, @Nullable Viewing before, @Nullable Viewing after) {
      hear("viewing " + user + " " + before + " " + after);
    }

    @Override
    public void closed(DisconnectCode code) {
      hear("closed " + code.code());
    }

    @Override
    public void pushed() {
      pushed.incrementAndGet();
    }
  }
}
