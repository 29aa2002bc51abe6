package dev.hawser.gateway.connection;

import java.time.Clock;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;

/**
 * Makes connection ids that are unique over the whole cluster and rise with time (Snowflake): 41
 * bits of milliseconds since {@link #EPOCH}, 10 bits of the node's leased number, 12 bits of
 * sequence. A node that makes more than 4,096 in one millisecond, or whose clock steps back,
 * borrows from the milliseconds to come.
 */
public final class ConnectionId {

  /** 2026-01-01T00:00:00Z in Unix milliseconds. */
  static final long EPOCH = 1_767_225_600_000L;

  private static final int SEQUENCE_BITS = 12;
  private static final int NODE_BITS = 10;

  private final IntSupplier node;
  private final Clock clock;

  /** Milliseconds since the epoch and the sequence, as one number that only rises. */
  private final AtomicLong last = new AtomicLong();

  /**
   * Starts at the clock's present.
   *
   * @param node the number the node leases now, 0 to 1023
   */
  public ConnectionId(IntSupplier node, Clock clock) {
    this.node = node;
    this.clock = clock;
  }

  /** The next id, positive. */
  public long next() {
    int number = node.getAsInt();
    if (number < 0 || number >= 1 << NODE_BITS) {
      // It would spill into the time and repeat the ids of another node.
      throw new IllegalStateException(
          "the node's number is %d, expected 0 to %d".formatted(number, (1 << NODE_BITS) - 1));
    }
    long now = (clock.millis() - EPOCH) << SEQUENCE_BITS;
    long ticket = last.updateAndGet(previous -> Math.max(previous + 1, now));
    long millisecond = ticket >>> SEQUENCE_BITS;
    long sequence = ticket & ((1 << SEQUENCE_BITS) - 1);
    return millisecond << (NODE_BITS + SEQUENCE_BITS) | (long) number << SEQUENCE_BITS | sequence;
  }

  /** An id as clients see it: 16 hexadecimal digits. */
  public static String toText(long id) {
    return HexFormat.of().toHexDigits(id);
  }

  /** The reverse of {@link #toText}; 0, which no connection has, when the text is not an id. */
  public static long fromText(String text) {
    try {
      return text.length() == 16 ? HexFormat.fromHexDigitsToLong(text) : 0;
    } catch (IllegalArgumentException notHexadecimal) {
      return 0;
    }
  }
}
