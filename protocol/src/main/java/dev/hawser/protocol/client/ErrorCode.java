package dev.hawser.protocol.client;

/**
 * Why a command was refused: the catalogue of section 7, which also tells what the SDKs do on each.
 */
public enum ErrorCode {
  INTERNAL_SERVER_ERROR(100, "internal server error", true),
  UNAUTHORIZED(101, "unauthorized", false),
  UNKNOWN_CHANNEL(102, "unknown channel", false),
  PERMISSION_DENIED(103, "permission denied", false),
  METHOD_NOT_FOUND(104, "method not found", false),
  ALREADY_SUBSCRIBED(105, "already subscribed", false),
  LIMIT_EXCEEDED(106, "limit exceeded", false),
  BAD_REQUEST(107, "bad request", false),
  NOT_AVAILABLE(108, "not available", false),
  /** The client fetches a new token and tries again. Never an answer to {@code refresh}. */
  TOKEN_EXPIRED(109, "token expired", false),
  EXPIRED(110, "expired", false),
  TOO_MANY_REQUESTS(111, "too many requests", true),
  UNRECOVERABLE_POSITION(112, "unrecoverable position", false),
  CONCURRENT_PAGINATION(113, "concurrent pagination", true);

  private final int code;
  private final String message;
  private final boolean temporary;

  ErrorCode(int code, String message, boolean temporary) {
    this.code = code;
    this.message = message;
    this.temporary = temporary;
  }

  public int code() {
    return code;
  }

  /** For people; goes to the client. */
  public String message() {
    return message;
  }

  /** Whether the client may try the same again. */
  public boolean temporary() {
    return temporary;
  }
}
