package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.hawser.loadtest.client.LightClient.State;
import java.util.concurrent.TimeUnit;

/**
 * Socket.IO 5 in Engine.IO 4, over a WebSocket from the start: the server opens ({@code 0{…}}), the
 * client joins the default namespace ({@code 40}), the server agrees ({@code 40{…}}); then events
 * are {@code 42["name",…]}, and the server's ping {@code 2} is answered with {@code 3}.
 */
final class SocketIo implements Dialect {

  private static final byte[] JOIN = "40".getBytes(US_ASCII);
  private static final byte[] PONG = "3".getBytes(US_ASCII);
  private static final byte[] TIME = "\"t\":".getBytes(US_ASCII);
  private static final byte[] INTERVAL = "\"pingInterval\":".getBytes(US_ASCII);

  private final Connections connections;
  private long pingNanos = NO_PINGS;

  SocketIo(Connections connections) {
    this.connections = connections;
  }

  @Override
  public void upgraded(LightClient client) {
    // The server speaks first.
  }

  @Override
  public void onText(LightClient client, byte[] text, int length) {
    switch (length == 0 ? 0 : text[0]) {
      case '0' -> {
        pingNanos = TimeUnit.MILLISECONDS.toNanos(Dialect.number(INTERVAL, text, 0, length));
        client.write(Frames.TEXT, JOIN);
      }
      case '1' -> connections.ended(client, "closed-by-engine");
      case '2' -> {
        client.heardAt = System.nanoTime();
        client.write(Frames.TEXT, PONG);
      }
      case '4' -> onPacket(client, text, length);
      default -> connections.error("unknown-packet");
    }
  }

  private void onPacket(LightClient client, byte[] text, int length) {
    switch (length < 2 ? 0 : text[1]) {
      case '0' -> {
        // netty-socketio says it without being asked, and again when it is.
        if (client.state == State.CONNECTING) {
          connections.connected(client, pingNanos);
        }
      }
      case '2' -> {
        long sent = Dialect.number(TIME, text, 0, length);
        if (sent != ABSENT) {
          connections.received(client, sent);
        }
      }
      case '4' -> connections.ended(client, "error-namespace");
      default -> connections.error("unknown-packet");
    }
  }

  @Override
  public void forget() {
    // There is nothing to remember.
  }
}
