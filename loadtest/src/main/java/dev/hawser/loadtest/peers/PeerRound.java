package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.client.Counts;
import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.client.Pace;
import dev.hawser.loadtest.client.WorkerPlan;
import dev.hawser.loadtest.client.WorkerProcess;
import dev.hawser.loadtest.server.Cluster;
import dev.hawser.loadtest.server.NodeProbe;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;

/** One peer's part of a round, the same work for all. Used by one thread. */
final class PeerRound {

  /** As fast as it goes: what holds clients back is that 512 of them connect at once. */
  private static final double CONNECT_RATE = 50_000;

  private static final int WARM_UP_USERS = 1_000;

  /** JVMs compile what they do often only after some seconds of it. */
  private static final Duration WARM_UP = Duration.ofSeconds(10);

  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(60);
  private static final Duration DELIVERY_LIMIT = Duration.ofSeconds(15);

  /** What was begun is finished, and freed memory goes back to the system. */
  private static final Duration SETTLE = Duration.ofSeconds(2);

  private static final Duration POLL = Duration.ofMillis(10);

  private static final long STALLED_NANOS = 2_000_000_000L;
  private static final double NANOS_PER_SECOND = 1e9;
  private static final double MICROSECONDS_PER_MILLISECOND = 1_000;
  private static final double KILOBYTE = 1_000;
  private static final double MILLION = 1e6;

  /** Not the address that servers listen on: the kernel might give us one of their ports. */
  private static final List<String> SOURCES =
      List.of("127.10.1.1", "127.10.1.2", "127.10.1.3", "127.10.1.4");

  private final PeersSettings settings;
  private final Server server;
  private final List<NodeProbe> probes;
  private final Map<Measure, Double> found = new EnumMap<>(Measure.class);
  private final Counts all = new Counts();

  PeerRound(PeersSettings settings, Server server) {
    this.settings = settings;
    this.server = server;
    this.probes = server.processes().stream().map(pid -> new NodeProbe("peer", pid, null)).toList();
  }

  /** Does the work; returns what it found. */
  Map<Measure, Double> run() throws IOException, InterruptedException {
    // So that neither code that is loaded and compiled at first counts as memory of a connection,
    // nor its time as that of a connect.
    try (WorkerProcess first = worker("first-", Math.min(WARM_UP_USERS, settings.users()))) {
      connect(first, Math.min(WARM_UP_USERS, settings.users()));
    }
    Thread.sleep(SETTLE);
    try (WorkerProcess idle = worker("idle-", settings.users())) {
      connections(idle);
    }
    Thread.sleep(SETTLE);
    try (WorkerProcess receivers = worker("receiver-", settings.receivers());
        Publisher publisher = server.publisher(settings.payloadBytes())) {
      connect(receivers, settings.receivers());
      deliveries(receivers, publisher);
    }
    return found;
  }

  /** What went wrong with connections, by kind. */
  Map<String, Long> errors() {
    return all.errors();
  }

  private void connections(WorkerProcess idle) throws IOException, InterruptedException {
    double before = collectedBytes();
    connect(idle, settings.users());
    Thread.sleep(SETTLE);
    found.put(Measure.MEMORY, (collectedBytes() - before) / settings.users() / KILOBYTE);
    long warm = System.nanoTime() + WARM_UP.toNanos();
    do {
      leave(idle);
      connect(idle, settings.users());
    } while (System.nanoTime() - warm < 0);
    leave(idle);
    long start = System.nanoTime();
    connect(idle, settings.users());
    double seconds = (System.nanoTime() - start) / NANOS_PER_SECOND;
    found.put(Measure.CONNECTS, settings.users() / seconds);
  }

  private void leave(WorkerProcess worker) throws InterruptedException {
    worker.leave();
    await(worker, 0);
    Thread.sleep(SETTLE);
  }

  private void deliveries(WorkerProcess receivers, Publisher publisher)
      throws InterruptedException {
    paced(receivers, publisher, WARM_UP);
    double cpu = cpuSeconds();
    Counts arrived = paced(receivers, publisher, settings.duration());
    cpu = cpuSeconds() - cpu;
    double delivered = arrived.of(Count.RECEIVED);
    Histogram times = arrived.of(Timing.MESSAGE);
    found.put(Measure.P50, times.getValueAtPercentile(50) / MICROSECONDS_PER_MILLISECOND);
    found.put(Measure.P99, times.getValueAtPercentile(99) / MICROSECONDS_PER_MILLISECOND);
    found.put(Measure.CPU, delivered == 0 ? 0 : cpu / delivered * MILLION);
    found.put(Measure.DELIVERIES, asFastAsTheyArrive(receivers, publisher));
  }

