package dev.hawser.deploy.standalone.check;

import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.standalone.check.Judge.Outage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Breaks what the plan says, track by track, and puts it right again. */
final class Nemesis {

  /** What was done: times in nanoseconds since the begin of the check. */
  record Deed(Fault fault, long from, long to) {}

  private static final double SOME = 0.3;
  private static final double HALF = 0.5;

  private final Plan plan;
  private final List<NodeUnderTest> nodes;
  private final EmbeddedPostgreSql postgreSql;
  private final EmbeddedKafka kafka;
  private final Proxy proxy;
  private final Progress progress;
  private final List<Deed> deeds = new ArrayList<>();
  private final CountDownLatch ended = new CountDownLatch(1);

  Nemesis(
      Plan plan,
      List<NodeUnderTest> nodes,
      EmbeddedPostgreSql postgreSql,
      EmbeddedKafka kafka,
      Proxy proxy,
      Progress progress) {
    this.plan = plan;
    this.nodes = nodes;
    this.postgreSql = postgreSql;
    this.kafka = kafka;
    this.proxy = proxy;
    this.progress = progress;
  }

  /** Does it all, or what it gets to until {@link #end}; returns when all is as before. */
  void run() {
    long begin = System.nanoTime();
    CompletableFuture<?>[] tracks =
        Arrays.stream(Track.values())
            .map(track -> CompletableFuture.runAsync(() -> run(track, begin), Nemesis::inThread))
            .toArray(CompletableFuture<?>[]::new);
    CompletableFuture.allOf(tracks).join();
  }

  /** Begins nothing any more. On a slow machine there may be faults left. */
  void end() {
    ended.countDown();
  }

  private static void inThread(Runnable task) {
    Thread.ofPlatform().daemon().name("nemesis").start(task);
  }

  List<Deed> deeds() {
    synchronized (deeds) {
      return List.copyOf(deeds);
    }
  }

  /** When PostgreSQL or Kafka was away. */
  List<Outage> outages() {
    return deeds().stream()
        .filter(deed -> deed.fault().kind().track == Track.PARTS)
        .map(deed -> new Outage(deed.from(), deed.to()))
        .toList();
  }

  private void run(Track track, long begin) {
    Random random = Plan.random(plan.seed(), "nemesis " + track);
    try {
      for (Fault fault : plan.faults()) {
        if (fault.kind().track == track) {
          long early = fault.at().toNanos() - (System.nanoTime() - begin);
          if (ended.await(early, TimeUnit.NANOSECONDS)) {
            return;
          }
          long from = progress.now();
          progress.note(fault.text());
          perform(fault, random);
          var deed = new Deed(fault, from, progress.now());
          synchronized (deeds) {
            deeds.add(deed);
          }
          progress.note("  over: " + fault.text());
        }
      }
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private void perform(Fault fault, Random random) throws InterruptedException {
    NodeUnderTest node = nodes.get(fault.node());
    switch (fault.kind()) {
      case KILL -> {
        node.kill();
        Thread.sleep(fault.lasts());
        node.startAgain();
        node.awaitReady();
      }
      case PAUSE -> {
        node.pause();
        Thread.sleep(fault.lasts());
        node.goOn();
        settle(node);
      }
      case STOP -> {
        node.stop();
        Thread.sleep(fault.lasts());
        node.startAgain();
        node.awaitReady();
      }
      case ROLLING_RESTART -> {
        for (NodeUnderTest each : nodes) {
          each.stop();
          each.startAgain();
          each.awaitReady();
        }
      }
      case POSTGRESQL -> {
        postgreSql.stop();
        Thread.sleep(fault.lasts());
        postgreSql.restart();
      }
      case KAFKA -> {
        kafka.stop();
        Thread.sleep(fault.lasts());
        kafka.restart();
      }
      case CUT_SOME -> {
        var unused = proxy.cut(SOME, random);
      }
      case CUT_ALL -> {
        proxy.shut();
        Thread.sleep(fault.lasts());
        proxy.open();
      }
      case STALL -> {
        proxy.stall();
        Thread.sleep(fault.lasts());
        var unused = proxy.cut(HALF, random);
        proxy.flow();
      }
    }
  }

  /** A node that was paused finds out after a moment that the others went on without it. */
  private static void settle(NodeUnderTest node) throws InterruptedException {
    Thread.sleep(Duration.ofSeconds(3));
    node.awaitReady();
  }
}
