package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.hawser.gateway.connection.RawClient.End;
import dev.hawser.gateway.connection.RawClient.Frame;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.gateway.socket.TlsSettings;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import io.netty.handler.ssl.OpenSsl;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/** What clients see of a WebSocket port that encrypts. */
class TlsTest {

  private static TestCertificate first;
  private static TestCertificate second;
  private static TestCertificate rsa;
  private static SSLContext trust;

  @TempDir private Path directory;
  private Path certificate;
  private Path key;

  @BeforeAll
  static void makeCertificates() throws Exception {
    first = new TestCertificate("EC");
    second = new TestCertificate("EC");
    rsa = new TestCertificate("RSA");
    trust = TestCertificate.trusting(first, second, rsa);
  }

  @BeforeEach
  void writeFiles() throws Exception {
    certificate = directory.resolve("tls.crt");
    key = directory.resolve("tls.key");
    first.writeCertificate(certificate);
    first.writeKey(key);
  }

  private Edge open(String more) {
    return Edge.open(
        Door.NETTY,
        """
        websocket.tls { certificate = "%s", private-key = "%s", reload-interval = 100ms }
        websocket.echo-path = "/echo"
        %s
        """
            .formatted(certificate, key, more));
  }

  private Edge open(TlsSettings.Provider provider) {
    return open("websocket.tls.provider = " + provider.name().toLowerCase(Locale.ROOT));
  }

  private static RawClient dial(Edge edge, int receiveBuffer, AtomicReference<SSLSocket> seen) {
    return RawClient.dial(
        edge.port,
        receiveBuffer,
        plain -> {
          var socket =
              (SSLSocket) trust.getSocketFactory().createSocket(plain, "localhost", 0, true);
          SSLParameters parameters = socket.getSSLParameters();
          parameters.setApplicationProtocols(new String[] {"h2", "http/1.1"});
          parameters.setEndpointIdentificationAlgorithm("HTTPS");
          socket.setSSLParameters(parameters);
          socket.startHandshake();
          seen.set(socket);
          return socket;
        });
  }

  private static RawClient dial(Edge edge) {
    return dial(edge, 0, new AtomicReference<>());
  }

  /** The certificate that new clients get. */
  private static Certificate shown(Edge edge) throws Exception {
    var seen = new AtomicReference<SSLSocket>();
    try (var client = dial(edge, 0, seen)) {
      assertThat(client).isNotNull();
      return seen.get().getSession().getPeerCertificates()[0];
    }
  }

  private static void assertEchoes(RawClient client, byte[] message) {
    client.send(RawClient.FINAL | RawClient.BINARY, message);
    Frame answer = client.nextFrame();
    assertThat(answer.opcode()).isEqualTo(RawClient.BINARY);
    assertThat(Arrays.equals(answer.body(), message)).isTrue();
  }

