package dev.hawser.deploy.standalone.check;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.hawser.deploy.standalone.check.Person.Device;
import dev.hawser.deploy.standalone.check.Person.Habit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** All people: what they are sent, and when their clients are there. */
final class Crowd implements AutoCloseable {

  /** Every so many events of a user come as a burst. */
  private static final int BURSTS = 40;

  private static final int LARGEST_BURST = 30;

  /** Every so many events are written twice. */
  private static final int REPEATS = 20;

  private static final Duration POLL = Duration.ofMillis(100);

  private final Plan plan;
  private final String url;
  private final UnaryOperator<String> tokens;
  private final EventLog log;
  private final Progress progress;
  private final List<History> histories = new ArrayList<>();
  private final AtomicInteger clientNumbers = new AtomicInteger();

  /** The clients that are there at the end, or now; each belongs to one device of its user. */
  private final Map<StockClient, String> present = new ConcurrentHashMap<>();

  private final CountDownLatch loadEnds = new CountDownLatch(1);
  private final CountDownLatch allCome = new CountDownLatch(1);
  private final List<Thread> senders = new ArrayList<>();
  private final List<Thread> devices = new ArrayList<>();

  /**
   * Of a plan.
   *
   * @param tokens a token for each user id
   */
  Crowd(Plan plan, String url, UnaryOperator<String> tokens, EventLog log, Progress progress) {
    this.plan = plan;
    this.url = url;
    this.tokens = tokens;
    this.log = log;
    this.progress = progress;
  }

  /** Clients come and go from now on. */
  void enter() {
    for (Person person : plan.people()) {
      for (int i = 0; i < person.devices().size(); i++) {
        Device device = person.devices().get(i);
        Random random = Plan.random(plan.seed(), person.name() + " device " + i);
        devices.add(Thread.ofVirtual().start(() -> live(person, device, random)));
      }
    }
  }

  /** Events are sent from now on. */
  void load() {
    for (Person person : plan.people()) {
      if (!person.interval().isZero()) {
        Random random = Plan.random(plan.seed(), person.name() + " events");
        senders.add(Thread.ofVirtual().start(() -> send(person, random)));
      }
    }
  }

  private void send(Person person, Random random) {
    double mean = person.interval().toNanos();
    try {
      while (!loadEnds.await(Math.round(-Math.log(1 - random.nextDouble()) * mean), NANOSECONDS)) {
        int burst = random.nextInt(BURSTS) == 0 ? random.nextInt(LARGEST_BURST) : 1;
        for (int i = 0; i < burst; i++) {
          boolean kept = random.nextDouble() >= person.dropped();
          log.send(person.name(), kept, random.nextInt(REPEATS) == 0 ? 2 : 1);
        }
      }
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private void live(Person person, Device device, Random random) {
    Habit habit = device.habit();
    try {
      StockClient client = null;
      if (habit.mostOnline == 0) {
        if (habit == Habit.COMES_LAST) {
          allCome.await();
        }
        client = open(person, device);
        client.connect();
        return;
      }
      while (!isOver()) {
        client = client == null ? open(person, device) : client;
        client.connect();
        if (pause(random, habit.leastOnline, habit.mostOnline)) {
          return;
        }
        if (habit.renewed) {
          present.remove(client);
          client.close();
          client = null;
        } else {
          client.disconnect();
        }
        pause(random, habit.leastOffline, habit.mostOffline);
      }
      client = client == null ? open(person, device) : client;
      client.connect();
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean isOver() {
    return allCome.getCount() == 0;
  }

  /** Some seconds; true if all are to come before they have passed. */
  private boolean pause(Random random, int least, int most) throws InterruptedException {
    double seconds = least + random.nextDouble() * (most - least);
    return allCome.await(Math.round(seconds * 1e9), NANOSECONDS);
  }

  private StockClient open(Person person, Device device) {
    var history = new History(person.name(), device.name(), clientNumbers.incrementAndGet());
    synchronized (histories) {
      histories.add(history);
    }
    var client = new StockClient(url, tokens.apply(person.name()), history, progress);
    present.put(client, person.name());
    return client;
  }

  /** Clients that have a connection now. */
  long connected() {
    return present.keySet().stream().filter(StockClient::isConnected).count();
  }

  /** What all clients got so far. */
  List<History> histories() {
    synchronized (histories) {
      return List.copyOf(histories);
    }
  }

  /** Nothing more is sent. */
  void stopLoad() throws InterruptedException {
    loadEnds.countDown();
    for (Thread sender : senders) {
      sender.join();
    }
  }

  /**
   * All clients come, every user gets one more event, and all wait for it.
   *
   * @return how many clients have not got it in time
   */
  long gather(Duration patience) throws InterruptedException {
    allCome.countDown();
    for (Thread device : devices) {
      device.join();
    }
    Map<String, Long> last = new ConcurrentHashMap<>();
    for (Person person : plan.people()) {
      last.put(person.name(), log.send(person.name(), true));
    }
    log.flush();
    long deadline = System.nanoTime() + patience.toNanos();
    long late = late(last);
    while (late > 0 && System.nanoTime() < deadline) {
      Thread.sleep(POLL);
      late = late(last);
    }
    return late;
  }

  private long late(Map<String, Long> last) {
    return present.entrySet().stream()
        .filter(client -> client.getKey().last() < last.getOrDefault(client.getValue(), 0L))
        .count();
  }

  @Override
  public void close() {
    loadEnds.countDown();
    allCome.countDown();
    List<Thread> closing =
        present.keySet().stream().map(client -> Thread.ofVirtual().start(client::close)).toList();
    try {
      for (Thread each : closing) {
        each.join();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
