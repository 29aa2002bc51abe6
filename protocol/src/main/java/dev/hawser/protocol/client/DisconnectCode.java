package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Why the server closes a connection: the catalogue of section 7, and room for the codes of
 * applications, 4000 to 4999. Code and reason go into the WebSocket close frame as they are.
 *
 * @param code 3000 to 4999
 * @param reason for people: not empty, at most 123 bytes of UTF-8, and not JSON. The JS SDK ignores
 *     the code when the reason is empty, and obeys the reason instead when it parses as JSON
 *     (section 4)
 */
public record DisconnectCode(int code, String reason) {

  /** Never put on the wire: cut the TCP connection instead, and the client reconnects. */
  public static final DisconnectCode CONNECTION_CLOSED =
      new DisconnectCode(3000, "connection closed");

  public static final DisconnectCode SHUTDOWN = new DisconnectCode(3001, "shutdown");
  public static final DisconnectCode INTERNAL_SERVER_ERROR =
      new DisconnectCode(3004, "internal server error");
  public static final DisconnectCode CONNECTION_EXPIRED =
      new DisconnectCode(3005, "connection expired");
  public static final DisconnectCode SUBSCRIPTION_EXPIRED =
      new DisconnectCode(3006, "subscription expired");
  public static final DisconnectCode SLOW = new DisconnectCode(3008, "slow");
  public static final DisconnectCode WRITE_ERROR = new DisconnectCode(3009, "write error");
  public static final DisconnectCode INSUFFICIENT_STATE =
      new DisconnectCode(3010, "insufficient state");
  public static final DisconnectCode FORCE_RECONNECT = new DisconnectCode(3011, "force reconnect");
  public static final DisconnectCode NO_PONG = new DisconnectCode(3012, "no pong");
  public static final DisconnectCode TOO_MANY_REQUESTS =
      new DisconnectCode(3013, "too many requests");

  /** The client drops its token and resubscribes from nothing. */
  public static final DisconnectCode STATE_INVALIDATED =
      new DisconnectCode(3014, "state invalidated");

  public static final DisconnectCode INVALID_TOKEN = new DisconnectCode(3500, "invalid token");
  public static final DisconnectCode BAD_REQUEST = new DisconnectCode(3501, "bad request");
  public static final DisconnectCode STALE = new DisconnectCode(3502, "stale");
  public static final DisconnectCode FORCE_DISCONNECT =
      new DisconnectCode(3503, "force disconnect");
  public static final DisconnectCode CONNECTION_LIMIT =
      new DisconnectCode(3504, "connection limit");
  public static final DisconnectCode CHANNEL_LIMIT = new DisconnectCode(3505, "channel limit");

  /** A payload cannot be said in the connection's encoding. */
  public static final DisconnectCode INAPPROPRIATE_PROTOCOL =
      new DisconnectCode(3506, "inappropriate protocol");

  public static final DisconnectCode PERMISSION_DENIED =
      new DisconnectCode(3507, "permission denied");
  public static final DisconnectCode NOT_AVAILABLE = new DisconnectCode(3508, "not available");
  public static final DisconnectCode TOO_MANY_ERRORS = new DisconnectCode(3509, "too many errors");

  private static final int MAX_REASON_BYTES = 123;

  /**
   * @throws IllegalArgumentException if a limit above does not hold
   */
  public DisconnectCode {
    if (code < 3000 || code > 4999) {
      throw new IllegalArgumentException("disconnect code must be 3000 to 4999, not " + code);
    }
    byte[] bytes = reason.getBytes(UTF_8);
    if (bytes.length == 0) {
      throw new IllegalArgumentException("disconnect reason must not be empty");
    }
    if (bytes.length > MAX_REASON_BYTES) {
      throw new IllegalArgumentException(
          "disconnect reason must be at most %d bytes of UTF-8, not %d"
              .formatted(MAX_REASON_BYTES, bytes.length));
    }
    if (JsonCodec.isJson(bytes)) {
      throw new IllegalArgumentException(
          "disconnect reason must not parse as JSON, clients would take it as an order");
    }
  }

  /** Whether the SDKs come back by themselves: 3000 to 3499 and 4000 to 4499. */
  public boolean reconnect() {
    return code % 1000 < 500;
  }
}
