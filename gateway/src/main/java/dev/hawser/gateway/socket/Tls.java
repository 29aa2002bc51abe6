package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate that new connections get. Its files are looked at now and then: what they have is
 * used from then on, unless it is of no use. Connections that are there stay as they are.
 */
final class Tls implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Tls.class);

  private static final String CERTIFICATE = "hawser.websocket.tls.certificate";
  private static final String PRIVATE_KEY = "hawser.websocket.tls.private-key";
  private static final String PEM_BEGIN = "-----BEGIN PRIVATE KEY-----";
  private static final String PEM_END = "-----END PRIVATE KEY-----";

  /** Who comes back within this time need not prove anything anew. Seconds, and sessions. */
  private static final long SESSION_SECONDS = 300;

  private static final long SESSIONS = 1_000;

  private final TlsSettings settings;
  private final SslProvider provider;
  private final Thread watch;

  /** Guarded by this: a context must not be released while an engine is made of it. */
  private SslContext context;

  private volatile Instant expiresAt;

  /** Of the files that were looked at last, of use or not. */
  private byte[] seen;

  /**
   * Reads the files.
   *
   * @throws IllegalArgumentException naming the setting and the file that is wrong
   */
  Tls(TlsSettings settings) {
    this.settings = settings;
    this.provider = provider(settings.provider());
    Contents contents = read();
    this.seen = contents.digest();
    Identity identity = identity(contents);
    this.context = context(identity);
    this.expiresAt = identity.expiresAt();
    this.watch = Thread.ofVirtual().name("hawser-tls").start(this::watch);
  }

  private static SslProvider provider(TlsSettings.Provider wanted) {
    if (wanted == TlsSettings.Provider.OPENSSL && !OpenSsl.isAvailable()) {
      log.warn(
          "BoringSSL is not available on this machine, the JDK encrypts instead: {}",
          String.valueOf(OpenSsl.unavailabilityCause()));
      return SslProvider.JDK;
    }
    // Counted: engines without a count would be finalized, which costs memory for each connection.
    return wanted == TlsSettings.Provider.OPENSSL ? SslProvider.OPENSSL_REFCNT : SslProvider.JDK;
  }

  /** For one more connection. */
  synchronized SslHandler handler(ByteBufAllocator allocator) {
    var handler = new SslHandler(context.newEngine(allocator));
    // The time for the handshake and for the upgrade is one, and Handshake's.
    handler.setHandshakeTimeoutMillis(0);
    return handler;
  }

  /** When the certificate that new connections get ends. */
  Instant expiresAt() {
    return expiresAt;
  }

  private void watch() {
    try {
      while (true) {
        Thread.sleep(settings.reloadInterval());
        reload();
      }
    } catch (InterruptedException closed) {
      Thread.currentThread().interrupt();
    }
  }

  private void reload() {
    try {
      Contents contents = read();
      if (Arrays.equals(contents.digest(), seen)) {
        return;
      }
      seen = contents.digest();
      Identity identity = identity(contents);
      SslContext next = context(identity);
      synchronized (this) {
        ReferenceCountUtil.release(context);
        context = next;
      }
      expiresAt = identity.expiresAt();
      log.info("new connections get the certificate that ends {}", identity.expiresAt());
    } catch (IllegalArgumentException wrong) {
      // Said once for what is wrong with files; again and again while they cannot be read.
      log.error("the certificate in use stays: {}", wrong.getMessage());
    } catch (RuntimeException failure) {
      // Of a parser, say. The next certificate must be looked at all the same.
      log.error("the certificate in use stays", failure);
    }
  }

  @Override
  public void close() {
    watch.interrupt();
    synchronized (this) {
      ReferenceCountUtil.release(context);
    }
  }

  /** What the two files have. */
  private record Contents(byte[] certificate, byte[] privateKey, byte[] digest) {}

  private Contents read() {
    byte[] certificate = read(settings.certificate(), CERTIFICATE);
    byte[] privateKey = read(settings.privateKey(), PRIVATE_KEY);
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(certificate);
      return new Contents(certificate, privateKey, digest.digest(privateKey));
    } catch (GeneralSecurityException everyPlatformHasIt) {
      throw new AssertionError(everyPlatformHasIt);
    }
  }

  private static byte[] read(Path file, String setting) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException unreadable) {
      throw wrong(setting, file, "cannot be read", unreadable);
    }
  }

  private record Identity(List<X509Certificate> chain, PrivateKey key) {
    Instant expiresAt() {
      return chain.getFirst().getNotAfter().toInstant();
    }
  }

  private Identity identity(Contents contents) {
    List<X509Certificate> chain;
    try {
      chain =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(contents.certificate()))
              .stream()
              .map(X509Certificate.class::cast)
              .toList();
    } catch (GeneralSecurityException unreadable) {
      throw wrong(CERTIFICATE, settings.certificate(), "has no certificate in PEM", unreadable);
    }
    if (chain.isEmpty()) {
      throw wrong(CERTIFICATE, settings.certificate(), "has no certificate in PEM", null);
    }
    PublicKey of = chain.getFirst().getPublicKey();
    PrivateKey key = privateKey(new String(contents.privateKey(), US_ASCII), of.getAlgorithm());
    if (!belongTogether(key, of)) {
      throw wrong(
          PRIVATE_KEY,
          settings.privateKey(),
          "is not the key of the certificate in " + settings.certificate(),
          null);
    }
    return new Identity(chain, key);
  }

  private PrivateKey privateKey(String pem, String algorithm) {
    int begin = pem.indexOf(PEM_BEGIN);
    int end = pem.indexOf(PEM_END);
    if (begin < 0 || end < begin) {
      throw wrong(
          PRIVATE_KEY,
          settings.privateKey(),
          "has no private key in PEM and PKCS #8, not encrypted (BEGIN PRIVATE KEY)",
          null);
    }
    try {
      byte[] encoded =
          Base64.getMimeDecoder().decode(pem.substring(begin + PEM_BEGIN.length(), end));
      return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
    } catch (InvalidKeySpecException | IllegalArgumentException unreadable) {
      // Without the cause: it might repeat some of the key.
      throw wrong(
          PRIVATE_KEY,
          settings.privateKey(),
          "has no private key for %s, which the certificate is for".formatted(algorithm),
          null);
    } catch (GeneralSecurityException unknown) {
      throw wrong(CERTIFICATE, settings.certificate(), "is for " + algorithm, unknown);
    }
  }

  /** Whether the one signs what the other verifies. */
  private static boolean belongTogether(PrivateKey key, PublicKey of) {
    try {
      String algorithm =
          switch (of.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> of.getAlgorithm();
          };
      byte[] message = {1, 2, 3};
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(message);
      byte[] signed = signature.sign();
      signature.initVerify(of);
      signature.update(message);
      return signature.verify(signed);
    } catch (GeneralSecurityException mismatch) {
      return false;
    }
  }

  private SslContext context(Identity identity) {
    try {
      return SslContextBuilder.forServer(identity.key(), identity.chain())
          .sslProvider(provider)
          .protocols("TLSv1.3", "TLSv1.2")
          .sessionTimeout(SESSION_SECONDS)
          .sessionCacheSize(SESSIONS)
          .applicationProtocolConfig(
              new ApplicationProtocolConfig(
                  ApplicationProtocolConfig.Protocol.ALPN,
                  ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                  ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                  "http/1.1"))
          .build();
    } catch (SSLException refused) {
      throw wrong(CERTIFICATE, settings.certificate(), "is refused", refused);
    }
  }

  private static IllegalArgumentException wrong(
      String setting, Path file, String what, @Nullable Exception cause) {
    String because = cause == null ? "" : ": " + cause;
    return new IllegalArgumentException("%s: %s %s%s".formatted(setting, file, what, because));
  }
}
