package dev.hawser.protocol.client;

/**
 * Why the server ends a subscription: the catalogue of section 7, and room for the codes of
 * applications, 2100 to 2499 and 2600 to 2999.
 *
 * @param code 2000 to 2999
 * @param reason for people, not empty
 */
public record UnsubscribeCode(int code, String reason) {

  public static final UnsubscribeCode SERVER_UNSUBSCRIBE =
      new UnsubscribeCode(2000, "server unsubscribe");
  public static final UnsubscribeCode INSUFFICIENT_STATE =
      new UnsubscribeCode(2500, "insufficient state");
  public static final UnsubscribeCode SUBSCRIPTION_EXPIRED =
      new UnsubscribeCode(2501, "subscription expired");
  public static final UnsubscribeCode STATE_INVALIDATED =
      new UnsubscribeCode(2502, "state invalidated");

  /**
   * @throws IllegalArgumentException if a limit above does not hold
   */
  public UnsubscribeCode {
    if (code < 2000 || code > 2999) {
      throw new IllegalArgumentException("unsubscribe code must be 2000 to 2999, not " + code);
    }
    if (reason.isEmpty()) {
      throw new IllegalArgumentException("unsubscribe reason must not be empty");
    }
  }

  /**
   * Whether the SDKs subscribe again at once, with recovery. True of the client's own subscriptions
   * only; a server-side one is gone with any code.
   */
  public boolean resubscribe() {
    return code >= 2500;
  }
}
