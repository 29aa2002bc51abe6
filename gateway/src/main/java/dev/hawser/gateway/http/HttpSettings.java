package dev.hawser.gateway.http;

import com.typesafe.config.Config;

/**
 * Where HTTP is served, from {@code hawser.http}.
 *
 * @param host address to listen on
 * @param port port to listen on, 0 for any free one
 */
public record HttpSettings(String host, int port) {

  /** Reads the block {@code hawser.http}. */
  public static HttpSettings from(Config config) {
    return new HttpSettings(config.getString("host"), config.getInt("port"));
  }
}
