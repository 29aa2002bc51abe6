package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jwt.JWTClaimsSet;
import com.sun.net.httpserver.HttpServer;
import dev.hawser.gateway.connection.AuthenticationException.Reason;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AuthenticatorTest {

  private static final RSAKey RSA = rsa("rsa-1");
  private static final RSAKey OTHER_RSA = rsa("rsa-2");
  private static final ECKey EC = ec("ec-1");

  @TempDir Path directory = Path.of("");

  private static RSAKey rsa(String id) {
    try {
      return new RSAKeyGenerator(2048).keyID(id).generate();
    } catch (Exception impossible) {
      throw new AssertionError(impossible);
    }
  }

  private static ECKey ec(String id) {
    try {
      return new ECKeyGenerator(Curve.P_256).keyID(id).generate();
    } catch (Exception impossible) {
      throw new AssertionError(impossible);
    }
  }

  private static Authenticator sharedSecret() {
    return new Authenticator(settings(Tokens.SECRET, "", "", "", "", false));
  }

  private static AuthenticatorSettings settings(
      String secret, String url, String file, String audience, String issuer, boolean anonymous) {
    return new AuthenticatorSettings(secret, url, file, audience, issuer, anonymous);
  }

  private Authenticator keyFile() throws Exception {
    Path file = Files.writeString(directory.resolve("keys.json"), publicKeys());
    return new Authenticator(settings("", "", file.toString(), "", "", false));
  }

  private static String publicKeys() {
    return new JWKSet(List.of(RSA, OTHER_RSA, EC)).toString(true);
  }

  private static JWTClaimsSet.Builder claims(String user) {
    return new JWTClaimsSet.Builder()
        .subject(user)
        .expirationTime(Date.from(Instant.now().plusSeconds(60)));
  }

  private static Identity identity(Authenticator authenticator, String token) throws Exception {
    return authenticator.authenticate(token).toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static Reason refusal(Authenticator authenticator, String token) {
    try {
      return failure(identity(authenticator, token));
    } catch (ExecutionException failed) {
      if (!(failed.getCause() instanceof AuthenticationException refused)) {
        throw new AssertionError(failed);
      }
      // A token in a log can be used by whoever reads it.
      for (String part : token.split("\\.", -1)) {
        if (part.length() > 10) {
          assertThat(failed.toString()).doesNotContain(part);
        }
      }
      return refused.reason();
    } catch (Exception unexpected) {
      throw new AssertionError(unexpected);
    }
  }

  private static Reason failure(Identity identity) {
    throw new AssertionError("expected a refusal, but it is " + identity);
  }

  private static String rsaToken(RSAKey key, String keyId, String user) throws Exception {
    return Tokens.signed(
        new JWSHeader.Builder(JWSAlgorithm.RS256).keyID(keyId).build(),
        claims(user).build(),
        new RSASSASigner(key));
  }

  @ParameterizedTest
  @ValueSource(strings = {"HS256", "HS384", "HS512"})
  void aTokenSignedWithTheSharedSecretLetsItsSubjectIn(String algorithm) throws Exception {
    var header = new JWSHeader(JWSAlgorithm.parse(algorithm));

    assertThat(
            identity(sharedSecret(), Tokens.signed(header, claims("alice").build(), Tokens.SECRET))
                .user())
        .isEqualTo("alice");
  }

  @Test
  void theSharedSecretServesWhateverKeyIdATokenNames() throws Exception {
    var header = new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("v1").build();

    assertThat(
            identity(sharedSecret(), Tokens.signed(header, claims("alice").build(), Tokens.SECRET))
                .user())
        .isEqualTo("alice");
  }

  @Test
  void keysFromAFileAreChosenByKeyId() throws Exception {
    var authenticator = keyFile();
    var es256 = new JWSHeader.Builder(JWSAlgorithm.ES256).keyID("ec-1").build();

    assertThat(identity(authenticator, rsaToken(RSA, "rsa-1", "a")).user()).isEqualTo("a");
    assertThat(identity(authenticator, rsaToken(OTHER_RSA, "rsa-2", "b")).user()).isEqualTo("b");
    assertThat(
            identity(authenticator, Tokens.signed(es256, claims("c").build(), new ECDSASigner(EC)))
                .user())
        .isEqualTo("c");
    assertThat(refusal(authenticator, rsaToken(OTHER_RSA, "rsa-1", "d"))).isEqualTo(Reason.INVALID);
    assertThat(refusal(authenticator, rsaToken(RSA, "rsa-9", "e"))).isEqualTo(Reason.INVALID);
  }

  @Test
  void keysAreFetchedFromAUrlAndKept() throws Exception {
    var asked = new AtomicInteger();
    var server = keyServer(asked, 0);
    try {
      var authenticator = new Authenticator(settings("", url(server), "", "", "", false));
      for (int i = 0; i < 5; i++) {
        assertThat(identity(authenticator, rsaToken(RSA, "rsa-1", "alice")).user())
            .isEqualTo("alice");
      }
      assertThat(asked).hasValue(1);
    } finally {
      server.stop(0);
    }
  }

  @Test
  void whileTheKeyServerIsAwayClientsMayTryAgainAndThenGetIn() throws Exception {
    var asked = new AtomicInteger();
    // The first fetch and its repetition fail.
    var server = keyServer(asked, 2);
    try {
      var authenticator = new Authenticator(settings("", url(server), "", "", "", false));

      assertThat(refusal(authenticator, rsaToken(RSA, "rsa-1", "alice")))
          .isEqualTo(Reason.UNAVAILABLE);
      assertThat(identity(authenticator, rsaToken(RSA, "rsa-1", "alice")).user())
          .isEqualTo("alice");
    } finally {
      server.stop(0);
    }
  }

  @Test
  void nothingAtTheKeyUrlIsUnavailableNotInvalid() throws Exception {
    var server = keyServer(new AtomicInteger(), 0);
    server.stop(0);
    var authenticator = new Authenticator(settings("", url(server), "", "", "", false));

    assertThat(refusal(authenticator, rsaToken(RSA, "rsa-1", "alice")))
        .isEqualTo(Reason.UNAVAILABLE);
  }

  private static HttpServer keyServer(AtomicInteger asked, int failures) throws Exception {
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/keys",
        exchange -> {
          byte[] body = publicKeys().getBytes(UTF_8);
          exchange.sendResponseHeaders(
              asked.incrementAndGet() <= failures ? 503 : 200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    return server;
  }

  private static String url(HttpServer server) {
    return "http://127.0.0.1:%d/keys".formatted(server.getAddress().getPort());
  }

  @Test
  void aMissingKeyFileStopsTheStartAndIsNamed() {
    assertThatThrownBy(() -> new Authenticator(settings("", "", "/no/such", "", "", false)))
        .hasMessageContaining("hawser.auth.jwks-file is /no/such, expected");
  }

  @Test
  void thePublicKeyIsNoSharedSecret() throws Exception {
    // Algorithm confusion: whoever takes the key by the token's word checks HS256 with it.
    var authenticator =
        new Authenticator(
            settings(
                Tokens.SECRET,
                "",
                Files.writeString(directory.resolve("keys.json"), publicKeys()).toString(),
                "",
                "",
                false));
    for (byte[] publicBytes :
        List.of(
            RSA.toRSAPublicKey().getEncoded(),
            publicKeys().getBytes(UTF_8),
            RSA.toPublicJWK().toJSONString().getBytes(UTF_8))) {
      var token =
          Tokens.signed(
              new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("rsa-1").build(),
              claims("mallory").build(),
              new MACSigner(publicBytes));
      assertThat(refusal(keyFile(), token)).isEqualTo(Reason.INVALID);
      assertThat(refusal(authenticator, token)).isEqualTo(Reason.INVALID);
    }
  }

  @Test
  void anUnsignedTokenIsRefused() {
    for (String algorithm : List.of("none", "None", "NONE")) {
      String header = "{\"alg\":\"" + algorithm + "\",\"typ\":\"JWT\"}";
      String unsigned =
          Base64URL.encode(header) + "." + Base64URL.encode("{\"sub\":\"mallory\"}") + ".";
      assertThat(refusal(sharedSecret(), unsigned)).isEqualTo(Reason.INVALID);
      assertThat(refusal(sharedSecret(), unsigned + "AAAA")).isEqualTo(Reason.INVALID);
    }
  }

  @Test
  void aTokenForWhichNoKeyIsConfiguredIsRefused() throws Exception {
    assertThat(refusal(sharedSecret(), rsaToken(RSA, "rsa-1", "a"))).isEqualTo(Reason.INVALID);
    assertThat(refusal(keyFile(), Tokens.of("a"))).isEqualTo(Reason.INVALID);
  }

  @Test
  void aTokenOfAnotherSecretOrWithChangedClaimsIsRefused() {
    String other =
        Tokens.signed(
            new JWSHeader(JWSAlgorithm.HS256),
            claims("alice").build(),
            "another-secret-with-at-least-32-characters");
    String[] good = Tokens.of("alice").split("\\.", -1);
    String changed = good[0] + "." + Base64URL.encode("{\"sub\":\"bob\"}") + "." + good[2];

    assertThat(refusal(sharedSecret(), other)).isEqualTo(Reason.INVALID);
    assertThat(refusal(sharedSecret(), changed)).isEqualTo(Reason.INVALID);
  }

  @Property(tries = 300)
  void garbageIsRefusedAndThrowsNothingElse(@ForAll String garbage) {
    assertThat(refusal(sharedSecret(), "x" + garbage)).isEqualTo(Reason.INVALID);
  }

  @Test
  void aTokenNestedBeyondReasonIsRefused() {
    String nested = "{\"alg\":" + "[".repeat(40_000) + "]".repeat(40_000) + "}";

    assertThat(refusal(sharedSecret(), Base64URL.encode(nested) + ".e30.AAAA"))
        .isEqualTo(Reason.INVALID);
  }

  @Test
  void audienceAndIssuerAreCheckedWhenConfigured() throws Exception {
    var strict = new Authenticator(settings(Tokens.SECRET, "", "", "hawser", "me", false));

    assertThat(
            identity(strict, Tokens.signed(claims("a").audience("hawser").issuer("me").build()))
                .user())
        .isEqualTo("a");
    for (var wrong :
        List.of(
            claims("a").audience("other").issuer("me"),
            claims("a").audience("hawser").issuer("you"),
            claims("a").issuer("me"),
            claims("a").audience("hawser"))) {
      assertThat(refusal(strict, Tokens.signed(wrong.build()))).isEqualTo(Reason.INVALID);
      assertThat(identity(sharedSecret(), Tokens.signed(wrong.build())).user()).isEqualTo("a");
    }
  }

  @Test
  void aTokenOutOfItsTimeIsAnsweredSoThatTheClientGetsAnotherOne() {
    Instant now = Instant.now();
    var past = claims("a").expirationTime(Date.from(now.minusSeconds(1)));
    var future = claims("a").notBeforeTime(Date.from(now.plusSeconds(30)));
    var over = claims("a").claim("expire_at", now.minusSeconds(1).getEpochSecond());

    assertThat(refusal(sharedSecret(), Tokens.signed(past.build()))).isEqualTo(Reason.EXPIRED);
    assertThat(refusal(sharedSecret(), Tokens.signed(future.build()))).isEqualTo(Reason.EXPIRED);
    assertThat(refusal(sharedSecret(), Tokens.signed(over.build()))).isEqualTo(Reason.EXPIRED);
  }

  @Test
  void theConnectionExpiresWithTheTokenUnlessItSaysOtherwise() throws Exception {
    long soon = Instant.now().plusSeconds(60).getEpochSecond();
    var never = new JWTClaimsSet.Builder().subject("a").build();
    var own = claims("a").claim("expire_at", soon + 1_000).build();
    var neverThough = claims("a").claim("expire_at", 0).build();

    assertThat(identity(sharedSecret(), Tokens.signed(claims("a").build())).expiresAt())
        .isBetween(soon - 2, soon + 2);
    assertThat(identity(sharedSecret(), Tokens.signed(never)).expiresAt()).isZero();
    assertThat(identity(sharedSecret(), Tokens.signed(own)).expiresAt()).isEqualTo(soon + 1_000);
    assertThat(identity(sharedSecret(), Tokens.signed(neverThough)).expiresAt()).isZero();
  }

  @Test
  void anExpiryBeyondAllCalendarsCanStillBeAddedUp() throws Exception {
    var endless = claims("a").claim("expire_at", Long.MAX_VALUE).build();

    long expiresAt = identity(sharedSecret(), Tokens.signed(endless)).expiresAt();

    assertThat(Instant.ofEpochSecond(expiresAt).plusSeconds(86_400)).isAfter(Instant.now());
  }

  @Test
  void nobodyComesInAsNobodyUnlessAnonymousClientsAreLetIn() throws Exception {
    var open = new Authenticator(settings(Tokens.SECRET, "", "", "", "", true));
    String noSubject = Tokens.signed(new JWTClaimsSet.Builder().build());
    String emptySubject = Tokens.of("");

    assertThat(refusal(sharedSecret(), "")).isEqualTo(Reason.MISSING);
    assertThat(refusal(sharedSecret(), noSubject)).isEqualTo(Reason.INVALID);
    assertThat(refusal(sharedSecret(), emptySubject)).isEqualTo(Reason.INVALID);
    assertThat(identity(open, "").anonymous()).isTrue();
    assertThat(identity(open, noSubject).anonymous()).isTrue();
    assertThat(identity(open, emptySubject).anonymous()).isTrue();
    assertThat(identity(open, Tokens.of("alice")).anonymous()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"255,true", "256,false"})
  void aUserIdHasAtMost255Characters(int length, boolean good) throws Exception {
    String token = Tokens.of("u".repeat(length));
    if (good) {
      assertThat(identity(sharedSecret(), token).user()).hasSize(length);
    } else {
      assertThat(refusal(sharedSecret(), token)).isEqualTo(Reason.INVALID);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\\u0000b", "a\\nb", "\\ud800", "\\u0085"})
  void aUserIdThatThePresenceTablesCannotHoldIsRefused(String escaped) throws Exception {
    String header = Base64URL.encode("{\"alg\":\"HS256\"}").toString();
    String body = Base64URL.encode("{\"sub\":\"" + escaped + "\"}").toString();
    var signature =
        new MACSigner(Tokens.SECRET.getBytes(UTF_8))
            .sign(new JWSHeader(JWSAlgorithm.HS256), (header + "." + body).getBytes(UTF_8));

    assertThat(refusal(sharedSecret(), header + "." + body + "." + signature))
        .isEqualTo(Reason.INVALID);
  }

  @Test
  void userIdsOfAllScriptsAreFine() throws Exception {
    for (String user : List.of("42", "josé@example.org", "用户", "👩‍🚀", "a b/c#d")) {
      assertThat(identity(sharedSecret(), Tokens.of(user)).user()).isEqualTo(user);
    }
  }

  @Test
  void aSubscriptionTokenCannotConnect() {
    assertThat(refusal(sharedSecret(), Tokens.signed(claims("a").claim("channel", "x").build())))
        .isEqualTo(Reason.INVALID);
  }
}
