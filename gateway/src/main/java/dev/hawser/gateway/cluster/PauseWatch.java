package dev.hawser.gateway.cluster;

import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notices that the whole process stood still: stopped by a signal, a debugger, or a host that was
 * suspended. Others may have taken over meanwhile what this node thinks is its own.
 */
public final class PauseWatch implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(PauseWatch.class);
  private static final Duration INTERVAL = Duration.ofMillis(100);

  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hawser-pause-watch").daemon().factory());

  private long lastSeen = System.nanoTime();

  /**
   * Starts to watch.
   *
   * @param limit a pause that others do not notice
   * @param onPause called after a longer one
   */
  public PauseWatch(Duration limit, Runnable onPause) {
    var unused =
        thread.scheduleWithFixedDelay(
            () -> look(limit, onPause),
            INTERVAL.toMillis(),
            INTERVAL.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  private void look(Duration limit, Runnable onPause) {
    long now = System.nanoTime();
    Duration pause = Duration.ofNanos(now - lastSeen);
    lastSeen = now;
    if (pause.compareTo(limit) > 0) {
      log.warn("the process stood still for {} s", pause.toMillis() / 1_000.0);
      onPause.run();
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
