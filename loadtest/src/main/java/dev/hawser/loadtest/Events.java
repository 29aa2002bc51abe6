package dev.hawser.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.client.Pace;
import dev.hawser.loadtest.server.Broadcasts;
import dev.hawser.protocol.event.EventHeaders;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/** Writes events to Kafka at a pace, each with the time at which it was meant to be sent. */
final class Events implements AutoCloseable {

  private static final String EVENTS = "hawser.events";

  private static final int TIMEOUT_MILLISECONDS = 10_000;
  private static final int ENVELOPE_BYTES = 30;
  private static final double NANOS_PER_SECOND = 1e9;

  private final LoadSettings settings;
  private final KafkaProducer<byte[], byte[]> producer;
  private final String padding;
  private final IntSupplier connected;
  private final LongAdder written = new LongAdder();
  private final LongAdder expected = new LongAdder();
  private final LongAdder failed = new LongAdder();
  private @Nullable Thread thread;
  private volatile boolean resting;

  /**
   * @param connected how many clients there are, who all should get a broadcast
   */
  Events(LoadSettings settings, String kafka, IntSupplier connected) {
    this.settings = settings;
    this.connected = connected;
    this.padding = "x".repeat(Math.max(0, settings.payloadBytes() - ENVELOPE_BYTES));
    this.producer =
        new KafkaProducer<>(
            Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ProducerConfig.ACKS_CONFIG,
                "all",
                ProducerConfig.LINGER_MS_CONFIG,
                1,
                ProducerConfig.MAX_BLOCK_MS_CONFIG,
                TIMEOUT_MILLISECONDS),
            new ByteArraySerializer(),
            new ByteArraySerializer());
  }

  /** Begins, now. */
  void start() {
    double perSecond =
        settings.scenario().broadcasts()
            ? NANOS_PER_SECOND / settings.every().toNanos()
            : settings.rate();
    var pace = new Pace(perSecond, System.nanoTime());
    thread = Thread.ofPlatform().daemon().name("events").start(() -> write(pace));
  }

  /** Ends, and waits until Kafka has acknowledged all. */
  void rest() {
    Thread writing = thread;
    if (writing != null) {
      thread = null;
      resting = true;
      LockSupport.unpark(writing);
      try {
        writing.join();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
      producer.flush();
    }
  }

  /** An event for one user, beside the paced ones. */
  void push(String user, long intended) {
    byte[] name = user.getBytes(UTF_8);
    var record = new ProducerRecord<>(EVENTS, name, value(intended));
    record.headers().add(EventHeaders.USER, name);
    send(record, 1);
  }

  /** Records that Kafka has acknowledged. */
  long written() {
    return written.sum();
  }

  /** How many clients should have got one. */
  long expected() {
    return expected.sum();
  }

  /** Records that Kafka has not taken. */
  long failed() {
    return failed.sum();
  }

  @Override
  public void close() {
    rest();
    producer.close(Duration.ofMillis(TIMEOUT_MILLISECONDS));
  }

  private void write(Pace pace) {
    while (!resting) {
      long now = System.nanoTime();
      if (!pace.isDue(now)) {
        LockSupport.parkNanos(pace.next() - now);
      } else if (settings.scenario().broadcasts()) {
        send(new ProducerRecord<>(Broadcasts.TOPIC, value(pace.take())), connected.getAsInt());
      } else {
        int user = ThreadLocalRandom.current().nextInt(settings.users());
        push(settings.prefix() + user, pace.take());
      }
    }
  }

  private byte[] value(long intended) {
    return "{\"t\":%d,\"p\":\"%s\"}".formatted(intended, padding).getBytes(UTF_8);
  }

  private void send(ProducerRecord<byte[], byte[]> record, int receivers) {
    var unused =
        producer.send(
            record,
            (metadata, failure) -> {
              if (failure == null) {
                written.increment();
                expected.add(receivers);
              } else {
                failed.increment();
              }
            });
  }
}
