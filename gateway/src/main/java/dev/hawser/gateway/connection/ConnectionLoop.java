package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The single thread that all work of a share of the node's connections runs on, with one clock tick
 * a second for all of them: server pings, missing pongs and deadlines. A connection has no timer of
 * its own and no lock.
 */
public final class ConnectionLoop {

  private static final Logger log = LoggerFactory.getLogger(ConnectionLoop.class);
  private static final Duration BATCH_INTERVAL = Duration.ofMillis(100);

  /** Of one loop, before intervals get longer: a quarter of a million connections every 25 s. */
  private static final double PINGS_PER_SECOND = 10_000;

  /** Of all processors, where intervals begin to get longer, and where they are longest. */
  private static final double CALM_CPU = 0.7;

  private static final double BUSY_CPU = 0.95;

  /** Intervals differ by this part, so that connections that came together do not stay so. */
  private static final double PING_JITTER = 0.1;

  /** Clients that get a broadcast in one turn of the loop; others are served in between. */
  private static final int BROADCAST_CHUNK = 128;

  private final ScheduledExecutorService thread;
  private final TimerWheel pings;
  private final TimerWheel deadlines;
  private final int minPingSeconds;
  private final int maxPingSeconds;
  private final int pongTimeoutSeconds;

  private volatile double cpu;

  /** Runs behind the tasks that wait now; not empty when it has been asked for. */
  private final List<Runnable> endOfTurn = new ArrayList<>();

  private final Runnable endTurn = this::endTurn;

  /** The first is under way, the others wait for it. */
  private final Deque<Pass> broadcasts = new ArrayDeque<>(0);

  /** Who has not got the first of the broadcasts yet. */
  private final List<ClientConnection> audience = new ArrayList<>(0);

  /** A broadcast on its way through the loop's clients. */
  private record Pass(Broadcast.Writer writer, int messages, CompletableFuture<Void> done) {}

  /** Once the server stops: what a connection is told that comes all the same. */
  private @Nullable DisconnectCode ending;

  /** Starts the tick. The thread is the caller's to end. */
  public ConnectionLoop(ScheduledExecutorService thread, ConnectionSettings settings) {
    this.thread = thread;
    this.minPingSeconds = Math.toIntExact(settings.pingInterval().toSeconds());
    this.maxPingSeconds = Math.toIntExact(settings.maxPingInterval().toSeconds());
    this.pongTimeoutSeconds = Math.toIntExact(settings.pongTimeout().toSeconds());
    this.pings = new TimerWheel(maxPingSeconds);
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
   * Runs a task on the loop, behind those that wait already, together with all others that were
   * given meanwhile. Call on the loop.
   */
  public void atEndOfTurn(Runnable task) {
    if (endOfTurn.isEmpty()) {
      execute(endTurn);
    }
    endOfTurn.add(task);
  }

  private void endTurn() {
    int begun = 0;
    try {
      // They may give more.
      while (begun < endOfTurn.size()) {
        begun++;
        runAtEndOfTurn(endOfTurn.get(begun - 1));
      }
    } finally {
      if (begun == endOfTurn.size()) {
        endOfTurn.clear();
      } else {
        // An error is thrown on. Those behind it are other connections', and have a turn of theirs.
        endOfTurn.subList(0, begun).clear();
        execute(endTurn);
      }
    }
  }

  private static void runAtEndOfTurn(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException failure) {
      log.error("at the end of a turn", failure);
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

  /**
   * Pings the connection from now on, first after half to one interval, so that pings spread. The
   * interval stays the connection's: the client is told, and gives up when no ping comes.
   *
   * @return the interval in seconds: the longer, the more connections there are and the busier the
   *     process is
   */
  int heartbeat(ClientConnection connection) {
    forget(connection);
    int seconds = pingSeconds();
    int half = seconds / 2;
    connection.pingSeconds = seconds;
    connection.pongIsNext = false;
    pings.add(connection, half + ThreadLocalRandom.current().nextInt(seconds - half) + 1);
    return seconds;
  }

  private int pingSeconds() {
    double byNumber = pings.size() / PINGS_PER_SECOND;
    double busy = Math.clamp((cpu - CALM_CPU) / (BUSY_CPU - CALM_CPU), 0, 1);
    double byLoad = minPingSeconds + busy * (maxPingSeconds - minPingSeconds);
    double jitter = 1 + PING_JITTER * ThreadLocalRandom.current().nextDouble(-1, 1);
    return Math.clamp(
        Math.round(Math.max(byNumber, byLoad) * jitter), minPingSeconds, maxPingSeconds);
  }

  /** How busy the process is: 0 to 1, of all processors. Any thread may tell. */
  void busy(double ofProcessors) {
    cpu = ofProcessors;
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

  /**
   * Hands a broadcast to all clients that are connected when its turn comes: some in one turn of
   * the loop, which serves sockets and other tasks in between. Who reads too slowly is ended
   * instead, as by any push.
   *
   * @param messages how many it is made of
   * @return completes when all have got it, or the loop has ended
   */
  public CompletionStage<Void> broadcast(Broadcast.Writer writer, int messages) {
    var done = new CompletableFuture<Void>();
    boolean taken =
        execute(
            () -> {
              broadcasts.add(new Pass(writer, messages, done));
              if (broadcasts.size() == 1) {
                nextBroadcast();
              }
            });
    if (!taken) {
      done.complete(null);
    }
    return done;
  }

  private void nextBroadcast() {
    pings.forEach(audience::add);
    broadcastToSome(broadcasts.element());
  }

  private void broadcastToSome(Pass pass) {
    Consumer<ClientConnection> write =
        each(connection -> connection.broadcast(pass.writer, pass.messages));
    for (int i = 0; i < BROADCAST_CHUNK && !audience.isEmpty(); i++) {
      write.accept(audience.removeLast());
    }
    // Not by execute: an event loop runs what waits before it looks at its sockets again.
    if (audience.isEmpty() || after(Duration.ZERO, () -> broadcastToSome(pass)) == null) {
      audience.clear();
      broadcasts.remove();
      pass.done.complete(null);
      if (!broadcasts.isEmpty() && after(Duration.ZERO, this::nextBroadcast) == null) {
        broadcasts.forEach(left -> left.done.complete(null));
      }
    }
  }

  private void tick() {
    deadlines.advance();
    deadlines.forEach(0, each(ClientConnection::deadlinePassed));
    pings.advance();
    pings.forEach(0, each(this::beat));
  }

  /** Ping and the check for its pong take turns. */
  private void beat(ClientConnection connection) {
    boolean pongIsDue = connection.pongIsNext;
    pings.remove(connection);
    pings.add(
        connection, pongIsDue ? connection.pingSeconds - pongTimeoutSeconds : pongTimeoutSeconds);
    connection.pongIsNext = !pongIsDue;
    if (pongIsDue) {
      connection.pongDue();
    } else {
      connection.ping();
    }
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