  @Test
  void boringSslIsThere() {
    assertThat(OpenSsl.unavailabilityCause()).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void clientsConnectAndSpeakHttp1(TlsSettings.Provider provider) {
    var seen = new AtomicReference<SSLSocket>();
    try (var edge = open(provider);
        var client = dial(edge, 0, seen);
        var echo = dial(edge)) {
      assertThat(seen.get().getApplicationProtocol()).isEqualTo("http/1.1");
      assertThat(seen.get().getSession().getProtocol()).isEqualTo("TLSv1.3");
      client.upgrade(JsonCodec.INSTANCE);
      assertThat(client.connect(Tokens.of("alice")).client()).isNotEmpty();
      // More than a record, more than a socket's buffer.
      echo.upgrade("/echo");
      for (int size : new int[] {0, 1, 16_384, 3_000_000}) {
        byte[] message = new byte[size];
        new Random(size).nextBytes(message);
        assertEchoes(echo, message);
      }
      // The JDK's client takes an end without close_notify for an attack.
      client.sendText("garbage");
      assertThat(client.end()).isEqualTo(new End(3501, "bad request"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void theJdksWebSocketClientConnects(TlsSettings.Provider provider) throws Exception {
    try (var edge = open(provider);
        var http = HttpClient.newBuilder().sslContext(trust).build()) {
      var received = new CompletableFuture<String>();
      var closed = new CompletableFuture<Integer>();
      var listener =
          new WebSocket.Listener() {
            @Override
            public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
              received.complete(text.toString());
              from.request(1);
              return CompletableFuture.completedStage(null);
            }

            @Override
            public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
              closed.complete(code);
              return CompletableFuture.completedStage(null);
            }
          };
      WebSocket socket =
          http.newWebSocketBuilder()
              .buildAsync(URI.create("wss://localhost:" + edge.port + "/echo"), listener)
              .get(10, TimeUnit.SECONDS);
      socket.sendText("hello", true).get(10, TimeUnit.SECONDS);
      assertThat(received.get(10, TimeUnit.SECONDS)).isEqualTo("hello");
      socket.sendClose(1000, "").get(10, TimeUnit.SECONDS);
      assertThat(closed.get(10, TimeUnit.SECONDS)).isEqualTo(1000);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoDoesNotSpeakTlsIsClosedAndNobodyElse(TlsSettings.Provider provider) throws Exception {
    try (var edge = open(provider);
        var echo = dial(edge)) {
      echo.upgrade("/echo");
      byte[] noise = new byte[500];
      new Random(1).nextBytes(noise);
      for (byte[] said : List.of("GET / HTTP/1.1\r\n\r\n".getBytes(ISO_8859_1), noise)) {
        try (var plain = new Socket(InetAddress.getLoopbackAddress(), edge.port)) {
          plain.setSoTimeout(10_000);
          plain.getOutputStream().write(said);
          var answer = new ByteArrayOutputStream();
          try {
            plain.getInputStream().transferTo(answer);
          } catch (SocketException reset) {
            // Ended as well.
          }
          assertThat(answer.toString(ISO_8859_1)).doesNotContain("HTTP/1.1 ");
        }
      }
      assertEchoes(echo, "still here".getBytes(UTF_8));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aBroadcastReachesAllAsItIs(TlsSettings.Provider provider) {
    try (var edge = open(provider)) {
      List<RawClient> clients = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        var client = dial(edge);
        client.upgrade(JsonCodec.INSTANCE);
        client.connect(Tokens.of("user-" + i));
        clients.add(client);
      }
      List<String> sent = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        sent.add("{\"n\":%d,\"text\":\"%s\"}".formatted(i, "x".repeat(37 * i)));
      }
      sent.stream()
          .map(text -> new Broadcast(List.of(new Payload(text.getBytes(UTF_8)))))
          .forEach(edge::broadcast);
      for (RawClient client : clients) {
        for (String text : sent) {
          assertThat(new String(client.nextFrame().body(), UTF_8)).contains(text);
        }
        client.close();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoReadsTooSlowlyIsEnded(TlsSettings.Provider provider) {
    var payload = new Payload(("\"" + "x".repeat(10_000) + "\"").getBytes(UTF_8));
    try (var edge =
            open(
                "connection.max-pending-size = 64 KiB, websocket.tls.provider = "
                    + provider.name().toLowerCase(Locale.ROOT));
        var slow = dial(edge, 4_096, new AtomicReference<>())) {
      slow.upgrade(JsonCodec.INSTANCE);
      slow.connect(Tokens.of("slow"));
      var outbox = edge.played.outbox("slow");
      for (int i = 1; i <= 2_000; i++) {
        outbox.push(new EncodedPush(new ServerFrame.Push("#slow", Publication.of(payload, i))));
      }
      await().until(() -> edge.played.heard.contains("closed 3008"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void aNewCertificateIsForNewClientsAndAWrongOneForNobody(TlsSettings.Provider provider)
      throws Exception {
    var logger = (Logger) LoggerFactory.getLogger("dev.hawser.gateway.socket.Tls");
    var appender = new ListAppender<ILoggingEvent>();
    appender.start();
    logger.addAppender(appender);
    try (var edge = open(provider);
        var old = dial(edge)) {
      old.upgrade("/echo");
      assertThat(shown(edge)).isEqualTo(first.certificate);

      second.writeKey(key);
      second.writeCertificate(certificate);
      await().until(() -> shown(edge).equals(second.certificate));
      assertEchoes(old, "of before".getBytes(UTF_8));

      // The key of another one; and then none at all.
      rsa.writeCertificate(certificate);
      await().until(() -> errors(appender).stream().anyMatch(line -> line.contains("RSA")));
      Files.writeString(key, "nonsense");
      await().until(() -> errors(appender).stream().anyMatch(line -> line.contains("PKCS #8")));
      assertThat(shown(edge)).isEqualTo(second.certificate);

      rsa.writeKey(key);
      await().until(() -> shown(edge).equals(rsa.certificate));
      assertEchoes(old, "of before".getBytes(UTF_8));
      assertThat(errors(appender)).allMatch(line -> line.startsWith("the certificate in use"));
      assertThat(String.join("", errors(appender))).doesNotContain(Files.readAllLines(key).get(1));
    } finally {
      logger.detachAppender(appender);
    }
  }

  private static List<String> errors(ListAppender<ILoggingEvent> appender) {
    return List.copyOf(appender.list).stream()
        .filter(line -> line.getLevel() == Level.ERROR)
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }

  private void assertRefused(String more, String... says) {
    Throwable failure = catchThrowable(() -> open(more).close());
    assertThat(failure instanceof AssertionError ? failure.getCause() : failure)
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .contains(says);
  }

  @Test
  void wrongSettingsAreNamed() throws Exception {
    assertRefused("websocket.tls.provider = gnutls", "tls.provider is gnutls", "openssl or jdk");
    assertRefused("websocket.tls.private-key = \"\"", "tls.private-key is missing");
    assertRefused("websocket.tls.reload-interval = 1ms", "tls.reload-interval", "100 ms");
    assertRefused(
        "websocket.tls.certificate = /nowhere/tls.crt",
        "tls.certificate: /nowhere/tls.crt cannot be read");
    assertRefused("websocket.tls.certificate = \"%s\"".formatted(key), "has no certificate in PEM");
    second.writeKey(key);
    assertRefused("", "tls.private-key", "is not the key of the certificate in");
    Files.writeString(key, Files.readString(key).replace("PRIVATE KEY", "RSA PRIVATE KEY"));
    assertRefused("", "PKCS #8", "BEGIN PRIVATE KEY");
  }

  @Test
  void thereIsNoHandshakeForWhoIsRefused() throws Exception {
    try (var edge = open("admission.max-connections = 1");
        var admitted = dial(edge)) {
      admitted.upgrade("/echo");
      try (var refused = new Socket(InetAddress.getLoopbackAddress(), edge.port)) {
        refused.setSoTimeout(10_000);
        assertThat(refused.getInputStream().read()).isEqualTo(-1);
      }
      assertEchoes(admitted, ByteBuffer.allocate(4).array());
    }
  }
}
