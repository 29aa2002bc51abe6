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

  /** The last second of the year 9999; {@link java.time.Instant} cannot add up much more. */
  private static final long MAX_EXPIRY = 253_402_300_799L;

  static final Identity ANONYMOUS = new Identity("", 0);

  /** An expiry that is later than any becomes the latest. */
  public Identity {
    expiresAt = Math.min(expiresAt, MAX_EXPIRY);
  }

  /** Whether a user can have this id: 1 to 255 characters, none of them a control character. */
  public static boolean isUser(String id) {
    return !id.isEmpty() && id.length() <= MAX_USER_LENGTH && isText(id);
  }

  /** PostgreSQL text cannot hold U+0000, UTF-8 no half of a surrogate pair. */
  static boolean isText(String text) {
    return text.codePoints()
        .noneMatch(
            character ->
                Character.isISOControl(character)
                    || Character.getType(character) == Character.SURROGATE);
  }

  /** Whether nobody in particular is behind the connection; it has no session then. */
  public boolean anonymous() {
    return user.isEmpty();
  }
}
