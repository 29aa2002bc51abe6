package dev.hawser.gateway.connection;

import com.sun.management.GarbageCollectorMXBean;
import com.sun.management.GcInfo;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks four times a second how full the heap is, how late the loops are and how busy the process
 * is, and tells {@link Admission} and the loops.
 */
public final class LoadWatch implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(LoadWatch.class);

  private static final long INTERVAL_MILLISECONDS = 250;

  /** Of one sample: what counts are some ten seconds. */
  private static final double CPU_WEIGHT = 0.025;

  private static final OperatingSystemMXBean SYSTEM =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  private final Admission admission;
  private final List<Probe> probes;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("hawser-load-watch").daemon().factory());
  private volatile Duration lag = Duration.ZERO;
  private double cpu;

  /** Starts to watch, and goes on until closed. */
  public LoadWatch(Admission admission, Collection<ConnectionLoop> loops) {
    this.admission = admission;
    this.probes = loops.stream().map(Probe::new).toList();
    var unused =
        thread.scheduleAtFixedRate(
            this::sample, INTERVAL_MILLISECONDS, INTERVAL_MILLISECONDS, TimeUnit.MILLISECONDS);
  }

  /** How long a task waited for the busiest of the loops. */
  public Duration lag() {
    return lag;
  }

  private void sample() {
    try {
      look();
    } catch (RuntimeException failure) {
      // Thrown on, it would be the last time that anybody looks.
      log.error("the load was not looked at", failure);
    }
  }

  private void look() {
    lag = Duration.ofNanos(probes.stream().mapToLong(Probe::lag).max().orElse(0));
    admission.sampled(heapBehindCollection(), lag);
    // Below 0 where it is not known.
    cpu += CPU_WEIGHT * (Math.max(0, SYSTEM.getProcessCpuLoad()) - cpu);
    probes.forEach(probe -> probe.loop.busy(cpu));
  }

  /** A task on its way through a loop; it is sent again when it has come through. */
  private static final class Probe {
    private final ConnectionLoop loop;
    private long sentAt;
    private volatile long lag;
    private volatile boolean onItsWay;

    Probe(ConnectionLoop loop) {
      this.loop = loop;
    }

    long lag() {
      long now = System.nanoTime();
      if (onItsWay) {
        return now - sentAt;
      }
      long last = lag;
      sentAt = now;
      onItsWay = true;
      long sent = now;
      boolean runs = false;
      try {
        runs =
            loop.execute(
                () -> {
                  lag = System.nanoTime() - sent;
                  onItsWay = false;
                });
      } finally {
        if (!runs) {
          lag = 0;
          onItsWay = false;
        }
      }
      return last;
    }
  }

  /** What garbage takes besides says nothing. */
  private static double heapBehindCollection() {
    GcInfo last = null;
    for (var collector : ManagementFactory.getGarbageCollectorMXBeans()) {
      if (collector instanceof GarbageCollectorMXBean known) {
        GcInfo info = known.getLastGcInfo();
        if (info != null && (last == null || info.getEndTime() >= last.getEndTime())) {
          last = info;
        }
      }
    }
    return last == null ? 0 : (double) heapOf(last) / Runtime.getRuntime().maxMemory();
  }

  private static long heapOf(GcInfo collection) {
    Map<String, MemoryUsage> after = collection.getMemoryUsageAfterGc();
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == java.lang.management.MemoryType.HEAP)
        .map(pool -> after.get(pool.getName()))
        .filter(usage -> usage != null)
        .mapToLong(MemoryUsage::getUsed)
        .sum();
  }

  @Override
  public void close() {
    thread.shutdown();
  }
}
