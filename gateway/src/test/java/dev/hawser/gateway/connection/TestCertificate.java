package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** A certificate for localhost that signs itself, made by the JDK's keytool. */
public final class TestCertificate {

  private static final String PASSWORD = "changeit";

  public final X509Certificate certificate;
  private final PrivateKey key;

  /** Of {@code EC} or {@code RSA}. */
  public TestCertificate(String algorithm) throws Exception {
    Path file = Files.createTempDirectory("certificate").resolve("store.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "node",
                "-keyalg",
                algorithm,
                "-dname",
                "CN=localhost",
                "-ext",
                "SAN=dns:localhost,ip:127.0.0.1",
                "-validity",
                "2",
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                PASSWORD)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    if (keytool.waitFor() != 0) {
      throw new AssertionError("keytool failed");
    }
    KeyStore store = KeyStore.getInstance(file.toFile(), PASSWORD.toCharArray());
    certificate = (X509Certificate) store.getCertificate("node");
    key = (PrivateKey) store.getKey("node", PASSWORD.toCharArray());
  }

  /** Writes the certificate. */
  public void writeCertificate(Path file) throws Exception {
    write(file, "CERTIFICATE", certificate.getEncoded());
  }

  /** Writes the key. */
  public void writeKey(Path file) throws IOException {
    write(file, "PRIVATE KEY", key.getEncoded());
  }

  /** At once, as Kubernetes replaces secrets. */
  private static void write(Path file, String type, byte[] encoded) throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".next");
    String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(encoded);
    Files.writeString(
        next, "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n".formatted(type, body), US_ASCII);
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** What a client trusts. */
  public static SSLContext trusting(TestCertificate... all) throws GeneralSecurityException {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      for (TestCertificate one : List.of(all)) {
        store.setCertificateEntry(one.certificate.getSerialNumber().toString(), one.certificate);
      }
      var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (IOException impossible) {
      throw new AssertionError(impossible);
    }
  }
}
