package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** Ends a connection whose token expired and was not refreshed in time. Lives on the loop. */
final class Expiry {

  private final ClientConnection connection;
  private final ConnectionLoop loop;
  private final ConnectionSettings settings;
  private @Nullable Future<?> timer;

  Expiry(ClientConnection connection, ConnectionLoop loop, ConnectionSettings settings) {
    this.connection = connection;
    this.loop = loop;
    this.settings = settings;
  }

  /** What a client is told; at least 1. */
  static int secondsTo(Identity identity) {
    return Math.clamp(identity.expiresAt() - Instant.now().getEpochSecond(), 1, Integer.MAX_VALUE);
  }

  /** To be called once a ping interval: sets a timer when the end is nearer than the next call. */
  void watch(Identity identity) {
    if (identity.expiresAt() == 0 || timer != null) {
      return;
    }
    Duration left = left(identity);
    if (left.compareTo(settings.maxPingInterval().plusSeconds(1)) < 0) {
      timer =
          loop.after(
              left.isNegative() ? Duration.ZERO : left,
              () -> connection.run(() -> onTimer(identity)));
    }
  }

  private void onTimer(Identity identity) {
    timer = null;
    if (left(identity).isPositive()) {
      connection.watchExpiry();
    } else {
      connection.close(DisconnectCode.CONNECTION_EXPIRED);
    }
  }

  private Duration left(Identity identity) {
    return Duration.between(
        Instant.now(), Instant.ofEpochSecond(identity.expiresAt()).plus(settings.expiryGrace()));
  }

  /** A timer left behind would hold a closed connection in memory. */
  void cancel() {
    if (timer != null) {
      var unused = timer.cancel(false);
      timer = null;
    }
  }
}
