package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.time.Instant;
import java.util.Date;

/** Tokens as an application's back end makes them. */
public final class Tokens {

  static final String SECRET =
      "a-secret-of-the-edge-tests-which-is-long-enough-for-HS512-with-64-bytes";

  private Tokens() {}

  /** Of a user, good for an hour. */
  public static String of(String user) {
    return of(user, Instant.now().plusSeconds(3_600));
  }

  static String of(String user, Instant expiry) {
    return signed(
        new JWTClaimsSet.Builder().subject(user).expirationTime(Date.from(expiry)).build());
  }

  static String signed(JWTClaimsSet claims) {
    return signed(new JWSHeader(JWSAlgorithm.HS256), claims, SECRET);
  }

  static String signed(JWSHeader header, JWTClaimsSet claims, String secret) {
    try {
      return signed(header, claims, new MACSigner(secret.getBytes(UTF_8)));
    } catch (JOSEException impossible) {
      throw new AssertionError(impossible);
    }
  }

  static String signed(JWSHeader header, JWTClaimsSet claims, JWSSigner signer) {
    try {
      var jwt = new SignedJWT(header, claims);
      jwt.sign(signer);
      return jwt.serialize();
    } catch (JOSEException impossible) {
      throw new AssertionError(impossible);
    }
  }
}
