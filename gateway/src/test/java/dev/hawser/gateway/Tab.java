package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.ClientState;
import io.github.centrifugal.centrifuge.ConnectedEvent;
import io.github.centrifugal.centrifuge.ConnectingEvent;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.MessageEvent;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.ServerPublicationEvent;
import io.github.centrifugal.centrifuge.ServerSubscribedEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** One tab of a user: the stock Java SDK (Protobuf), and what it got. */
final class Tab extends EventListener implements AutoCloseable {

  /** Lower ones are the SDK's own. */
  private static final int SERVER_CODES = 3_000;

  final Client client;
  final List<String> received = new CopyOnWriteArrayList<>();

  /** Their offsets, and their tags. */
  final List<Long> offsets = new CopyOnWriteArrayList<>();

  final List<Map<String, String>> tags = new CopyOnWriteArrayList<>();

  /** Broadcasts. */
  final List<String> messages = new CopyOnWriteArrayList<>();

  /** When each was received, {@link System#nanoTime}. */
  final List<Long> receivedAt = new CopyOnWriteArrayList<>();

  /** For each time it came back: whether the server said that it missed nothing. */
  final List<Boolean> recoveries = new CopyOnWriteArrayList<>();

  /** How often the connection ended. */
  final AtomicInteger interruptions = new AtomicInteger();

  final CompletableFuture<String> connected = new CompletableFuture<>();

  /** When, {@link System#nanoTime}, and with which code the server said: come back. */
  final CompletableFuture<Long> sentAwayAt = new CompletableFuture<>();

  final CompletableFuture<Integer> sentAwayWith = new CompletableFuture<>();

  /** Told to go, and not to come back. */
  final CompletableFuture<Integer> disconnected = new CompletableFuture<>();

  static Tab open(String url, String token) {
    return open(url, token, new Options());
  }

  /** One that does not wait long before it comes back. */
  static Tab openHasty(String url, String token) {
    var options = new Options();
    options.setMaxReconnectDelay(1_000);
    return open(url, token, options);
  }

  private static Tab open(String url, String token, Options options) {
    options.setToken(token);
    return new Tab(url, options);
  }

  private Tab(String url, Options options) {
    client = new Client(url, options, this);
    client.connect();
  }

  /** Waits for the connect reply. */
  Tab awaitConnected() throws Exception {
    connected.get(20, TimeUnit.SECONDS);
    return this;
  }

  boolean isConnected() {
    return client.getState() == ClientState.CONNECTED;
  }

  /** The longest time without an event. */
  Duration silence() {
    long longest = 0;
    for (int i = 1; i < receivedAt.size(); i++) {
      longest = Math.max(longest, receivedAt.get(i) - receivedAt.get(i - 1));
    }
    return Duration.ofNanos(longest);
  }

  @Override
  public void onConnected(Client from, ConnectedEvent event) {
    connected.complete(event.getClient());
  }

  @Override
  public void onConnecting(Client from, ConnectingEvent event) {
    if (event.getCode() != 0) {
      interruptions.incrementAndGet();
    }
    if (event.getCode() >= SERVER_CODES) {
      sentAwayAt.complete(System.nanoTime());
      sentAwayWith.complete(event.getCode());
    }
  }

  @Override
  public void onDisconnected(Client from, DisconnectedEvent event) {
    disconnected.complete(event.getCode());
  }

  @Override
  public void onSubscribed(Client from, ServerSubscribedEvent event) {
    if (event.wasRecovering()) {
      recoveries.add(event.getRecovered());
    }
  }

  @Override
  public void onMessage(Client from, MessageEvent event) {
    messages.add(new String(event.getData(), UTF_8));
  }

  @Override
  public void onPublication(Client from, ServerPublicationEvent event) {
    receivedAt.add(System.nanoTime());
    offsets.add(event.getOffset());
    tags.add(event.getTags());
    received.add(new String(event.getData(), UTF_8));
  }

  @Override
  public void close() {
    client.disconnect();
    try {
      client.close(5_000);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
