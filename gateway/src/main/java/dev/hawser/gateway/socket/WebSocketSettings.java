package dev.hawser.gateway.socket;

import com.typesafe.config.Config;
import java.util.Optional;

/**
 * Where clients connect, from {@code hawser.websocket}.
 *
 * @param host address to listen on
 * @param port port to listen on, 0 for any free one
 * @param eventLoops threads, 0 for one per processor
 * @param echoPath where messages are sent back as they are, empty for nowhere
 * @param maxEchoBytes of a message there
 * @param compression whether permessage-deflate is agreed to
 * @param tls empty for connections that are not encrypted
 */
public record WebSocketSettings(
    String host,
    int port,
    int eventLoops,
    String echoPath,
    int maxEchoBytes,
    boolean compression,
    Optional<TlsSettings> tls) {

  private static final int MAX_EVENT_LOOPS = 1_024;
  private static final long MAX_ECHO_BYTES = 1L << 28;

  /** Checks the values. */
  public WebSocketSettings {
    if (host.isBlank()) {
      throw new IllegalArgumentException(
          "hawser.websocket.host is empty, expected an address to listen on");
    }
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException(
          "hawser.websocket.port is %d, expected 0 to 65535".formatted(port));
    }
    if (eventLoops < 0 || eventLoops > MAX_EVENT_LOOPS) {
      throw new IllegalArgumentException(
          "hawser.websocket.event-loops is %d, expected 0 to %d"
              .formatted(eventLoops, MAX_EVENT_LOOPS));
    }
    if (!echoPath.matches("|(/[A-Za-z0-9._~-]+)+")) {
      throw new IllegalArgumentException(
          "hawser.websocket.echo-path is \"%s\", expected a path such as /echo, or nothing"
              .formatted(echoPath));
    }
  }

  /** Reads the block {@code hawser.websocket}. */
  public static WebSocketSettings from(Config config) {
    return new WebSocketSettings(
        config.getString("host"),
        config.getInt("port"),
        config.getInt("event-loops"),
        config.getString("echo-path"),
        maxEcho(config.getBytes("echo-max-size")),
        config.getBoolean("compression"),
        TlsSettings.from(config.getConfig("tls")));
  }

  private static int maxEcho(long bytes) {
    if (bytes < 1 || bytes > MAX_ECHO_BYTES) {
      throw new IllegalArgumentException(
          "hawser.websocket.echo-max-size is %d bytes, expected 1 to %d"
              .formatted(bytes, MAX_ECHO_BYTES));
    }
    return (int) bytes;
  }
}
