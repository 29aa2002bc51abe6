package dev.hawser.gateway;

import com.typesafe.config.Config;
import dev.hawser.gateway.cluster.ClusterSettings;
import dev.hawser.gateway.connection.AdmissionSettings;
import dev.hawser.gateway.connection.AuthenticatorSettings;
import dev.hawser.gateway.connection.ConnectionSettings;
import dev.hawser.gateway.connection.DrainSettings;
import dev.hawser.gateway.http.HttpSettings;
import dev.hawser.gateway.kafka.KafkaSettings;
import dev.hawser.gateway.kafka.OfflineDefaults;
import dev.hawser.gateway.session.SessionSettings;
import dev.hawser.gateway.socket.WebSocketSettings;
import dev.hawser.presence.PresenceSettings;
import java.net.InetAddress;
import java.net.UnknownHostException;

/** All of the block {@code hawser}; reference.conf tells what each key means. */
record GatewaySettings(
    ClusterSettings cluster,
    ConnectionSettings connection,
    AdmissionSettings admission,
    DrainSettings drain,
    WebSocketSettings webSocket,
    HttpSettings http,
    AuthenticatorSettings authenticator,
    SessionSettings session,
    int shards,
    String advertisedUrl,
    KafkaSettings kafka,
    OfflineDefaults offline,
    PresenceSettings presence) {

  /** What {@code hawser dev} signs tokens with; everybody can read it here. */
  private static final String DEVELOPMENT_SECRET = "hawser-dev-secret-never-in-production";

  private static final String DEVELOPMENT_API_KEY = "dev";

  /**
   * Reads and checks the block {@code hawser}.
   *
   * @throws IllegalArgumentException naming the key, its value and what was expected
   */
  static GatewaySettings from(Config config) {
    var settings =
        new GatewaySettings(
            ClusterSettings.from(config),
            ConnectionSettings.from(config.getConfig("connection")),
            AdmissionSettings.from(config.getConfig("admission")),
            DrainSettings.from(config.getConfig("drain")),
            WebSocketSettings.from(config.getConfig("websocket")),
            HttpSettings.from(config.getConfig("http")),
            AuthenticatorSettings.from(config.getConfig("auth")),
            SessionSettings.from(config),
            config.getInt("session.shards"),
            advertisedUrl(config),
            KafkaSettings.from(config.getConfig("kafka")),
            OfflineDefaults.from(config.getConfig("mailbox")),
            PresenceSettings.from(config.getConfig("presence")));
    settings.requireTwoPaths();
    if (settings.cluster.isGateway()) {
      settings.authenticator.requireKey();
    }
    String environment = config.getString("environment");
    switch (environment) {
      case "development" -> {}
      case "production" -> settings.requireNothingOfDevelopment();
      default ->
          throw new IllegalArgumentException(
              "hawser.environment is %s, expected production or development"
                  .formatted(environment));
    }
    return settings;
  }

  private static String advertisedUrl(Config config) {
    String configured = config.getString("advertised-url");
    String url =
        configured
            .replace(
                "{scheme}", config.getString("websocket.tls.certificate").isBlank() ? "ws" : "wss")
            .replace("{host}", config.getString("cluster.host"))
            .replace("{port}", config.getString("websocket.port"))
            .replace("{path}", config.getString("connection.path"));
    if (url.contains("{pod}")) {
      url = url.replace("{pod}", pod());
    }
    if (!url.matches("wss?://[^{}\\s]+")) {
      throw new IllegalArgumentException(
          "hawser.advertised-url is %s, expected ws:// or wss:// and of {scheme}, {host}, {port}, {path}, {pod}"
                  .formatted(configured)
              + " what is needed");
    }
    return url;
  }

  /** Of the environment, as Kubernetes has it; elsewhere the host's name, up to its first dot. */
  private static String pod() {
    String pod = System.getenv("POD_NAME");
    if (pod != null) {
      return pod;
    }
    try {
      return InetAddress.getLocalHost().getHostName().replaceFirst("\\..*", "");
    } catch (UnknownHostException nameless) {
      throw new IllegalArgumentException(
          "hawser.advertised-url has {pod}, expected POD_NAME, or a host with a name", nameless);
    }
  }

  private void requireTwoPaths() {
    if (webSocket.echoPath().equals(connection.path())) {
      throw new IllegalArgumentException(
          "hawser.websocket.echo-path is %s, as hawser.connection.path is, expected another path"
              .formatted(webSocket.echoPath()));
    }
  }

  private void requireNothingOfDevelopment() {
    if (authenticator.hmacSecret().equals(DEVELOPMENT_SECRET)) {
      throw new IllegalArgumentException(
          "hawser.auth.hmac-secret is the one of hawser dev, expected a secret of your own"
              + " (or hawser.environment = development)");
    }
    if (presence.apiKeys().contains(DEVELOPMENT_API_KEY)) {
      throw new IllegalArgumentException(
          "hawser.presence.api-keys has the key \"dev\", expected keys nobody can guess"
              + " (or hawser.environment = development)");
    }
  }
}
