package dev.hawser.gateway.connection;

/** Why a token does not let a client in. The message never holds any of the token. */
public final class AuthenticationException extends Exception {

  private static final long serialVersionUID = 1;

  /** What the client is told. */
  public enum Reason {
    /** No token, and anonymous clients are not let in: error 101. */
    MISSING,
    /** Was good once: error 109 at connect, disconnect 3005 at refresh. */
    EXPIRED,
    /** Never was good: disconnect 3500. */
    INVALID,
    /** The keys cannot be had right now: error 100, temporary. */
    UNAVAILABLE
  }

  private final Reason reason;

  AuthenticationException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** What the client is told. */
  public Reason reason() {
    return reason;
  }
}
