package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.jwk.source.ImmutableSecret;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.ExpiredJWTException;
import dev.hawser.gateway.connection.AuthenticationException.Reason;
import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.text.ParseException;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Tells from a connection token (JWT, section 10 of the client protocol) who a client is. The
 * algorithm family decides which key a token is checked with, never the token alone: an HS256 token
 * cannot be checked with a public key, and {@code none} is refused.
 */
public final class Authenticator {

  private static final Set<JWSAlgorithm> SHARED_SECRET = JWSAlgorithm.Family.HMAC_SHA;
  private static final Set<JWSAlgorithm> PUBLIC_KEY = JWSAlgorithm.Family.SIGNATURE;
  private static final int MAX_USER_LENGTH = 255;

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
        settings.hmacSecret().isEmpty()
            ? null
            : processor(
                SHARED_SECRET, new ImmutableSecret<>(settings.hmacSecret().getBytes(UTF_8)));
    JWKSource<SecurityContext> keys = keySet(settings);
    this.publicKey = keys == null ? null : processor(PUBLIC_KEY, keys);
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
    } catch (ExpiredJWTException expired) {
      throw new AuthenticationException(Reason.EXPIRED, "token expired");
    } catch (KeySourceException unavailable) {
      throw new AuthenticationException(
          Reason.UNAVAILABLE, "key set unavailable: " + unavailable.getMessage());
    } catch (ParseException | BadJOSEException | JOSEException invalid) {
      throw new AuthenticationException(
          Reason.INVALID, "invalid token: " + invalid.getClass().getSimpleName());
    }
  }

  private static Identity identity(JWTClaimsSet claims)
      throws ParseException, AuthenticationException {
    String user = claims.getSubject() == null ? "" : claims.getSubject();
    if (user.length() > MAX_USER_LENGTH) {
      throw new AuthenticationException(
          Reason.INVALID,
          "sub has %d characters, expected at most %d".formatted(user.length(), MAX_USER_LENGTH));
    }
    if (claims.getClaim("channel") != null) {
      throw new AuthenticationException(Reason.INVALID, "a subscription token cannot connect");
    }
    Long expireAt = claims.getLongClaim("expire_at");
    if (expireAt != null) {
      return new Identity(user, expireAt);
    }
    var expiration = claims.getExpirationTime();
    return new Identity(user, expiration == null ? 0 : expiration.toInstant().getEpochSecond());
  }

  private DefaultJWTProcessor<SecurityContext> processor(
      Set<JWSAlgorithm> algorithms, JWKSource<SecurityContext> keys) {
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
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithms, keys));
    processor.setJWTClaimsSetVerifier(claims);
    return processor;
  }

  private static @Nullable JWKSource<SecurityContext> keySet(AuthenticatorSettings settings) {
    try {
      if (!settings.jwksFile().isEmpty()) {
        return new ImmutableJWKSet<>(JWKSet.load(new File(settings.jwksFile())));
      }
      if (!settings.jwksUrl().isEmpty()) {
        return JWKSourceBuilder.<SecurityContext>create(URI.create(settings.jwksUrl()).toURL())
            .retrying(true)
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
