package dev.hawser.protocol.client;

/**
 * A payload that the connection's encoding cannot carry, such as bytes that are no JSON for a JSON
 * client: disconnect 3506. The message does not repeat the payload.
 */
public final class InappropriatePayloadException extends RuntimeException {

  public InappropriatePayloadException(String message) {
    super(message);
  }
}
