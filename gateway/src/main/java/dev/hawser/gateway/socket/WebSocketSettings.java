package dev.hawser.gateway.socket;

import com.typesafe.config.Config;
import dev.hawser.gateway.connection.AllowedOrigins;

/**
 * Where clients connect, from {@code hawser.websocket}.
 *
 * @param host address to listen on
 * @param port port to listen on, 0 for any free one
 * @param path the one path that is served
 * @param eventLoops threads, 0 for one per processor
 */
public record WebSocketSettings(
    String host, int port, String path, int eventLoops, AllowedOrigins allowedOrigins) {

  /** Reads the block {@code hawser.websocket}. */
  public static WebSocketSettings from(Config config) {
    return new WebSocketSettings(
        config.getString("host"),
        config.getInt("port"),
        config.getString("path"),
        config.getInt("event-loops"),
        new AllowedOrigins(config.getStringList("allowed-origins")));
  }
}
