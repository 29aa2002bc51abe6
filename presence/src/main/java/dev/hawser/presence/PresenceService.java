package dev.hawser.presence;

import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.Done;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Presence of one node. Starts in the background and goes on through anything: while PostgreSQL is
 * away it tries again, and catches up.
 */
public final class PresenceService {

  private static final Logger log = LoggerFactory.getLogger(PresenceService.class);

  private final PresenceSettings settings;
  private final String node;
  private final PresenceDatabase database;
  private final NodeRegistry registry;
  private final PresenceRecorder recorder;

  /** One thread writes counts, the other keeps the lease: a long flush must not cost it. */
  private final ScheduledExecutorService threads =
      Executors.newScheduledThreadPool(
          2, Thread.ofPlatform().name("hawser-presence-", 0).daemon().factory());

  private final CompletableFuture<NodeLease> registered = new CompletableFuture<>();
  private volatile @Nullable NodeLease lease;

  /** Since when every heartbeat has succeeded, {@link System#nanoTime}; null if the last failed. */
  private @Nullable Long aliveSince;

  /**
   * Starts to migrate, to lease and to record; returns at once.
   *
   * @param node {@code host:port} of this node in the cluster
   */
  public static PresenceService start(PresenceSettings settings, String node) {
    var service = new PresenceService(settings, node, Clock.systemUTC());
    service.run();
    return service;
  }

  private PresenceService(PresenceSettings settings, String node, Clock clock) {
    this.settings = settings;
    this.node = node;
    this.database = new PresenceDatabase(settings.database());
    this.registry = new NodeRegistry(database, settings.nodeTimeout());
    this.recorder = new PresenceRecorder(database, settings, clock);
  }

  private void run() {
    every(settings.heartbeatInterval(), this::keepLease);
    every(settings.flushInterval(), this::flush);
  }

  private void every(Duration interval, Runnable task) {
    var unused =
        threads.scheduleWithFixedDelay(
            () -> {
              try {
                task.run();
              } catch (RuntimeException failure) {
                // PresenceDatabase has said so if PostgreSQL is away; anything else is a defect.
                if (!PresenceDatabase.isTemporary(failure)) {
                  log.error("presence", failure);
                } else {
                  log.debug("presence", failure);
                }
              }
            },
            0,
            interval.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  /** Completes when the node has its first lease. */
  public CompletionStage<NodeLease> registered() {
    return registered;
  }

  /**
   * The lease the node has now. It changes when the node was silent for so long that the others
   * took it for dead.
   *
   * @throws IllegalStateException before the first one
   */
  public NodeLease lease() {
    NodeLease current = lease;
    if (current == null) {
      throw new IllegalStateException("the node is not registered yet");
    }
    return current;
  }

  /** {@code host:port} of the other nodes that are alive now; fails while PostgreSQL is away. */
  public CompletionStage<List<String>> otherNodes() {
    return registry.others(lease()).toFuture();
  }

  /** Who is told about connections. */
  public PresenceRecorder recorder() {
    return recorder;
  }

  /** Where it is recorded, for queries. */
  public PresenceDatabase database() {
    return database;
  }

  /** Whether PostgreSQL could be reached the last time. */
  public boolean reachable() {
    return database.reachable();
  }

  /** Age of the oldest change that is not in PostgreSQL; zero if there is none. */
  public Duration lag() {
    return recorder.lag();
  }

  /** Writes what is left to write and gives the lease back, if PostgreSQL is there. */
  public CompletionStage<Done> stop() {
    return CompletableFuture.supplyAsync(
        () -> {
          threads.shutdown();
          try {
            if (threads.awaitTermination(5, TimeUnit.SECONDS) && database.reachable()) {
              leave();
            }
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          } catch (RuntimeException failure) {
            log.warn("could not write the last counts: {}", failure.getMessage());
          } finally {
            database.close();
          }
          return Done.getInstance();
        },
        runnable -> Thread.ofVirtual().name("hawser-presence-stop").start(runnable));
  }

  private void leave() {
    NodeLease current = lease;
    if (current != null) {
      recorder.flush(true);
      var unused = registry.leave(current).block(PresenceDatabase.TIMEOUT);
    }
  }

  private void keepLease() {
    try {
      renew();
    } catch (RuntimeException failure) {
      aliveSince = null;
      throw failure;
    }
  }

  private void renew() {
    NodeLease current = lease;
    if (current == null) {
      database.migrate();
      take();
    } else if (!Boolean.TRUE.equals(registry.heartbeat(current).block(PresenceDatabase.TIMEOUT))) {
      log.warn("this node was taken for dead as {}; it registers again", current.key());
      take();
    }
    long now = System.nanoTime();
    if (aliveSince == null) {
      aliveSince = now;
    }
    // After PostgreSQL was away nobody's lease is fresh: everybody gets the time to renew it.
    if (now - aliveSince > settings.nodeTimeout().toNanos()) {
      var unused = registry.removeDead().block(PresenceDatabase.TIMEOUT);
    }
  }

  private void take() {
    NodeLease taken = registry.lease(node).block(PresenceDatabase.TIMEOUT);
    if (taken != null) {
      log.info("registered as {} with number {}", taken.key(), taken.number());
      lease = taken;
      recorder.use(taken);
      registered.complete(taken);
    }
  }

  private void flush() {
    if (!recorder.flush(false)) {
      // The next heartbeat finds out, too, and registers again.
      log.debug("the lease has ended");
    }
  }
}
