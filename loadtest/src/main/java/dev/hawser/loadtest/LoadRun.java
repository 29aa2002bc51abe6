package dev.hawser.loadtest;

import dev.hawser.loadtest.client.Counts;
import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.client.WorkerPlan;
import dev.hawser.loadtest.client.WorkerProcess;
import dev.hawser.loadtest.report.Progress;
import dev.hawser.loadtest.report.RunResult;
import dev.hawser.loadtest.report.RunResult.Mark;
import dev.hawser.loadtest.report.Sample;
import dev.hawser.loadtest.report.Sample.NodeSample;
import dev.hawser.loadtest.server.Broadcasts;
import dev.hawser.loadtest.server.Cluster;
import dev.hawser.loadtest.server.NodeProbe;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * One run: starts what it needs, connects everyone, does for a while what the scenario says, waits
 * for what is still on its way, and ends everything. Used by one thread; when that is interrupted,
 * it ends early with what was found so far.
 */
final class LoadRun {

  private static final Duration SETTLE = Duration.ofSeconds(1);
  private static final Duration DRAIN_LIMIT = Duration.ofSeconds(60);
  private static final Duration CONNECT_SLACK = Duration.ofSeconds(60);

  /** What the calm before a storm may take, and its part of the whole. */
  private static final Duration LONGEST_CALM = Duration.ofSeconds(15);

  private static final int PARTS_OF_STORM = 3;

  private static final int SAMPLE_MILLISECONDS = 1_000;
  private static final int SOURCES_PER_WORKER = 4;
  private static final double NANOS_PER_SECOND = 1e9;

  private final LoadSettings settings;
  private final String command;
  private final Progress progress;
  private final Instant startedAt = Instant.now();
  private final List<WorkerProcess> workers = new ArrayList<>();
  private final List<Sample> samples = new ArrayList<>();
  private final List<Mark> marks = new ArrayList<>();
  private final Figures figures = new Figures();

  /** Of the whole run, and of the present phase. */
  private final Counts all = new Counts();

  private Counts phase = new Counts();

  /** How many samples there were before the present phase. */
  private int samplesBefore;

  private Nodes nodes = new Nodes(List.of(), null);
  private @Nullable Cluster cluster;
  private @Nullable Events events;
  private @Nullable BusinessService service;
  private long begin = System.nanoTime();
  private long sampledAt = begin;
  private long writtenBefore;

  LoadRun(LoadSettings settings, String command, Progress progress) {
    this.settings = settings;
    this.command = command;
    this.progress = progress;
  }

  /** Runs it all. */
  RunResult run() throws IOException {
    try {
      prepare();
      connectAll();
      measure();
    } catch (InterruptedException interrupted) {
      mark("interrupted");
    } finally {
      end();
    }
    return new RunResult(
        settings.scenario().text(),
        startedAt.truncatedTo(ChronoUnit.SECONDS).toString(),
        command,
        Progress.machine(),
        settings.description(),
        figures.byName(),
        all.errors(),
        marks,
        samples);
  }

  private void prepare() throws IOException, InterruptedException {
    List<URI> urls = settings.urls();
    String kafka = settings.kafka();
    if (urls.isEmpty()) {
      progress.say(
          "starting a cluster of %d node%s with PostgreSQL and Kafka"
              .formatted(settings.nodes(), settings.nodes() == 1 ? "" : "s"));
      Cluster started = new Cluster(settings.nodes(), settings.optionsOfNodes(), settings.output());
      cluster = started;
      started.awaitReady();
      urls = started.urls();
      kafka = started.kafka();
    }
    if (kafka != null && settings.scenario().needsKafka()) {
      if (settings.scenario().broadcasts()) {
        Broadcasts.createTopic(kafka);
      }
      Events writing = new Events(settings, kafka, this::connected);
      events = writing;
      if (settings.scenario().talk() != WorkerPlan.Talk.NOTHING) {
        service = new BusinessService(kafka, settings.prefix(), writing::push);
      }
    }
    nodes = new Nodes(settings.pids(), cluster);
    nodes.measureCollected("before", figures);
    int users = settings.users();
    int each = Math.ceilDiv(users, settings.workers());
    for (int worker = 0; worker < settings.workers(); worker++) {
      int first = worker * each;
      int number = Math.min(each, users - first);
      if (number > 0) {
        workers.add(new WorkerProcess(plan(urls, worker, first, number)));
      }
    }
    begin = System.nanoTime();
    sampledAt = begin;
  }

