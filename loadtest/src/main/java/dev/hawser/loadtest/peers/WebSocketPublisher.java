package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.client.WorkerPlan.Speech;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Publishes by a WebSocket of its own, to a server that sends on what comes: as plain text, or as
 * the event {@code publish} of Socket.IO.
 */
final class WebSocketPublisher implements Publisher, WebSocket.Listener {

  private static final int TIMEOUT_SECONDS = 10;

  private final boolean plain;
  private final int payloadBytes;
  private final HttpClient client = HttpClient.newHttpClient();
  private final CountDownLatch joined = new CountDownLatch(1);
  private final WebSocket socket;
  private final StringBuilder heard = new StringBuilder();

  /** Connects, and waits until it may publish. */
  WebSocketPublisher(URI url, Speech speech, int payloadBytes) throws InterruptedException {
    this.plain = speech == Speech.PLAIN_TEXT;
    this.payloadBytes = payloadBytes;
    this.socket = client.newWebSocketBuilder().buildAsync(url, this).join();
    if (!plain && !joined.await(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
      close();
      throw new IllegalStateException("the publisher was not let in");
    }
  }

  @Override
  public void publish(long intended) {
    String content = Publisher.content(intended, payloadBytes);
    send(socket, plain ? content : "42[\"publish\",%s]".formatted(content));
  }

  @Override
  public void close() {
    socket.abort();
    client.shutdownNow();
  }

  @Override
  public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
    from.request(1);
    heard.append(part);
    if (!last) {
      return null;
    }
    String text = heard.toString();
    heard.setLength(0);
    if (plain) {
      return null;
    }
    if (text.startsWith("0")) {
      send(from, "40");
    } else if (text.equals("2")) {
      // Not here: what is being published may have to be written first.
      var unused = CompletableFuture.runAsync(() -> send(from, "3"));
    } else if (text.startsWith("40")) {
      joined.countDown();
    }
    return null;
  }

  /** One at a time: a WebSocket takes the next text when the last is written. */
  private synchronized void send(WebSocket to, String text) {
    to.sendText(text, true).join();
  }
}
