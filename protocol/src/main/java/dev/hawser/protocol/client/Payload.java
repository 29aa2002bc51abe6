package dev.hawser.protocol.client;

import java.util.Arrays;

/**
 * Opaque application bytes inside a command or a push. The server never looks into them; {@link
 * #toString} shows only their number, so that no payload reaches a log by accident.
 *
 * @param bytes the bytes, not copied: whoever hands them over does not change them any more
 */
public record Payload(byte[] bytes) {

  /** No bytes: the wire formats leave such a field out. */
  public static final Payload EMPTY = new Payload(new byte[0]);

  /** Whether there are no bytes. */
  public boolean isEmpty() {
    return bytes.length == 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Payload payload && Arrays.equals(bytes, payload.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return "Payload[" + bytes.length + " bytes]";
  }
}
