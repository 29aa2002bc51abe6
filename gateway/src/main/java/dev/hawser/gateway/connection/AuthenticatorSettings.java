package dev.hawser.gateway.connection;

import com.typesafe.config.Config;

/**
 * Which tokens are accepted, from {@code hawser.auth}; an empty string turns a key source or a
 * check off.
 *
 * @param hmacSecret shared secret of HS256, HS384 and HS512 tokens
 * @param jwksUrl where the JSON Web Key Set for RS*, PS* and ES* tokens is served
 * @param jwksFile or the file that holds it
 * @param audience required {@code aud}
 * @param issuer required {@code iss}
 * @param anonymous whether clients without a token are let in, as nobody in particular
 */
public record AuthenticatorSettings(
    String hmacSecret,
    String jwksUrl,
    String jwksFile,
    String audience,
    String issuer,
    boolean anonymous) {

  private static final int MIN_SECRET_BYTES = 32;

  /** Checks the values; whether there is a key at all, {@link #requireKey} does. */
  public AuthenticatorSettings {
    if (!jwksUrl.isEmpty() && !jwksFile.isEmpty()) {
      throw new IllegalArgumentException(
          "hawser.auth.jwks-url and hawser.auth.jwks-file are both set, expected one of them");
    }
    if (!jwksUrl.isEmpty() && !jwksUrl.matches("https?://[^/\\s]+.*")) {
      throw new IllegalArgumentException(
          "hawser.auth.jwks-url is %s, expected an http or https URL".formatted(jwksUrl));
    }
    if (!hmacSecret.isEmpty() && hmacSecret.length() < MIN_SECRET_BYTES) {
      throw new IllegalArgumentException(
          "hawser.auth.hmac-secret has %d characters, expected at least %d (RFC 7518, section 3.2)"
              .formatted(hmacSecret.length(), MIN_SECRET_BYTES));
    }
  }

  /**
   * Checks that somebody can be let in.
   *
   * @throws IllegalArgumentException if nobody could
   */
  public void requireKey() {
    if (hmacSecret.isEmpty() && jwksUrl.isEmpty() && jwksFile.isEmpty() && !anonymous) {
      throw new IllegalArgumentException(
          "hawser.auth has no key, expected hmac-secret, jwks-url or jwks-file (or anonymous = on)");
    }
  }

  /** Reads the block {@code hawser.auth}. */
  public static AuthenticatorSettings from(Config config) {
    return new AuthenticatorSettings(
        config.getString("hmac-secret"),
        config.getString("jwks-url"),
        config.getString("jwks-file"),
        config.getString("audience"),
        config.getString("issuer"),
        config.getBoolean("anonymous"));
  }

  @Override
  public String toString() {
    return "AuthenticatorSettings[jwksUrl=%s, jwksFile=%s, audience=%s, issuer=%s, anonymous=%s]"
        .formatted(jwksUrl, jwksFile, audience, issuer, anonymous);
  }
}