  /** Publishes at the pace, and waits for what is still on its way; returns what arrived. */
  private Counts paced(WorkerProcess receivers, Publisher publisher, Duration time)
      throws InterruptedException {
    take(receivers);
    long start = System.nanoTime();
    long end = start + time.toNanos();
    var pace = new Pace(settings.rate(), start);
    long expected = 0;
    while (pace.next() - end < 0) {
      long now = System.nanoTime();
      if (pace.isDue(now)) {
        publisher.publish(pace.take());
        expected += settings.receivers();
      } else {
        LockSupport.parkNanos(pace.next() - now);
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    }
    var arrived = new Counts();
    long deadline = System.nanoTime() + DELIVERY_LIMIT.toNanos();
    while (arrived.of(Count.RECEIVED) < expected && System.nanoTime() - deadline < 0) {
      receivers.report();
      Thread.sleep(POLL);
      arrived.add(take(receivers));
    }
    found.put(Measure.MISSING, (double) expected - arrived.of(Count.RECEIVED));
    return arrived;
  }

  /** Deliveries a second with a few messages on their way to everyone all the time. */
  private double asFastAsTheyArrive(WorkerProcess receivers, Publisher publisher)
      throws InterruptedException {
    take(receivers);
    long start = System.nanoTime();
    long end = start + settings.duration().toNanos();
    long heardAt = start;
    long expected = 0;
    long received = 0;
    while (System.nanoTime() - end < 0) {
      while (expected - received < (long) settings.window() * settings.receivers()) {
        publisher.publish(System.nanoTime());
        expected += settings.receivers();
      }
      receivers.report();
      Thread.sleep(POLL);
      long news = take(receivers).of(Count.RECEIVED);
      received += news;
      if (news > 0) {
        heardAt = System.nanoTime();
      } else if (System.nanoTime() - heardAt > STALLED_NANOS) {
        throw new IllegalStateException(
            "%,d of %,d deliveries are missing, and nothing comes"
                .formatted(expected - received, expected));
      }
    }
    return received / ((System.nanoTime() - start) / NANOS_PER_SECOND);
  }

  private WorkerProcess worker(String prefix, int users) throws IOException {
    return new WorkerProcess(
        new WorkerPlan(
            List.of(server.url()),
            Cluster.SECRET,
            prefix,
            0,
            users,
            users,
            SOURCES,
            CONNECT_RATE,
            0,
            0,
            settings.payloadBytes(),
            WorkerPlan.Talk.NOTHING,
            server.speech()));
  }

  private void connect(WorkerProcess worker, int users) throws InterruptedException {
    worker.connect();
    await(worker, users);
  }

  private void await(WorkerProcess worker, int users) throws InterruptedException {
    long deadline = System.nanoTime() + CONNECT_LIMIT.toNanos();
    while (worker.connected() != users) {
      if (!worker.isAlive() || System.nanoTime() - deadline > 0) {
        throw new IllegalStateException(
            "%,d connections, expected %,d: %s".formatted(worker.connected(), users, errors()));
      }
      worker.report();
      Thread.sleep(POLL);
      take(worker);
    }
  }

  private Counts take(WorkerProcess worker) {
    Counts taken = worker.takeCounts();
    all.add(taken);
    return taken;
  }

  /** Resident set, without garbage where that can be collected from outside. */
  private double collectedBytes() throws IOException, InterruptedException {
    if (server.isJvm()) {
      for (NodeProbe probe : probes) {
        if (!probe.collectGarbage()) {
          throw new IllegalStateException("jcmd cannot collect the garbage of " + probe.pid());
        }
      }
      Thread.sleep(SETTLE);
    }
    return sum(NodeProbe::residentBytes);
  }

  private double cpuSeconds() {
    return sum(NodeProbe::cpuSeconds);
  }

  private double sum(ToDoubleFunction<NodeProbe> value) {
    return probes.stream().mapToDouble(value).sum();
  }
}
