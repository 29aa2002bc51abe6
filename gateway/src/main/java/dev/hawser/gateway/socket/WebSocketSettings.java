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

  /** Reads the block {@code hawser.websocket}. */
  public static WebSocketSettings from(Config config) {
    return new WebSocketSettings(
        config.getString("host"), config.getInt("port"), config.getInt("event-loops"));
  }
}
