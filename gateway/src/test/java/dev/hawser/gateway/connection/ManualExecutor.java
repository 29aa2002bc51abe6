package dev.hawser.gateway.connection;

import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * A loop's thread in virtual time: tasks run on the caller's thread when {@link #advance} reaches
 * them. As in the JDK, a repeated task that throws is not run again, and nobody hears of it.
 */
final class ManualExecutor extends AbstractExecutorService implements ScheduledExecutorService {

  private final PriorityQueue<Task<?>> tasks =
      new PriorityQueue<>(
          Comparator.<Task<?>>comparingLong(task -> task.due)
              .thenComparingLong(task -> task.sequence));
  private long now;
  private long sequence;
  private boolean shutdown;

  /** Lets time pass. */
  void advance(Duration time) {
    long end = now + time.toNanos();
    for (var next = tasks.peek(); next != null && next.due <= end; next = tasks.peek()) {
      tasks.remove(next);
      now = Math.max(now, next.due);
      next.perform();
    }
    now = end;
  }

  /** Runs what waits already. */
  void runWaiting() {
    advance(Duration.ZERO);
  }

  /** Tasks that wait for their time, but for the tick of the loop. */
  long timers() {
    return tasks.stream().filter(task -> task.period == 0).count();
  }

  private final class Task<V> extends FutureTask<V> implements ScheduledFuture<V> {
    private final long sequence = ManualExecutor.this.sequence++;
    private final long period;
    private long due;

    Task(Callable<V> callable, long delay, long period) {
      super(callable);
      if (shutdown) {
        throw new RejectedExecutionException("shut down");
      }
      this.due = now + delay;
      this.period = period;
      tasks.add(this);
    }

    private void perform() {
      if (period == 0) {
        run();
      } else if (runAndReset()) {
        due = now + period;
        tasks.add(this);
      }
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
      tasks.remove(this);
      return super.cancel(mayInterruptIfRunning);
    }

    @Override
    public long getDelay(TimeUnit unit) {
      return unit.convert(due - now, TimeUnit.NANOSECONDS);
    }

    @Override
    public int compareTo(Delayed other) {
      return Long.compare(getDelay(TimeUnit.NANOSECONDS), other.getDelay(TimeUnit.NANOSECONDS));
    }
  }

  @Override
  public void execute(Runnable command) {
    var unused = schedule(command, 0, TimeUnit.NANOSECONDS);
  }

  @Override
  public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
    return schedule(Executors.callable(command), delay, unit);
  }

  @Override
  public <V> ScheduledFuture<V> schedule(Callable<V> callable, long delay, TimeUnit unit) {
    return new Task<>(callable, unit.toNanos(delay), 0);
  }

  @Override
  public ScheduledFuture<?> scheduleAtFixedRate(
      Runnable command, long initialDelay, long period, TimeUnit unit) {
    return scheduleWithFixedDelay(command, initialDelay, period, unit);
  }

  @Override
  public ScheduledFuture<?> scheduleWithFixedDelay(
      Runnable command, long initialDelay, long delay, TimeUnit unit) {
    return new Task<>(Executors.callable(command), unit.toNanos(initialDelay), unit.toNanos(delay));
  }

  @Override
  public void shutdown() {
    shutdown = true;
    tasks.clear();
  }

  @Override
  public List<Runnable> shutdownNow() {
    shutdown();
    return List.of();
  }

  @Override
  public boolean isShutdown() {
    return shutdown;
  }

  @Override
  public boolean isTerminated() {
    return shutdown;
  }

  @Override
  public boolean awaitTermination(long timeout, TimeUnit unit) {
    return shutdown;
  }
}
