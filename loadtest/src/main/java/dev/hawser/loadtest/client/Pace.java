package dev.hawser.loadtest.client;

/**
 * A number of things a second, from a start on. Each has the time at which it was meant to happen,
 * from which latency counts: what is late because something was slow is not forgotten. Not
 * thread-safe.
 */
public final class Pace {

  private static final double NANOS_PER_SECOND = 1e9;

  private final double perSecond;
  private final long start;
  private long taken;

  /**
   * @param perSecond 0 for never
   * @param start of {@link System#nanoTime()}
   */
  public Pace(double perSecond, long start) {
    this.perSecond = perSecond;
    this.start = start;
  }

  /** When the next is meant to happen, of {@link System#nanoTime()}. */
  public long next() {
    return perSecond <= 0
        ? Long.MAX_VALUE
        : start + (long) (taken * (NANOS_PER_SECOND / perSecond));
  }

  /** Whether the next is due. */
  public boolean isDue(long now) {
    return perSecond > 0 && next() - now <= 0;
  }

  /** Takes the next; returns when it was meant to happen. */
  public long take() {
    long intended = next();
    taken++;
    return intended;
  }
}
