package dev.hawser.gateway;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.KafkaProducer;

/** Pushes {@code {"n":0}}, {@code {"n":1}}, … to every user, steadily, until it is stopped. */
final class Pushes implements AutoCloseable {

  private final KafkaProducer<byte[], byte[]> producer;
  private final List<String> users;
  private final Map<String, Integer> pushed = new ConcurrentHashMap<>();
  private final Thread thread;
  private volatile boolean stopped;

  /**
   * Starts to push.
   *
   * @param rounds a second; in each, every user gets one event
   */
  Pushes(Parts parts, List<String> users, int rounds) {
    this.producer = parts.producer();
    this.users = users;
    this.thread = Thread.ofPlatform().name("pushes").start(() -> run(rounds));
  }

  private void run(int rounds) {
    long pause = TimeUnit.SECONDS.toNanos(1) / rounds;
    long next = System.nanoTime();
    for (int n = 0; !stopped; n++) {
      for (String user : users) {
        var unused = producer.send(Parts.event(user, "{\"n\":" + n + "}"));
        pushed.put(user, n + 1);
      }
      next += pause;
      while (!stopped && System.nanoTime() < next) {
        LockSupport.parkNanos(next - System.nanoTime());
      }
    }
  }

  /** Ends, and waits until Kafka has everything. */
  void stop() {
    stopped = true;
    try {
      thread.join();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    producer.flush();
  }

  /** What a user should have received from the beginning. */
  List<String> of(String user) {
    return IntStream.range(0, pushed.getOrDefault(user, 0))
        .mapToObj(n -> "{\"n\":" + n + "}")
        .toList();
  }

  @Override
  public void close() {
    stop();
    producer.close();
  }
}
