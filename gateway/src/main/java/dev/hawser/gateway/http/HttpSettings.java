package dev.hawser.gateway.http;

import com.typesafe.config.Config;

/**
 * Where HTTP is served, from {@code hawser.http}.
 *
 * @param host address to listen on
 * @param port port to listen on, 0 for any free one
 */
public record HttpSettings(String host, int port) {

  /** Checks the values. */
  public HttpSettings {
    if (host.isBlank()) {
      throw new IllegalArgumentException(
          "hawser.http.host is empty, expected an address to listen on");
    }
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException(
          "hawser.http.port is %d, expected 0 to 65535".formatted(port));
    }
  }

  /** Reads the block {@code hawser.http}. */
  public static HttpSettings from(Config config) {
    return new HttpSettings(config.getString("host"), config.getInt("port"));
  }
}
