package dev.hawser.gateway.stream;

import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The recent end of one user's stream, bounded by count, bytes and age. Knows from where on it has
 * every event, so it can say with certainty whether a position can be recovered. Time is passed in,
 * in milliseconds of any monotonic clock. Not thread-safe; holds no buffer while it is empty.
 */
public final class StreamLog {

  /**
   * What a log keeps at most.
   *
   * @param count events
   * @param bytes of payloads and tags
   */
  public record Limits(int count, int bytes, Duration age) {

    /** Checks the values. */
    public Limits {
      if (count < 1 || bytes < 1 || !age.isPositive()) {
        throw new IllegalArgumentException(
            "hawser.recovery or hawser.mailbox has %d events, %d bytes, %s, expected more than 0 of each"
                .formatted(count, bytes, age));
      }
    }
  }

  /** Nothing is known about what was before, and from where on everything is. */
  private static final long UNKNOWN = -1;

  /** An event and when it came, in one object: there may be millions. */
  private record Kept(PushEvent pushed, long offset, long excluded, long at) {

    Kept(StreamEvent event, long at) {
      this(event.event(), event.offset(), event.excluded(), at);
    }

    StreamEvent event() {
      return new StreamEvent(pushed, offset, excluded);
    }
  }

  private final Limits limits;
  private @Nullable Deque<Kept> kept;
  private int bytes;

  /** Every event behind this offset was appended. */
  private long completeSince = UNKNOWN;

  /** What {@link #completeSince} was at first: from there on events were appended. */
  private long start;

  private long secured;

  /** The last event that was appended and is not kept any more. */
  private long forgotten;

  private long top;

  /** Empty, and complete since nowhere. */
  public StreamLog(Limits limits) {
    this.limits = limits;
  }

  /** From now on every event behind this offset is appended. The first call counts. */
  public void completeSince(long offset) {
    if (completeSince == UNKNOWN) {
      completeSince = offset;
      start = offset;
    }
  }

  /**
   * It turned out that there was no event between this offset and the one that {@link
   * #completeSince} was called with.
   */
  public void nothingBackTo(long offset) {
    completeSince = Math.min(completeSince, offset);
  }

  /** Whether it is known since where the log is complete. */
  public boolean isFed() {
    return completeSince != UNKNOWN;
  }

  /**
   * Adds an event at the end.
   *
   * @return false if the log has it already, or had, or has one with the same id: nothing was added
   */
  public boolean append(StreamEvent event, long now) {
    if (event.offset() <= top || offsetOf(event.event().id()) != 0) {
      return false;
    }
    top = event.offset();
    if (kept == null) {
      kept = new ArrayDeque<>(2);
    }
    kept.add(new Kept(event, now));
    bytes += event.size();
    while (kept.size() > limits.count() || bytes > limits.bytes()) {
      forget(kept.remove());
    }
    expire(now);
    return true;
  }

  /** Where the event with this id is; 0 if none is kept. */
  public long offsetOf(@Nullable String id) {
    if (id != null && kept != null) {
      for (Kept known : kept) {
        if (id.equals(known.pushed().id())) {
          return known.offset();
        }
      }
    }
    return 0;
  }

  /** Events up to this offset are kept elsewhere, or need not be: they may be forgotten by age. */
  public void secured(long offset) {
    secured = Math.max(secured, offset);
  }

  /** Whether that holds for all that is kept here. */
  public boolean isSecured() {
    return kept == null || kept.getLast().offset() <= secured;
  }

  /** Forgets what is older than it may be, if it is secured. */
  public void expire(long now) {
    if (kept == null) {
      return;
    }
    long oldest = now - limits.age().toMillis();
    while (!kept.isEmpty() && kept.element().at() < oldest && kept.element().offset() <= secured) {
      forget(kept.remove());
    }
    if (kept.isEmpty()) {
      kept = null;
    }
  }

  private void forget(Kept oldest) {
    bytes -= oldest.event().size();
    forgotten = Math.max(forgotten, oldest.offset());
  }

  /**
   * Puts events before the others that were kept elsewhere. Those that are behind the start and
   * were not appended yet will be, and what is between them, too: they are left out.
   *
   * @param since every event behind this offset and up to the next one is among them
   * @param upTo as far as they go
   */
  public void restore(List<StreamEvent> older, long since, long upTo, long now) {
    if (isFed() && border() <= upTo) {
      // Between the start and where the log is complete there was nothing.
      long complete = since <= start ? Math.min(since, completeSince) : since;
      completeSince = Math.min(completeSince, complete);
      forgotten = Math.min(forgotten, complete);
    }
    Deque<Kept> later = kept == null ? new ArrayDeque<>() : kept;
    long next = later.isEmpty() ? Math.max(start, top) + 1 : later.element().offset();
    kept = new ArrayDeque<>(older.size() + later.size());
    for (StreamEvent event : older) {
      if (event.offset() < next) {
        kept.add(new Kept(event, now));
        bytes += event.size();
        top = Math.max(top, event.offset());
      }
    }
    kept.addAll(later);
    secured(upTo);
    if (kept.isEmpty()) {
      kept = null;
    }
  }

  /** The offset behind which every event there was is kept here, of a log that is fed. */
  public long border() {
    return Math.max(completeSince, forgotten);
  }

  /** Offset of the last event there ever was, 0 if there was none. */
  public long top() {
    return top;
  }

  /** Whether nothing is kept. */
  public boolean isEmpty() {
    return kept == null;
  }

  /** Whether {@link #since} has all events behind this offset, for sure. */
  public boolean covers(long offset) {
    return isFed() && offset >= border();
  }

  /** Whether there were events behind this offset that are not kept any more. */
  public boolean forgotBehind(long offset) {
    return offset < forgotten;
  }

  /** What is kept behind this offset, in order. */
  public List<StreamEvent> since(long offset) {
    return kept == null
        ? List.of()
        : kept.stream().filter(event -> event.offset() > offset).map(Kept::event).toList();
  }
}
