package dev.hawser.gateway.socket;

import com.typesafe.config.Config;

/**
 * Where clients connect, from {@code hawser.websocket}.
 *
 * @param host address to listen on
 * @param port port to listen on, 0 for any free one
 * @param eventLoops threads, 0 for one per processor
 */
public record WebSocketSettings(String host, int port, int eventLoops) {

  private static final int MAX_EVENT_LOOPS = 1_024;

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
  }

  /** Reads the block {@code hawser.websocket}. */
  public static WebSocketSettings from(Config config) {
    return new WebSocketSettings(
        config.getString("host"), config.getInt("port"), config.getInt("event-loops"));
  }
}
