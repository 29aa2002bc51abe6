package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.Outbox;
import dev.hawser.gateway.session.Session;
import dev.hawser.protocol.client.DisconnectCode;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What connections work with, played by the test: sessions that let everybody in (or wait, or
 * fail), an upstream that acknowledges at once (or waits, or fails), and a listener that remembers.
 */
public final class PlayedServices {

  /** What a played part does when it is called. */
  enum Mode {
    ANSWER,
    HOLD,
    FAIL,
    THROW
  }

  /** A command that a connection sent to the session of a user. */
  record ToSession(String user, Session.Command command) {}

  final List<ToSession> toSessions = new CopyOnWriteArrayList<>();
  final LinkedBlockingQueue<Upstream.Message> messages = new LinkedBlockingQueue<>();
  final ConcurrentLinkedQueue<CompletableFuture<Void>> held = new ConcurrentLinkedQueue<>();
  final List<String> heard = new CopyOnWriteArrayList<>();
  final AtomicLong pushed = new AtomicLong();
  volatile Mode sessions = Mode.ANSWER;
  volatile Mode upstream = Mode.ANSWER;
  volatile Mode listener = Mode.ANSWER;

  /** What the connections get. */
  public final ConnectionServices services;

  /** Plays with settings that differ from the defaults: lines of {@code hawser}. */
  public PlayedServices(String settings) {
    var config =
        ConfigFactory.parseString("hawser { auth.hmac-secret = " + Tokens.SECRET + " }")
            .withFallback(ConfigFactory.parseResources("reference.conf"));
    config =
        ConfigFactory.parseString("hawser {" + settings + "}")
            .withFallback(config)
            .withFallback(ConfigFactory.defaultReferenceUnresolved())
            .resolve();
    services =
        new ConnectionServices(
            ConnectionSettings.from(config.getConfig("hawser.connection")),
            DrainSettings.from(config.getConfig("hawser.drain")),
            new Authenticator(AuthenticatorSettings.from(config.getConfig("hawser.auth"))),
            new ConnectionId(() -> 7, Clock.systemUTC()),
            this::toSession,
            this::upstream,
            new Ears(),
            "1.2.3");
  }

  private void toSession(String user, Session.Command command) {
    toSessions.add(new ToSession(user, command));
    switch (sessions) {
      case ANSWER -> {
        if (command instanceof Session.Attach attach) {
          attach.outbox().attached();
        }
      }
      case HOLD, FAIL -> {}
      case THROW -> throw new IllegalStateException("no session today");
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

  /** The way to the user's latest connection; waits for it to attach. */
  Outbox outbox(String user) {
    await().until(() -> !attached(user).isEmpty());
    return attached(user).getLast().outbox();
  }

  List<Session.Attach> attached(String user) {
    return toSessions.stream()
        .filter(sent -> sent.user().equals(user))
        .map(ToSession::command)
        .filter(Session.Attach.class::isInstance)
        .map(Session.Attach.class::cast)
        .toList();
  }

  boolean detached(String user) {
    return toSessions.stream()
        .anyMatch(sent -> sent.user().equals(user) && sent.command() instanceof Session.Detach);
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
    public void closed(DisconnectCode code) {
      hear("closed " + code.code());
    }

    @Override
    public void pushed() {
      pushed.incrementAndGet();
    }
  }
}
