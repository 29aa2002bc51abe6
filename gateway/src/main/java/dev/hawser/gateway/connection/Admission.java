package dev.hawser.gateway.connection;

import java.net.InetAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether one more client may come in. The doors ask before they do anything for it, count who is
 * there, and are refused while there are too many, too many come at once, or the node is at its
 * limits. Thread-safe; limits can be passed by as many as come in at the very same moment.
 */
public final class Admission {

  /** Why a client was refused. */
  public enum Refusal {
    /** The node has as many connections as it takes. */
    CONNECTIONS("connections"),
    /** The client's address has as many as it may have. */
    ADDRESS("address"),
    /** Too many are still being let in. */
    HANDSHAKES("handshakes"),
    /** Too many came in this second. */
    RATE("rate"),
    /** The heap is nearly full. */
    HEAP("heap"),
    /** The event loops are late. */
    LAG("lag");

    private final String label;

    Refusal(String label) {
      this.label = label;
    }

    /** As figures and {@code /ready} name it. */
    public String label() {
      return label;
    }
  }

  private static final Logger log = LoggerFactory.getLogger(Admission.class);

  /** How many of a second's clients may come in one moment: those of this time. */
  private static final long BURST_NANOS = 200_000_000;

  /** A node that refused somebody is not ready for this time: others may have room. */
  private static final long UNREADY_NANOS = 3_000_000_000L;

  /** A node that was full is ready again when this part of its connections is left. */
  private static final double ROOM_AGAIN = 0.95;

  /** The heap has room again below this part of its limit. */
  private static final double HEAP_AGAIN = 0.9;

  /** Samples in a row that make the loops late, or on time again: a second, and two. */
  private static final int LATE_SAMPLES = 4;

  private static final int TIMELY_SAMPLES = 8;

  private final AdmissionSettings settings;
  private final int maxConnections;
  private final LongSupplier nanoTime;
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger handshakes = new AtomicInteger();
  private final Map<InetAddress, Integer> addresses = new ConcurrentHashMap<>();
  private final Map<Refusal, LongAdder> refused = new ConcurrentHashMap<>();

  /** When the next client is due at the limited rate. */
  private final AtomicLong nextDue;

  private volatile long readyAgainAt;
  private volatile boolean full;
  private volatile boolean heapFull;
  private volatile boolean late;

  /** Samples in a row that speak for a change of {@code late}. */
  private int samples;

  /** With the real clock. */
  public Admission(AdmissionSettings settings) {
    this(settings, System::nanoTime);
  }

  Admission(AdmissionSettings settings, LongSupplier nanoTime) {
    this.settings = settings;
    this.maxConnections = settings.connections();
    this.nanoTime = nanoTime;
    this.nextDue = new AtomicLong(nanoTime.getAsLong());
    this.readyAgainAt = nanoTime.getAsLong();
  }

  /**
   * Asks for one more client. If it may come in, tell {@link #entered}.
   *
   * @param address where it comes from; null where that is not known
   * @return null if it may come in
   */
  public @Nullable Refusal ask(@Nullable InetAddress address) {
    Refusal refusal = reason(address);
    if (refusal != null) {
      counter(refusal).increment();
      if (refusal != Refusal.ADDRESS) {
        readyAgainAt = nanoTime.getAsLong() + UNREADY_NANOS;
      }
    }
    return refusal;
  }

  private @Nullable Refusal reason(@Nullable InetAddress address) {
    if (connections.get() >= maxConnections) {
      full = true;
      return Refusal.CONNECTIONS;
    }
    if (heapFull) {
      return Refusal.HEAP;
    }
    if (late) {
      return Refusal.LAG;
    }
    if (handshakes.get() >= settings.maxHandshakes()) {
      return Refusal.HANDSHAKES;
    }
    if (address != null
        && settings.maxConnectionsPerAddress() > 0
        && addresses.getOrDefault(address, 0) >= settings.maxConnectionsPerAddress()) {
      return Refusal.ADDRESS;
    }
    return inTime() ? null : Refusal.RATE;
  }

  /** A leaky bucket of one number: when it would be empty. */
  private boolean inTime() {
    if (settings.maxHandshakesPerSecond() == 0) {
      return true;
    }
    long step = 1_000_000_000L / settings.maxHandshakesPerSecond();
    while (true) {
      long now = nanoTime.getAsLong();
      long due = nextDue.get();
      long start = due - now > 0 ? due : now;
      if (start - now > Math.max(BURST_NANOS, step)) {
        return false;
      }
      if (nextDue.compareAndSet(due, start + step)) {
        return true;
      }
    }
  }

  /** Whether {@link #entered} and {@link #left} need the address. */
  public boolean countsAddresses() {
    return settings.maxConnectionsPerAddress() > 0;
  }

  /** A connection is there. */
  public void entered(@Nullable InetAddress address) {
    connections.incrementAndGet();
    if (address != null && countsAddresses()) {
      addresses.merge(address, 1, Integer::sum);
    }
  }

  /** A connection that had entered is gone. */
  public void left(@Nullable InetAddress address) {
    connections.decrementAndGet();
    if (address != null && countsAddresses()) {
      addresses.computeIfPresent(address, (same, count) -> count == 1 ? null : count - 1);
    }
  }

  /** A client is being let in; until {@link #handshakeEnded}. */
  public void handshakeStarted() {
    handshakes.incrementAndGet();
  }

  /** It is in, or gone. */
  public void handshakeEnded() {
    handshakes.decrementAndGet();
  }

  /**
   * How the node does; to be told four times a second, by one thread.
   *
   * @param heap part of the heap that was in use behind the last collection
   * @param lag how late the latest of the event loops is
   */
  void sampled(double heap, Duration lag) {
    boolean heapWasFull = heapFull;
    heapFull = heap > settings.maxHeap() * (heapWasFull ? HEAP_AGAIN : 1);
    if (heapFull != heapWasFull) {
      log.warn("{} % of the heap in use; {} clients", (int) (heap * 100), mood(heapFull));
    }
    boolean speaksForChange =
        late
            ? lag.multipliedBy(2).compareTo(settings.maxLag()) < 0
            : lag.compareTo(settings.maxLag()) > 0;
    samples = speaksForChange ? samples + 1 : 0;
    if (samples == (late ? TIMELY_SAMPLES : LATE_SAMPLES)) {
      late = !late;
      samples = 0;
      log.warn("event loops are late by {}; {} clients", lag, mood(late));
    }
    full = full && connections.get() > maxConnections * ROOM_AGAIN;
  }

  private static String mood(boolean shut) {
    return shut ? "refusing" : "taking";
  }

  /** Why clients should go elsewhere; empty if they need not. */
  public String problem() {
    if (full) {
      return "as many connections as hawser.admission allows";
    }
    if (heapFull) {
      return "the heap is nearly full";
    }
    if (late) {
      return "the event loops are late";
    }
    return readyAgainAt - nanoTime.getAsLong() > 0 ? "too many clients at once" : "";
  }

  /** Seconds after which who is refused should come again; not the same for all. */
  public int retryAfterSeconds() {
    int least = Math.toIntExact(settings.retryAfter().toSeconds());
    return least + ThreadLocalRandom.current().nextInt(least + 1);
  }

  /** Clients refused for this reason since the start. */
  public long refused(Refusal why) {
    return counter(why).sum();
  }

  private LongAdder counter(Refusal why) {
    return refused.computeIfAbsent(why, first -> new LongAdder());
  }

  /** Connections there are, whether let in already or not. */
  public int connections() {
    return connections.get();
  }

  /** Clients that are being let in. */
  public int handshakes() {
    return handshakes.get();
  }
}
