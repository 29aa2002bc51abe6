package dev.hawser.presence;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
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

  /** What a node does for presence. */
  public enum Duty {
    /** Keeps a lease, and records under it who is connected to this node. */
    RECORD,
    /**
     * Removes what dead nodes left behind, moves what ended long ago to the archive, and publishes
     * presence events.
     */
    REMOVE_DEAD
  }

  private static final Logger log = LoggerFactory.getLogger(PresenceService.class);

  private static final Duration ARCHIVE_INTERVAL = Duration.ofMinutes(1);

  /** Online users in one statement of a removal: some 100 ms, if all of them go. */
  static final int PAGE_SIZE = 5_000;

  private final PresenceSettings settings;
  private final String node;
  private final Set<Duty> duties;
  private final PresenceDatabase database;
  private final PresenceDatabase queries;
  private final PresenceDatabase background;
  private final NodeRegistry registry;
  private final PresenceRecorder recorder;
  private final PresenceArchive archive;

  /** Null if events are not published. */
  private final @Nullable PresencePublisher publisher;

  /**
   * One keeps the lease, one writes counts, one removes dead nodes, one archives, one publishes:
   * none of the latter, which can take long, may cost the lease.
   */
  private final ScheduledExecutorService threads =
      Executors.newScheduledThreadPool(
          5, Thread.ofPlatform().name("hawser-presence-", 0).daemon().factory());

  private final CompletableFuture<Done> ready = new CompletableFuture<>();
  private volatile @Nullable NodeLease lease;
  private volatile @Nullable Runnable leaseLost;

  /** Nobody keeps the lease any more: the listener was told that it is lost. */
  private boolean abandoned;

  /** Looks for dead nodes had no long gap since then, by PostgreSQL's clock. */
  private Instant watchingSince = Instant.MIN;

  private Instant lastLook = Instant.MIN;

  /** A node with all duties. */
  public static PresenceService start(PresenceSettings settings, String node) {
    return start(settings, node, EnumSet.allOf(Duty.class));
  }

  /**
   * Starts to migrate and to do its duties; returns at once. Whatever the duties, {@link #database}
   * answers queries.
   *
   * @param node {@code host:port} of this node in the cluster
   */
  public static PresenceService start(PresenceSettings settings, String node, Set<Duty> duties) {
    var service = new PresenceService(settings, node, duties);
    service.run();
    return service;
  }

  private PresenceService(PresenceSettings settings, String node, Set<Duty> duties) {
    this.settings = settings;
    this.node = node;
    this.duties = Set.copyOf(duties);
    this.database = PresenceDatabase.forRecording(settings.database());
    this.queries = PresenceDatabase.forQueries(settings.database());
    this.registry = new NodeRegistry(database, settings);
    this.recorder = new PresenceRecorder(database, settings, steadyClock(), Clock.systemUTC());
    this.background = PresenceDatabase.forBackground(settings.database());
    this.archive = new PresenceArchive(background, settings.archiveAfter(), settings.retention());
    this.publisher =
        duties.contains(Duty.REMOVE_DEAD)
            ? settings
                .events()
                .map(events -> new PresencePublisher(background, events))
                .orElse(null)
            : null;
  }

  /** Begins with the wall clock's time, and goes on whatever happens to that. */
  private static InstantSource steadyClock() {
    Instant start = Instant.now();
    long startNanos = System.nanoTime();
    return () -> start.plusNanos(System.nanoTime() - startNanos);
  }

  private void run() {
    // By rate: what a failed heartbeat took must not delay the next.
    var unused =
        threads.scheduleAtFixedRate(
            guarded(this::keepLease),
            0,
            settings.heartbeatInterval().toMillis(),
            TimeUnit.MILLISECONDS);
    if (duties.contains(Duty.RECORD)) {
      every(settings.flushInterval(), this::flush);
      recorder.onFull(this::flushSoon);
    }
    if (duties.contains(Duty.REMOVE_DEAD)) {
      every(settings.heartbeatInterval(), this::removeDead);
      archiveOnceReady();
      if (publisher != null) {
        every(settings.flushInterval(), this::publish);
      }
    }
  }

  private void archiveOnceReady() {
    var unused = ready.thenRun(() -> every(ARCHIVE_INTERVAL, this::archive));
  }

  private void every(Duration interval, Runnable task) {
    var unused =
        threads.scheduleWithFixedDelay(
            guarded(task), 0, interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Failures do not end it. */
  private static Runnable guarded(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException failure) {
        if (PresenceDatabase.isObserved(failure)) {
          log.debug("presence", failure);
        } else {
          log.error("presence", failure);
        }
      }
    };
  }

  /** Completes when the tables are there and the node, if it records, has its first lease. */
  public CompletionStage<Done> ready() {
    return ready;
  }

  /** Completes when the node has its first lease; fails if it does not record. */
  public CompletionStage<NodeLease> registered() {
    return ready.thenApply(done -> lease());
  }

  /**
   * The node was silent for so long that the others took it for dead, as when it was paused. By
   * itself it then registers again, under a new incarnation, and records all its users anew. With
   * this listener it does not: nothing is recorded any more, and what is next is up to the
   * listener, such as to drop all clients and to start anew.
   *
   * @param listener is called once, on a thread of presence; must not block
   */
  public void onLeaseLost(Runnable listener) {
    leaseLost = listener;
  }

  /**
   * The lease the node has now, or had last. It changes when the node registers again.
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

  /**
   * Who is told about connections.
   *
   * @throws IllegalStateException if the node does not record
   */
  public PresenceRecorder recorder() {
    if (!duties.contains(Duty.RECORD)) {
      throw new IllegalStateException("this node does not record presence");
    }
    return recorder;
  }

  /** Where it is recorded, for queries. */
  public PresenceDatabase database() {
    return queries;
  }

  /** Whether PostgreSQL could be reached the last time, whatever queries met with. */
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
          if (publisher != null) {
            publisher.stopWaiting();
          }
          try {
            if (threads.awaitTermination(5, TimeUnit.SECONDS) && database.reachable()) {
              leave();
              if (publisher != null) {
                publisher.publish();
                publisher.close();
              }
            }
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          } catch (RuntimeException failure) {
            log.warn("could not write the last counts: {}", failure.getMessage());
          } finally {
            database.close();
            queries.close();
            background.close();
          }
          return Done.getInstance();
        },
        runnable -> Thread.ofVirtual().name("hawser-presence-stop").start(runnable));
  }

  private void leave() {
    NodeLease current = lease;
    if (current != null) {
      recorder.flush(true);
      var unused = registry.leave(current).block();
      while (Boolean.TRUE.equals(registry.removePage(PAGE_SIZE).block())) {
        // The next page.
      }
    }
  }

  /** Also says when a node that only removes is ready. */
  private void keepLease() {
    NodeLease current = lease;
    if (!ready.isDone()) {
      database.migrate("presence");
      if (duties.contains(Duty.REMOVE_DEAD)) {
        PresencePublisher.enable(database, publisher != null);
      }
      if (duties.contains(Duty.RECORD)) {
        take();
      }
      ready.complete(Done.getInstance());
    } else if (current != null
        && !abandoned
        && !Boolean.TRUE.equals(registry.heartbeat(current).block())) {
      onLeaseLost(current);
    }
  }

  private void onLeaseLost(NodeLease lost) {
    Runnable listener = leaseLost;
    if (listener == null) {
      log.warn("this node was taken for dead as {}; it registers again", lost.key());
      take();
    } else {
      log.warn("this node was taken for dead as {}", lost.key());
      abandoned = true;
      listener.run();
    }
  }

  private void take() {
    NodeLease taken = Objects.requireNonNull(registry.lease(node).block());
    log.info("registered as {} with number {}", taken.key(), taken.number());
    lease = taken;
    recorder.use(taken);
  }

  private void removeDead() {
    if (!ready.isDone()) {
      return;
    }
    boolean more = true;
    while (more && !threads.isShutdown()) {
      lookForDead();
      more = Boolean.TRUE.equals(registry.removePage(PAGE_SIZE).block());
    }
  }

  private void archive() {
    archive.createMonths();
    while (!threads.isShutdown() && (archive.movePage() || archive.forgetPage())) {
      // The next page.
    }
  }

  private void publish() {
    if (ready.isDone() && publisher != null) {
      publisher.publish();
    }
  }

  /**
   * After PostgreSQL was away nobody's lease is fresh: everybody gets the time to renew it. Whether
   * it was away shows in the gaps between looks, by PostgreSQL's clock: so it also holds when
   * PostgreSQL or all machines were paused, or its clock was set.
   */
  private void lookForDead() {
    Instant now = Objects.requireNonNull(registry.clock().block());
    if (now.isBefore(lastLook) || now.isAfter(lastLook.plus(longestGap()))) {
      watchingSince = now;
    }
    lastLook = now;
    NodeLease current = lease;
    List<String> dead = new ArrayList<>();
    if (current != null) {
      dead.addAll(Objects.requireNonNull(registry.endNamesakes(current).block()));
    }
    if (now.isAfter(watchingSince.plus(settings.nodeTimeout()))) {
      Instant before = now.plus(longestGap());
      dead.addAll(Objects.requireNonNull(registry.endDead(before).block()));
      registry.forget().block();
    }
    if (!dead.isEmpty()) {
      log.warn("{} did not renew their leases and are taken for dead", dead);
    }
  }

  /** Between two looks; with a heartbeat it is still less than the node timeout. */
  private Duration longestGap() {
    return settings.nodeTimeout().dividedBy(2);
  }

  private void flushSoon() {
    try {
      threads.execute(guarded(this::flush));
    } catch (RejectedExecutionException stopped) {
      log.debug("what is left is written at the end");
    }
  }

  private void flush() {
    if (!recorder.flush(false)) {
      // The next heartbeat finds out, too.
      log.debug("the lease has ended");
    }
  }
}
