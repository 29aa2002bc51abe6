package dev.hawser.gateway.connection;

import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Why a token does not let a client in. The message never holds any of the token. */
public final class AuthenticationException extends Exception {

  private static final long serialVersionUID = 1;
  private static final Logger log = LoggerFactory.getLogger(AuthenticationException.class);

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

  /** What became of an authentication; a failure that is no refusal makes it unavailable. */
  static AuthenticationException of(@Nullable Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    if (cause instanceof AuthenticationException refusal) {
      return refusal;
    }
    log.error("authentication failed", cause);
    return new AuthenticationException(Reason.UNAVAILABLE, "authentication failed");
  }

  /** What the client is told. */
  public Reason reason() {
    return reason;
  }
}
