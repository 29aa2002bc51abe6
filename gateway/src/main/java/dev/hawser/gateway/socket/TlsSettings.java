package dev.hawser.gateway.socket;

import com.typesafe.config.Config;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * TLS of the WebSocket port, from {@code hawser.websocket.tls}.
 *
 * @param certificate PEM: the node's certificate, and those that lead from it to the root
 * @param privateKey PEM, PKCS #8: the certificate's
 * @param reloadInterval how often the files are looked at
 */
public record TlsSettings(
    Path certificate, Path privateKey, Provider provider, Duration reloadInterval) {

  /** Who encrypts. */
  public enum Provider {
    /** BoringSSL, by netty-tcnative. */
    OPENSSL,
    /** The JDK. */
    JDK
  }

  /** Checks the values. */
  public TlsSettings {
    if (reloadInterval.toMillis() < 100) {
      throw new IllegalArgumentException(
          "hawser.websocket.tls.reload-interval is %s, expected at least 100 ms"
              .formatted(reloadInterval));
    }
  }

  /** Reads the block; empty when it names no certificate. */
  static Optional<TlsSettings> from(Config config) {
    String certificate = config.getString("certificate");
    String privateKey = config.getString("private-key");
    if (certificate.isBlank() != privateKey.isBlank()) {
      throw new IllegalArgumentException(
          "hawser.websocket.tls.%s is missing, expected certificate and private-key, or neither"
              .formatted(certificate.isBlank() ? "certificate" : "private-key"));
    }
    if (certificate.isBlank()) {
      return Optional.empty();
    }
    Provider provider =
        switch (config.getString("provider")) {
          case "openssl" -> Provider.OPENSSL;
          case "jdk" -> Provider.JDK;
          default ->
              throw new IllegalArgumentException(
                  "hawser.websocket.tls.provider is %s, expected openssl or jdk"
                      .formatted(config.getString("provider")));
        };
    return Optional.of(
        new TlsSettings(
            Path.of(certificate),
            Path.of(privateKey),
            provider,
            config.getDuration("reload-interval")));
  }
}
