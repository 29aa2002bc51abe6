package dev.hawser.presence;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Objects;

/** A node without the threads that keep it alive, and with clocks that the test sets. */
class TestNode {

  /** Stands still until time passes. */
  static final class TestClock implements InstantSource {
    private volatile Instant now = Instant.parse("2026-11-23T12:00:00Z");

    @Override
    public Instant instant() {
      return now;
    }

    void pass(Duration time) {
      now = now.plus(time);
    }
  }

  final TestClock steadyClock = new TestClock();
  final TestClock clock = new TestClock();
  final PresenceRecorder recorder;
  private final NodeRegistry registry;
  NodeLease lease;

  TestNode(PresenceDatabase connections, PresenceSettings settings, String name) {
    registry = new NodeRegistry(connections, settings);
    recorder = new PresenceRecorder(connections, settings, steadyClock, clock);
    lease = register(name);
  }

  final NodeLease register(String name) {
    lease = Objects.requireNonNull(registry.lease(name).block());
    recorder.use(lease);
    return lease;
  }

  /** Time passes on both clocks. */
  void pass(Duration time) {
    steadyClock.pass(time);
    clock.pass(time);
  }

  /** Everybody who left is gone. */
  boolean settle() {
    return recorder.flush(true);
  }
}
