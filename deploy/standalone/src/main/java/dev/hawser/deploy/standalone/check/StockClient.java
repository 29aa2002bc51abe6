package dev.hawser.deploy.standalone.check;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.deploy.standalone.check.History.Cut;
import dev.hawser.deploy.standalone.check.History.Got;
import dev.hawser.deploy.standalone.check.History.SentAway;
import dev.hawser.deploy.standalone.check.History.Told;
import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.ClientState;
import io.github.centrifugal.centrifuge.ConnectingEvent;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.ServerPublicationEvent;
import io.github.centrifugal.centrifuge.ServerSubscribedEvent;

/** The stock Java SDK (Protobuf), which comes back by itself; all that it says is kept. */
final class StockClient extends EventListener implements AutoCloseable {

  /** Clients of people wait for up to 20 s; here there is no crowd of them to be spared. */
  private static final int MIN_RECONNECT_MILLISECONDS = 200;

  private static final int MAX_RECONNECT_MILLISECONDS = 3_000;
  private static final long CLOSE_MILLISECONDS = 5_000;

  /** The SDK's code for what its user wants. */
  private static final int BY_THE_CLIENT = 0;

  private final Progress progress;
  private final History history;
  private final Client client;
  private volatile long last = -1;

  StockClient(String url, String token, History history, Progress progress) {
    this.progress = progress;
    this.history = history;
    var options = new Options();
    options.setToken(token);
    options.setMinReconnectDelay(MIN_RECONNECT_MILLISECONDS);
    options.setMaxReconnectDelay(MAX_RECONNECT_MILLISECONDS);
    if (!history.device.isEmpty()) {
      options.setData("{\"device\":\"%s\"}".formatted(history.device).getBytes(UTF_8));
    }
    this.client = new Client(url, options, this);
  }

  void connect() {
    client.connect();
  }

  /** Goes away, and keeps its position. */
  void disconnect() {
    client.disconnect();
  }

  boolean isConnected() {
    return client.getState() == ClientState.CONNECTED;
  }

  /** Number of the last event it got; negative if there is none. */
  long last() {
    return last;
  }

  @Override
  public void onConnecting(Client from, ConnectingEvent event) {
    if (event.getCode() != BY_THE_CLIENT) {
      history.add(new Cut(progress.now(), event.getCode()));
    }
  }

  @Override
  public void onDisconnected(Client from, DisconnectedEvent event) {
    if (event.getCode() != BY_THE_CLIENT) {
      history.add(new SentAway(progress.now(), event.getCode()));
    }
  }

  @Override
  public void onSubscribed(Client from, ServerSubscribedEvent event) {
    history.add(new Told(progress.now(), event.wasRecovering(), event.getRecovered()));
  }

  @Override
  public void onPublication(Client from, ServerPublicationEvent event) {
    var payload = EventPayload.of(event.getData());
    history.add(new Got(progress.now(), payload.user(), event.getOffset(), payload.number()));
    last = payload.number();
  }

  /** For good; when this returns it hears nothing any more. */
  @Override
  public void close() {
    client.disconnect();
    try {
      client.close(CLOSE_MILLISECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    history.leave();
  }
}
