package dev.hawser.protocol.client;

/**
 * A place in a channel's stream: everything up to and including {@code offset} is behind it
 * (section 5).
 *
 * @param offset the last publication seen, counted from 1, unsigned; 0 before the first one
 * @param epoch which life of the stream the offset belongs to; {@code ""} when not known
 */
public record StreamPosition(long offset, String epoch) {

  /** Before everything, in a stream of unknown epoch. */
  public static final StreamPosition START = new StreamPosition(0, "");
}
