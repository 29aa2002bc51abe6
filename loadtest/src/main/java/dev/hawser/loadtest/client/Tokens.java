package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Connection tokens (JWT, HS256). Not thread-safe. */
public final class Tokens {

  private static final String ALGORITHM = "HmacSHA256";
  private static final Duration TIME_TO_LIVE = Duration.ofHours(12);
  private static final int MIN_SECRET_BYTES = 32;

  private final Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
  private final String header =
      base64.encodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(UTF_8));
  private final Mac mac;
  private final long expiresAt = System.currentTimeMillis() / 1_000 + TIME_TO_LIVE.toSeconds();

  /**
   * @throws IllegalArgumentException if the secret is too short
   */
  public Tokens(String secret) {
    byte[] key = secret.getBytes(UTF_8);
    if (key.length < MIN_SECRET_BYTES) {
      throw new IllegalArgumentException(
          "--secret has %d bytes, expected at least %d".formatted(key.length, MIN_SECRET_BYTES));
    }
    try {
      mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(key, ALGORITHM));
    } catch (NoSuchAlgorithmException | InvalidKeyException impossible) {
      throw new IllegalStateException("no " + ALGORITHM, impossible);
    }
  }

  /** A token for a user, whose id needs no escapes in JSON. */
  public String of(String user) {
    String claims = "{\"sub\":\"%s\",\"exp\":%d}".formatted(user, expiresAt);
    String signed = header + "." + base64.encodeToString(claims.getBytes(UTF_8));
    return signed + "." + base64.encodeToString(mac.doFinal(signed.getBytes(UTF_8)));
  }
}
