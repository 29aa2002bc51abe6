package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * The single thread that all work of a share of the node's connections runs on, with one clock tick
 * a second for all of them: server pings, missing pongs and deadlines. A connection has no timer of
 * its own and no lock.
 */
public final class ConnectionLoop implements Executor {

  private final ScheduledExecutorService thread;
  private final TimerWheel pings;
  private final TimerWheel deadlines;
  private final int pingSeconds;
  private final int pongTimeoutSeconds;

  /** Starts the tick. The thread is the caller's to end. */
  public ConnectionLoop(ScheduledExecutorService thread, ConnectionSettings settings) {
    this.thread = thread;
    this.pingSeconds = Math.toIntExact(settings.pingInterval().toSeconds());
    this.pongTimeoutSeconds = Math.toIntExact(settings.pongTimeout().toSeconds());
    this.pings = new TimerWheel(pingSeconds);
    this.deadlines = new TimerWheel(Math.toIntExact(settings.longestDeadline().toSeconds()) + 1);
    var unused =
        thread.scheduleWithFixedDelay(
            this::tick, ThreadLocalRandom.current().nextLong(1_000), 1_000, TimeUnit.MILLISECONDS);
  }

  @Override
  public void execute(Runnable task) {
    thread.execute(task);
  }

  /** Runs a task a while later. */
  public void after(Duration delay, Runnable task) {
    var unused = thread.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** The connection's {@link ClientConnection#deadlinePassed} runs after {@code delay}. */
  void deadline(ClientConnection connection, Duration delay) {
    forget(connection);
    deadlines.add(connection, Math.toIntExact(delay.toSeconds()));
  }

  /** Pings the connection from now on, first after half to one interval, so that pings spread. */
  void heartbeat(ClientConnection connection) {
    forget(connection);
    int half = pingSeconds / 2;
    pings.add(connection, half + ThreadLocalRandom.current().nextInt(pingSeconds - half) + 1);
  }

  /** No tick reaches the connection any more. */
  void forget(ClientConnection connection) {
    if (connection.wheel != null) {
      connection.wheel.remove(connection);
    }
  }

  /** Ends every connection of this loop; returns at once. */
  public void closeAll(DisconnectCode code) {
    thread.execute(
        () -> {
          deadlines.forEach(connection -> connection.close(code));
          pings.forEach(connection -> connection.close(code));
        });
  }

  private void tick() {
    deadlines.advance();
    deadlines.forEach(0, ClientConnection::deadlinePassed);
    pings.advance();
    pings.forEach(pongTimeoutSeconds, ClientConnection::pongDue);
    pings.forEach(0, ClientConnection::ping);
  }
}
