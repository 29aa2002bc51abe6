package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;

/** What everybody may know, because it opens development nodes only. */
final class Development {

  /** A production node refuses to start with it. */
  static final String SECRET = "hawser-dev-secret-never-in-production";

  /** A production node refuses to start with it. */
  static final String API_KEY = "dev";

  private Development() {}

  /** A connection token (HS256) for a user, good from now. */
  static String token(String user, Duration timeToLive, String secret) {
    Instant now = Instant.now();
    var claims =
        new JWTClaimsSet.Builder()
            .subject(user)
            .issueTime(Date.from(now))
            .expirationTime(Date.from(now.plus(timeToLive)))
            .build();
    var jwt = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims);
    try {
      jwt.sign(new MACSigner(secret.getBytes(UTF_8)));
    } catch (JOSEException tooShort) {
      throw new IllegalArgumentException(
          "--secret has %d bytes, expected at least 32".formatted(secret.getBytes(UTF_8).length),
          tooShort);
    }
    return jwt.serialize();
  }
}
