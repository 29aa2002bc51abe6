package dev.hawser.gateway.connection;

/**
 * Who a connection belongs to.
 *
 * @param user user id, empty for an anonymous connection
 * @param expiresAt Unix seconds at which the connection must have been refreshed; 0 for never
 */
public record Identity(String user, long expiresAt) {

  /** Longest user id, in characters. */
  public static final int MAX_USER_LENGTH = 255;

  static final Identity ANONYMOUS = new Identity("", 0);

  /** Whether nobody in particular is behind the connection; it has no session then. */
  public boolean anonymous() {
    return user.isEmpty();
  }
}
