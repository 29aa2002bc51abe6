package dev.hawser.protocol.client;

/**
 * A frame that cannot be decoded: disconnect 3501. The message tells what is wrong and where, and
 * never repeats what the frame holds, so it can be logged.
 */
public final class MalformedFrameException extends RuntimeException {

  public MalformedFrameException(String message) {
    super(message);
  }
}
