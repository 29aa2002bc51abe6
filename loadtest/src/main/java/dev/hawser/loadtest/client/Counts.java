package dev.hawser.loadtest.client;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.zip.DataFormatException;
import org.HdrHistogram.Histogram;

/**
 * What happened at a worker, or at all of them, over some time: counts, errors by kind, and times
 * in microseconds. Not thread-safe.
 */
public final class Counts {

  /** What is counted. */
  public enum Count {
    /** Connections that were established. */
    OPENED,
    /** Connections that ended without our will. */
    LOST,
    /** Connections that were ended by us. */
    CLOSED,
    /** Pushes that arrived. */
    RECEIVED,
    /** Pushes that had arrived before. */
    DUPLICATES,
    /** Messages that clients sent. */
    SENT,
    /** Messages of clients that the server acknowledged. */
    ACKNOWLEDGED
  }

  /** What is timed. */
  public enum Timing {
    /** From the time the connection was meant to be opened to the connect reply. */
    CONNECT,
    /** From the intended send time to the arrival, or to the acknowledgement. */
    MESSAGE,
    /** The same of what was meant to be sent before the client's connection was there. */
    REPLAYED,
    /** From the loss of a connection to the connect reply of the next. */
    AWAY
  }

  /** A minute and more: what takes longer counts as this. */
  private static final long MAX_MICROSECONDS = 120_000_000;

  private static final int DIGITS = 2;
  private static final String FIELD = "\t";

  private final Map<Count, Long> counts = new EnumMap<>(Count.class);
  private final Map<Timing, Histogram> timings = new EnumMap<>(Timing.class);
  private final Map<String, Long> errors = new TreeMap<>();

  /** Nothing yet. */
  public Counts() {
    for (Timing timing : Timing.values()) {
      timings.put(timing, histogram());
    }
  }

  /** An empty histogram of microseconds. */
  public static Histogram histogram() {
    var histogram = new Histogram(DIGITS);
    histogram.setAutoResize(true);
    return histogram;
  }

  /** Records a time; one that is too long as the longest. */
  public static void record(Histogram histogram, long nanoseconds) {
    histogram.recordValue(Math.clamp(nanoseconds / 1_000, 0, MAX_MICROSECONDS));
  }

  void add(Count count) {
    counts.merge(count, 1L, Long::sum);
  }

  void add(Timing timing, long nanoseconds) {
    record(of(timing), nanoseconds);
  }

  void error(String kind) {
    errors.merge(kind, 1L, Long::sum);
  }

  /** Takes in what happened elsewhere or at another time. */
  public void add(Counts other) {
    other.counts.forEach((count, number) -> counts.merge(count, number, Long::sum));
    other.timings.forEach((timing, times) -> of(timing).add(times));
    other.errors.forEach((kind, number) -> errors.merge(kind, number, Long::sum));
  }

  public long of(Count count) {
    return counts.getOrDefault(count, 0L);
  }

  public Histogram of(Timing timing) {
    Histogram histogram = timings.get(timing);
    if (histogram == null) {
      throw new IllegalStateException("no histogram of " + timing);
    }
    return histogram;
  }

  /** How many of each kind. */
  public Map<String, Long> errors() {
    return new TreeMap<>(errors);
  }

  String toLine() {
    var line = new StringJoiner(FIELD);
    for (Count count : Count.values()) {
      line.add(Long.toString(of(count)));
    }
    timings.values().forEach(times -> line.add(encode(times)));
    var kinds = new StringJoiner(",");
    errors.forEach((kind, number) -> kinds.add(kind + "=" + number));
    return line.add(kinds.toString()).toString();
  }

  static Counts parse(String line) {
    var parsed = new Counts();
    String[] fields = line.split(FIELD, -1);
    int next = 0;
    for (Count count : Count.values()) {
      parsed.counts.put(count, Long.parseLong(fields[next++]));
    }
    for (Timing timing : Timing.values()) {
      parsed.timings.put(timing, decode(fields[next++]));
    }
    for (String error : fields[next].split(",", -1)) {
      int equals = error.indexOf('=');
      if (equals > 0) {
        parsed.errors.put(error.substring(0, equals), Long.parseLong(error.substring(equals + 1)));
      }
    }
    return parsed;
  }

  private static String encode(Histogram times) {
    if (times.getTotalCount() == 0) {
      return "";
    }
    var buffer = ByteBuffer.allocate(times.getNeededByteBufferCapacity());
    int length = times.encodeIntoCompressedByteBuffer(buffer);
    return Base64.getEncoder().encodeToString(Arrays.copyOf(buffer.array(), length));
  }

  private static Histogram decode(String text) {
    if (text.isEmpty()) {
      return histogram();
    }
    try {
      var buffer = ByteBuffer.wrap(Base64.getDecoder().decode(text));
      Histogram times = Histogram.decodeFromCompressedByteBuffer(buffer, 0);
      times.setAutoResize(true);
      return times;
    } catch (DataFormatException malformed) {
      throw new IllegalArgumentException("not a histogram: " + text, malformed);
    }
  }
}