  private WorkerPlan plan(List<URI> urls, int worker, int first, int number) {
    double share = (double) number / settings.users();
    List<String> sources = new ArrayList<>();
    for (int i = 0; i < SOURCES_PER_WORKER; i++) {
      // Not the address that servers listen on: the kernel might give us one of their ports.
      sources.add("127.%d.%d.%d".formatted(10 + worker / 250, 1 + worker % 250, 1 + i));
    }
    boolean churns = settings.scenario() == Scenario.CHURN;
    boolean talks = settings.scenario().talk() != WorkerPlan.Talk.NOTHING;
    return new WorkerPlan(
        urls,
        settings.secret(),
        settings.prefix(),
        first,
        number,
        settings.users(),
        sources,
        settings.connectRate() * share,
        churns ? settings.rate() * share : 0,
        talks ? settings.rate() * share : 0,
        settings.payloadBytes(),
        settings.scenario().talk(),
        WorkerPlan.Speech.CENTRIFUGO);
  }

  private void connectAll() throws InterruptedException {
    mark("connecting");
    long start = System.nanoTime();
    workers.forEach(WorkerProcess::connect);
    Duration limit =
        CONNECT_SLACK.plusMillis((long) (3_000 * settings.users() / settings.connectRate()));
    boolean complete = sampleUntil(limit, () -> connected() == settings.users());
    double seconds = (System.nanoTime() - start) / NANOS_PER_SECOND;
    sample(0);
    figures.put("connected", connected());
    figures.put("connecting, s", seconds);
    figures.put("connects/s", phase.of(Count.OPENED) / seconds);
    figures.put("connect", phase.of(Timing.CONNECT));
    if (!complete) {
      progress.say(
          "only %,d of %,d connected: %s".formatted(connected(), settings.users(), all.errors()));
    }
    sampleUntil(SETTLE, () -> false);
  }

  private void measure() throws IOException, InterruptedException {
    mark("measuring");
    phase = new Counts();
    samplesBefore = samples.size();
    Map<String, Double> cpuBefore = nodes.cpuSeconds();
    long start = System.nanoTime();
    Events writing = events;
    workers.forEach(WorkerProcess::run);
    if (writing != null
        && settings.scenario().talk() != WorkerPlan.Talk.CHAT
        && settings.scenario() != Scenario.UPSTREAM) {
      writing.start();
    }
    boolean storm = settings.scenario() == Scenario.STORM;
    if (storm) {
      Duration part = settings.duration().dividedBy(PARTS_OF_STORM);
      sampleUntil(part.compareTo(LONGEST_CALM) < 0 ? part : LONGEST_CALM, () -> false);
      endNode();
    }
    int stormBegins = samples.size();
    sampleUntil(settings.duration().minusNanos(System.nanoTime() - start), () -> false);
    int stormEnds = samples.size();
    double seconds = (System.nanoTime() - start) / NANOS_PER_SECOND;
    Map<String, Double> cpuAfter = nodes.cpuSeconds();
    workers.forEach(WorkerProcess::rest);
    if (writing != null) {
      writing.rest();
    }
    mark("waiting for the rest");
    // Workers say what happened a moment later.
    sampleUntil(SETTLE, () -> false);
    if (writing != null || storm) {
      sampleUntil(DRAIN_LIMIT, () -> missing() <= 0 && (!storm || connected() == settings.users()));
    }
    sample(0);
    summarize(seconds, cpuBefore, cpuAfter);
    if (storm) {
      Storm.of(
              samples.subList(samplesBefore, stormBegins),
              samples.subList(stormBegins, stormEnds),
              settings.users(),
              settings.admit() * (settings.nodes() - 1))
          .put(figures);
    }
    if (settings.scenario().holds()) {
      summarizeHeld();
    } else {
      nodes.measureCollected("after", figures);
    }
  }

  private void summarize(
      double seconds, Map<String, Double> cpuBefore, Map<String, Double> cpuAfter) {
    var summary = new Summary(settings.scenario(), phase, seconds, figures);
    if (settings.scenario() == Scenario.CHURN) {
      summary.churned();
    }
    if (settings.scenario() == Scenario.STORM) {
      summary.cameBack(connected());
    }
    if (events != null && settings.scenario() != Scenario.UPSTREAM) {
      summary.delivered(events);
    }
    if (service != null) {
      summary.said(service);
    }
    summary.times(samples.subList(samplesBefore, samples.size()));
    summary.processors(cpuBefore, cpuAfter);
    figures.put("errors", all.errors().values().stream().mapToLong(Long::longValue).sum());
  }

