package dev.hawser.gateway.connection;

import java.net.URI;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which web pages may open connections (the {@code Origin} header, RFC 6454). Clients that are no
 * browsers send none and are let in; their token decides.
 */
public final class AllowedOrigins {

  private final Set<String> origins;

  /**
   * Takes the configured list.
   *
   * @param origins such as {@code https://example.org}; {@code *} for any; empty for pages from the
   *     host that the connection itself goes to
   */
  public AllowedOrigins(List<String> origins) {
    this.origins = Set.copyOf(origins);
  }

  /**
   * Whether a page may open a connection.
   *
   * @param origin value of the {@code Origin} header
   * @param host value of the {@code Host} header
   */
  public boolean allow(@Nullable String origin, @Nullable String host) {
    if (origin == null || origins.contains("*") || origins.contains(origin)) {
      return true;
    }
    return origins.isEmpty() && host != null && host.equals(authority(origin));
  }

  private static @Nullable String authority(String origin) {
    try {
      return URI.create(origin).getAuthority();
    } catch (IllegalArgumentException opaque) {
      return null;
    }
  }
}
