package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The single thread that all work of a share of the node's connections runs on, with one clock tick
 * a second for all of them: server pings, missing pongs and deadlines. A connection has no timer of
 * its own and no lock.
 */
public final class ConnectionLoop {

  private static final Duration BATCH_INTERVAL = Duration.ofMillis(100);

  private final ScheduledExecutorService thread;
  private final TimerWheel pings;
  private final TimerWheel deadlines;
  private final int pingSeconds;
  private final int pongTimeoutSeconds;

  /** Once the server stops: what a connection is told that comes all the same. */
  private @Nullable DisconnectCode ending;

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

  /**
   * Runs a task on the loop, behind those that wait already. Sessions call this from their threads,
   * and must not fail because the server has stopped: a loop that has ended drops the task.
   *
   * @return whether the task will run
   */
  public boolean execute(Runnable task) {
    try {
      thread.execute(task);
      return true;
    } catch (RejectedExecutionException ended) {
      return false;
    }
  }

  /**
   * Runs a task a while later.
   *
   * @return to be cancelled when the task is not needed any more; null if the loop has ended
   */
  public @Nullable Future<?> after(Duration delay, Runnable task) {
    try {
      return thread.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException ended) {
      return null;
    }
  }

  /**
   * The connection's {@link ClientConnection#deadlinePassed} runs after {@code delay}, up to one
   * second later, never earlier: the next tick may be near.
   */
  void deadline(ClientConnection connection, Duration delay) {
    forget(connection);
    deadlines.add(connection, Math.toIntExact(delay.toSeconds()) + 1);
    DisconnectCode end = ending;
    if (end != null) {
      // Not now: the transport is still being set up.
      execute(() -> connection.close(end));
    }
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

  /**
   * Ends every connection of this loop, in no particular order and not all at once, so that they do
   * not come back elsewhere all at once. Those that still come are ended as they come.
   *
   * @param perSecond how many a second; more if it would take longer than {@code within}
   * @return completes when all have been told, or the loop has ended
   */
  public CompletionStage<Void> closeAll(DisconnectCode code, int perSecond, Duration within) {
    var told = new CompletableFuture<Void>();
    boolean started =
        execute(
            () -> {
              ending = code;
              List<ClientConnection> connections = new ArrayList<>();
              deadlines.forEach(connections::add);
              pings.forEach(connections::add);
              Collections.shuffle(connections);
              long batches = Math.max(1, within.dividedBy(BATCH_INTERVAL));
              long inTime = Math.ceilDiv(connections.size(), batches);
              long wanted = perSecond * BATCH_INTERVAL.toMillis() / 1_000;
              closeNext(connections, code, Math.max(1, Math.max(inTime, wanted)), told);
            });
    if (!started) {
      told.complete(null);
    }
    return told;
  }

  /** The same for all loops of a door that stops. */
  public static CompletionStage<Void> closeAll(
      Collection<ConnectionLoop> loops, DisconnectCode code, DrainSettings drain) {
    return CompletableFuture.allOf(
        loops.stream()
            .map(loop -> loop.closeAll(code, drain.rateOf(loops.size()), drain.timeout()))
            .map(CompletionStage::toCompletableFuture)
            .toArray(CompletableFuture<?>[]::new));
  }

  private void closeNext(
      List<ClientConnection> left, DisconnectCode code, long batch, CompletableFuture<Void> told) {
    Consumer<ClientConnection> close = each(connection -> connection.close(code));
    for (long i = 0; i < batch && !left.isEmpty(); i++) {
      close.accept(left.removeLast());
    }
    if (left.isEmpty() || after(BATCH_INTERVAL, () -> closeNext(left, code, batch, told)) == null) {
      told.complete(null);
    }
  }

  private void tick() {
    deadlines.advance();
    deadlines.forEach(0, each(ClientConnection::deadlinePassed));
    pings.advance();
    pings.forEach(pongTimeoutSeconds, each(ClientConnection::pongDue));
    pings.forEach(0, each(ClientConnection::ping));
  }

  /** One connection's failure must not stop the clock of all. */
  private static Consumer<ClientConnection> each(Consumer<ClientConnection> visit) {
    return connection -> {
      try {
        visit.accept(connection);
      } catch (RuntimeException failure) {
        connection.fail(failure);
      }
    };
  }
}