  /** What so many connections cost, while they are still there. */
  private void summarizeHeld() throws IOException, InterruptedException {
    nodes.measure("held", figures);
    nodes.measureCollected("after", figures);
    nodes.measurePerConnection(connected(), figures);
    Cluster started = cluster;
    if (started != null) {
      try {
        figures.put("online by PostgreSQL", started.online());
      } catch (IOException unanswered) {
        progress.say("how many are online is not known: " + unanswered.getMessage());
      }
    }
  }

  private void endNode() {
    NodeProbe last = nodes.last();
    mark("%s %s".formatted(last.name(), settings.drain() ? "is told to stop" : "is killed"));
    ProcessHandle.of(last.pid())
        .ifPresent(
            node -> {
              var unused = settings.drain() ? node.destroy() : node.destroyForcibly();
            });
  }

  private int connected() {
    return workers.stream().mapToInt(WorkerProcess::connected).sum();
  }

  /** What was sent and has not arrived; in upstream, what clients sent and is not acknowledged. */
  private long missing() {
    Events writing = events;
    BusinessService reading = service;
    long missing = writing == null ? 0 : writing.expected() - phase.of(Count.RECEIVED);
    if (reading != null) {
      missing += Math.max(0, phase.of(Count.SENT) - reading.read());
    }
    if (settings.scenario() == Scenario.UPSTREAM) {
      missing += phase.of(Count.SENT) - phase.of(Count.ACKNOWLEDGED);
    }
    return missing;
  }

  /** Takes samples until the condition holds (true) or the time is over (false). */
  private boolean sampleUntil(Duration limit, BooleanSupplier condition)
      throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
      if (condition.getAsBoolean()) {
        return true;
      }
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      long untilSample = sampledAt + SAMPLE_MILLISECONDS * 1_000_000L - System.nanoTime();
      if (untilSample <= 0) {
        sample(left);
      } else {
        Thread.sleep(Duration.ofNanos(Math.clamp(Math.min(left, untilSample), 1, 50_000_000)));
      }
      if (workers.stream().noneMatch(WorkerProcess::isAlive)) {
        Thread.sleep(Cluster.SIGNAL_GRACE);
        throw new IllegalStateException("the workers have ended; what they said is above");
      }
    }
  }

  private void sample(long left) {
    var fresh = new Counts();
    workers.forEach(worker -> fresh.add(worker.takeCounts()));
    all.add(fresh);
    phase.add(fresh);
    long now = System.nanoTime();
    double seconds = Math.max(1, now - sampledAt) / NANOS_PER_SECOND;
    sampledAt = now;
    Events writing = events;
    long written = writing == null ? 0 : writing.written();
    List<NodeSample> nodes = this.nodes.sample();
    Histogram messages = fresh.of(Timing.MESSAGE);
    long errors = fresh.errors().values().stream().mapToLong(Long::longValue).sum();
    var sample =
        new Sample(
            (now - begin) / NANOS_PER_SECOND,
            connected(),
            fresh.of(Count.OPENED) / seconds,
            (fresh.of(Count.RECEIVED) + fresh.of(Count.ACKNOWLEDGED)) / seconds,
            fresh.of(Timing.REPLAYED).getTotalCount() / seconds,
            (fresh.of(Count.SENT) + written - writtenBefore) / seconds,
            errors / seconds,
            fresh.errors().getOrDefault(Summary.REFUSED, 0L) / seconds,
            Figures.milliseconds(fresh.of(Timing.CONNECT), 99),
            Figures.milliseconds(messages, 50),
            Figures.milliseconds(messages, 99),
            Figures.milliseconds(messages, 99.9),
            Figures.milliseconds(messages, 100),
            nodes);
    writtenBefore = written;
    samples.add(sample);
    progress.show(
        String.format(
            Locale.ROOT,
            "%4.0f s  %,d of %,d connected  %,.0f messages/s  p99 %.1f ms  %,d errors  %d s left",
            sample.second(),
            sample.connected(),
            settings.users(),
            sample.received(),
            sample.p99(),
            all.errors().values().stream().mapToLong(Long::longValue).sum(),
            Duration.ofNanos(left).toSeconds()));
  }

  private void mark(String text) {
    marks.add(new Mark((System.nanoTime() - begin) / NANOS_PER_SECOND, text));
    progress.say(text);
  }

  private void end() {
    // An interrupt has done its work; what follows waits for processes.
    var unused = Thread.interrupted();
    if (events != null) {
      events.close();
    }
    if (service != null) {
      service.close();
    }
    workers.forEach(WorkerProcess::close);
    if (cluster != null) {
      cluster.close();
    }
  }
}
