package dev.hawser.gateway.stream;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Measures what an event costs a user's log that is full, and what one who comes back costs. Not
 * run by the build (its name does not end with Test); {@code docs/performance.md} has the command
 * and the figures.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class StreamLogRate {

  private static final Payload PAYLOAD = new Payload("x".repeat(100).getBytes(UTF_8));

  /** How many events the log keeps. */
  @Param({"10", "100", "1000"})
  public int kept;

  private StreamLog log = empty(1);
  private long offset;

  /** Runs all of them. */
  @Test
  void measure() throws RunnerException {
    new Runner(
            new OptionsBuilder()
                .include(StreamLogRate.class.getName())
                .addProfiler(GCProfiler.class)
                .build())
        .run();
  }

  /** A log that is full. */
  @Setup
  public void fill() {
    log = empty(kept);
    for (int i = 0; i < kept; i++) {
      withId();
    }
  }

  private static StreamLog empty(int most) {
    var log = new StreamLog(new StreamLog.Limits(most, 1 << 30, Duration.ofHours(1)));
    log.completeSince(0);
    return log;
  }

  private boolean append(@Nullable String id) {
    offset++;
    var event = new PushEvent("user", id, null, null, true, Map.of(), PAYLOAD);
    return log.append(new StreamEvent(event, offset, 0), offset);
  }

  /** An event of a producer that does not number its events. */
  @Benchmark
  public boolean withoutId() {
    return append(null);
  }

  /** One of a producer that does: is it a repeated one? */
  @Benchmark
  public boolean withId() {
    return append(Long.toString(offset));
  }

  /** A client comes back that missed three events. */
  @Benchmark
  public List<StreamEvent> missedThree() {
    return log.since(offset - 3);
  }
}
