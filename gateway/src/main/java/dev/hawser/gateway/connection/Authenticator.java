package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSKeySelector;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.ExpiredJWTException;
import dev.hawser.gateway.connection.AuthenticationException.Reason;
import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Tells from a connection token (JWT, section 10 of the client protocol) who a client is. The
 * algorithm family decides which key a token is checked with, never the token alone: an HS256 token
 * cannot be checked with a public key, and {@code none} is refused.
 */
public final class Authenticator {

  private static final Set<JWSAlgorithm> SHARED_SECRET = JWSAlgorithm.Family.HMAC_SHA;
  private static final Set<JWSAlgorithm> PUBLIC_KEY = JWSAlgorithm.Family.SIGNATURE;
  private static final Duration MIN_FETCH_INTERVAL = Duration.ofSeconds(5);

  private final AuthenticatorSettings settings;
  private final @Nullable DefaultJWTProcessor<SecurityContext> sharedSecret;
  private final @Nullable DefaultJWTProcessor<SecurityContext> publicKey;
  private final Executor executor;

  /**
   * @throws IllegalArgumentException if the key set's address or file cannot be used
   */
  public Authenticator(AuthenticatorSettings settings) {
    this.settings = settings;
    this.sharedSecret =
        settings.hmacSecret().isEmpty() ? null : processor(sharedSecret(settings.hmacSecret()));
    JWKSource<SecurityContext> keys = keySet(settings);
    this.publicKey =
        keys == null ? null : processor(new JWSVerificationKeySelector<>(PUBLIC_KEY, keys));
    // A key set behind a URL may have to be fetched, which blocks: never on the caller's thread.
    this.executor =
        settings.jwksUrl().isEmpty()
            ? Runnable::run
            : Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("jwks-", 0).factory());
  }

  /** Completes with who the token says it is, or fails with {@link AuthenticationException}. */
  public CompletionStage<Identity> authenticate(String token) {
    if (token.isEmpty()) {
      return settings.anonymous()
          ? CompletableFuture.completedFuture(Identity.ANONYMOUS)
          : CompletableFuture.failedFuture(new AuthenticationException(Reason.MISSING, "no token"));
    }
    var identity = new CompletableFuture<Identity>();
    executor.execute(
        () -> {
          try {
            identity.complete(verify(token));
          } catch (AuthenticationException | RuntimeException failure) {
            identity.completeExceptionally(failure);
          }
        });
    return identity;
  }

  private Identity verify(String token) throws AuthenticationException {
    try {
      SignedJWT jwt = SignedJWT.parse(token);
      JWSAlgorithm algorithm = jwt.getHeader().getAlgorithm();
      var processor =
          SHARED_SECRET.contains(algorithm)
              ? sharedSecret
              : PUBLIC_KEY.contains(algorithm) ? publicKey : null;
      if (processor == null) {
        throw new AuthenticationException(
            Reason.INVALID, "no key is configured for tokens signed with " + algorithm);
      }
      return identity(processor.process(jwt, null));
    } catch (ExpiredJWTException | NotYetValidException wrongTime) {
      throw new AuthenticationException(
          Reason.EXPIRED,
          wrongTime instanceof ExpiredJWTException ? "token expired" : "token not valid yet");
    } catch (KeySourceException unavailable) {
      throw new AuthenticationException(
          Reason.UNAVAILABLE, "key set unavailable: " + unavailable.getMessage());
    } catch (ParseException | BadJOSEException | JOSEException invalid) {
      throw new AuthenticationException(
          Reason.INVALID, "invalid token: " + invalid.getClass().getSimpleName());
    }
  }

  private Identity identity(JWTClaimsSet claims) throws ParseException, AuthenticationException {
    String user = claims.getSubject() == null ? "" : claims.getSubject();
    if (user.isEmpty() && !settings.anonymous()) {
      throw new AuthenticationException(
          Reason.INVALID, "no sub, expected a user id (or hawser.auth.anonymous = on)");
    }
    if (user.length() > Identity.MAX_USER_LENGTH) {
      throw new AuthenticationException(
          Reason.INVALID,
          "sub has %d characters, expected at most %d"
              .formatted(user.length(), Identity.MAX_USER_LENGTH));
    }
    if (!Identity.isText(user)) {
      throw new AuthenticationException(
          Reason.INVALID, "sub has control characters or half surrogate pairs");
    }
    if (claims.getClaim("channel") != null) {
      throw new AuthenticationException(Reason.INVALID, "a subscription token cannot connect");
    }
    Long expireAt = claims.getLongClaim("expire_at");
    var expiration = claims.getExpirationTime();
    long expiresAt =
        expireAt != null
            ? expireAt
            : expiration == null ? 0 : expiration.toInstant().getEpochSecond();
    if (expiresAt != 0 && expiresAt <= Instant.now().getEpochSecond()) {
      throw new AuthenticationException(Reason.EXPIRED, "expire_at has passed");
    }
    return new Identity(user, expiresAt);
  }

  /** Whatever {@code kid} the token names: there is one secret only. */
  private static JWSKeySelector<SecurityContext> sharedSecret(String secret) {
    List<SecretKey> keys = List.of(new SecretKeySpec(secret.getBytes(UTF_8), "HMAC"));
    return (header, context) -> SHARED_SECRET.contains(header.getAlgorithm()) ? keys : List.of();
  }

  private DefaultJWTProcessor<SecurityContext> processor(JWSKeySelector<SecurityContext> keys) {
    var exactMatch = new JWTClaimsSet.Builder();
    if (!settings.issuer().isEmpty()) {
      exactMatch.issuer(settings.issuer());
    }
    var required = new HashSet<String>();
    String audience = settings.audience().isEmpty() ? null : settings.audience();
    var claims =
        new DefaultJWTClaimsVerifier<SecurityContext>(audience, exactMatch.build(), required);
    claims.setMaxClockSkew(0);
    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSKeySelector(keys);
    processor.setJWTClaimsSetVerifier(
        (verified, context) -> {
          Date notBefore = verified.getNotBeforeTime();
          if (notBefore != null && notBefore.toInstant().isAfter(Instant.now())) {
            throw new NotYetValidException();
          }
          claims.verify(verified, context);
        });
    return processor;
  }

  /**
   * Treated like an expired token, as Centrifugo does: the client asks for another one. A back end
   * whose clock is a second ahead must not end its clients for good.
   */
  private static final class NotYetValidException extends BadJWTException {
    private static final long serialVersionUID = 1;

    NotYetValidException() {
      super("JWT before use time");
    }
  }

  private static @Nullable JWKSource<SecurityContext> keySet(AuthenticatorSettings settings) {
    try {
      if (!settings.jwksFile().isEmpty()) {
        return new ImmutableJWKSet<>(JWKSet.load(new File(settings.jwksFile())));
      }
      if (!settings.jwksUrl().isEmpty()) {
        return JWKSourceBuilder.<SecurityContext>create(URI.create(settings.jwksUrl()).toURL())
            .retrying(true)
            // A key server that is back after an outage is asked soon.
            .rateLimited(MIN_FETCH_INTERVAL.toMillis())
            // Its thread would be no daemon and keep the process from ending.
            .refreshAheadCache(false)
            .build();
      }
      return null;
    } catch (MalformedURLException | IllegalArgumentException invalid) {
      throw new IllegalArgumentException(
          "hawser.auth.jwks-url is %s, expected a URL".formatted(settings.jwksUrl()), invalid);
    } catch (IOException | ParseException unreadable) {
      throw new IllegalArgumentException(
          "hawser.auth.jwks-file is %s, expected a readable JSON Web Key Set: %s"
              .formatted(settings.jwksFile(), unreadable.getMessage()),
          unreadable);
    }
  }
}
