package dev.hawser.deploy.standalone.check;

import dev.hawser.deploy.embedded.EmbeddedKafka;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.standalone.check.History.Event;
import dev.hawser.deploy.standalone.check.Person.Habit;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * Sends numbered events to many users with stock clients, breaks what can break meanwhile, and
 * compares what the clients got with what Kafka has. docs/delivery.md tells what is promised.
 */
public final class DeliveryCheck implements AutoCloseable {

  /**
   * What is checked, and for how long.
   *
   * @param seed of all that is left to chance
   * @param duration of the load; starting, healing and judging come on top
   * @param tracks what breaks
   * @param window the nodes' {@code hawser.recovery.window}
   * @param limit the nodes' {@code hawser.recovery.max-events} and {@code
   *     hawser.mailbox.max-events}
   */
  public record Task(long seed, Duration duration, Set<Track> tracks, Duration window, int limit) {

    /** Checks the values. */
    public Task {
      tracks = Set.copyOf(tracks);
      if (!duration.isPositive()) {
        throw new IllegalArgumentException(
            "duration is %s, expected more than 0".formatted(duration));
      }
    }
  }

  /**
   * How a node is run, and where it is.
   *
   * @param number from 1
   * @param command starts it, in the foreground; its end of standard input is its end
   * @param readiness answers 200 when it serves clients
   * @param log what it says is appended there
   */
  public record Place(
      int number, List<String> command, int webSocketPort, URI readiness, Path log) {

    /** Copies the command. */
    public Place {
      command = List.copyOf(command);
    }
  }

  private static final Duration REPORT_INTERVAL = Duration.ofSeconds(10);
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration CONNECT_PATIENCE = Duration.ofMinutes(1);

  /** Load without faults, before and after them. */
  private static final Duration CALM = Duration.ofSeconds(5);

  private static final Duration GATHER_PATIENCE = Duration.ofMinutes(2);
  private static final Duration SETTLE_PATIENCE = Duration.ofSeconds(40);

  private final Task task;
  private final EmbeddedPostgreSql postgreSql;
  private final EmbeddedKafka kafka;
  private final Progress progress;
  private final Plan plan;
  private final List<NodeUnderTest> nodes = new ArrayList<>();
  private final Proxy proxy;
  private final EventLog log;
  private final Crowd crowd;
  private final CountDownLatch finish = new CountDownLatch(1);

  /**
   * Starts the nodes. PostgreSQL and Kafka run, with database and topics.
   *
   * @param tokens a connection token for each user id
   * @param out what happens is printed there
   */
  public DeliveryCheck(
      Task task,
      EmbeddedPostgreSql postgreSql,
      EmbeddedKafka kafka,
      List<Place> places,
      UnaryOperator<String> tokens,
      PrintStream out)
      throws IOException {
    this.task = task;
    this.postgreSql = postgreSql;
    this.kafka = kafka;
    this.progress = new Progress(out);
    this.plan = Plan.of(task.seed(), task.duration(), task.tracks());
    places.forEach(place -> nodes.add(new NodeUnderTest(place, progress)));
    this.proxy = new Proxy(nodes);
    this.log = new EventLog(kafka.bootstrapServers(), progress);
    this.crowd = new Crowd(plan, proxy.url(), tokens, log, progress);
  }

  /**
   * Runs it.
   *
   * @throws IllegalStateException if nothing can be judged, because a node does not come up or
   *     Kafka has lost something
   */
  public Verdict run() throws InterruptedException {
    progress.say("waiting for %d nodes".formatted(nodes.size()));
    for (NodeUnderTest node : nodes) {
      node.awaitReady();
    }
    crowd.enter();
    awaitConnected();
    progress.say(
        "%d users; %d faults in %.1f minutes"
            .formatted(
                plan.people().size(), plan.faults().size(), plan.duration().toSeconds() / 60.0));
    long end = progress.now() + plan.duration().toNanos();
    crowd.load();
    var nemesis = new Nemesis(plan, nodes, postgreSql, kafka, proxy, progress);
    var broken = CompletableFuture.runAsync(nemesis::run, task -> Thread.ofPlatform().start(task));
    while (progress.now() < end
        && !finish.await(
            Math.min(REPORT_INTERVAL.toNanos(), end - progress.now()), TimeUnit.NANOSECONDS)) {
      progress.say(
          String.format(
              Locale.ROOT,
              "sent %,d, acknowledged by Kafka %,d, clients connected %d",
              log.sent(),
              log.acknowledged(),
              crowd.connected()));
    }
    nemesis.end();
    broken.join();
    if (finish.getCount() == 0) {
      progress.note("ended before its time");
    }
    progress.note(
        "no more faults; %d of %d that were planned had their turn"
            .formatted(nemesis.deeds().size(), plan.faults().size()));
    Thread.sleep(CALM);
    crowd.stopLoad();
    for (NodeUnderTest node : nodes) {
      node.awaitReady();
    }
    progress.say("all clients come, and get one more event");
    long late = crowd.gather(GATHER_PATIENCE);
    if (late > 0) {
      progress.note("%d clients have not got the last event in time".formatted(late));
    }
    Map<String, List<Event>> events = log.read();
    long deadline = progress.now() + SETTLE_PATIENCE.toNanos();
    Findings findings;
    do {
      // Whoever gets something twice gets it now; and mail that was to wait for PostgreSQL comes.
      Thread.sleep(CALM);
      findings =
          Judge.judge(events, crowd.histories(), nemesis.outages(), task.window(), task.limit());
    } while (!findings.isClean() && progress.now() < deadline);
    return new Verdict(
        task,
        plan,
        log.sent(),
        log.acknowledged(),
        nemesis.deeds(),
        findings,
        progress.notes(),
        events,
        crowd.histories());
  }

  /** Ends the load and the faults before their time; what was is judged. From any thread. */
  public void finish() {
    finish.countDown();
  }

  /** Those who are there all the time. */
  private void awaitConnected() throws InterruptedException {
    long expected =
        plan.people().stream()
            .flatMap(person -> person.devices().stream())
            .filter(device -> device.habit() == Habit.STAYS)
            .count();
    long deadline = System.nanoTime() + CONNECT_PATIENCE.toNanos();
    while (crowd.connected() < expected) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "%d clients are connected, expected %d".formatted(crowd.connected(), expected));
      }
      Thread.sleep(POLL);
    }
  }

  /** Ends the clients, and the nodes however they are. */
  @Override
  public void close() throws IOException {
    crowd.close();
    log.close();
    proxy.close();
    nodes.forEach(NodeUnderTest::close);
  }
}
