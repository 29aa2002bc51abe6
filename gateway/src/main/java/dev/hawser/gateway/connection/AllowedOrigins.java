package dev.hawser.gateway.connection;

import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which web pages may open connections (the {@code Origin} header, RFC 6454). Clients that are no
 * browsers send none and are let in; their token decides.
 */
public final class AllowedOrigins {

  /** {@code null} is what pages from files and sandboxed frames send. */
  private static final Pattern ORIGIN =
      Pattern.compile("\\*|null|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\s]+");

  private final Set<String> origins;

  /**
   * Takes the configured list.
   *
   * @param origins such as {@code https://example.org}; {@code *} for any; empty for pages from the
   *     host that the connection itself goes to
   * @throws IllegalArgumentException if one of them can never be what a browser sends
   */
  public AllowedOrigins(List<String> origins) {
    for (String origin : origins) {
      if (!ORIGIN.matcher(origin).matches()) {
        throw new IllegalArgumentException(
            "hawser.connection.allowed-origins has \"%s\", expected * or such as https://example.org"
                    .formatted(origin)
                + " (no path, no slash at the end)");
      }
    }
    this.origins =
        origins.stream().map(AllowedOrigins::lowerCase).collect(Collectors.toUnmodifiableSet());
  }

  /**
   * Whether a page may open a connection.
   *
   * @param origin value of the {@code Origin} header
   * @param host value of the {@code Host} header
   */
  public boolean allow(@Nullable String origin, @Nullable String host) {
    if (origin == null || origins.contains("*") || origins.contains(lowerCase(origin))) {
      return true;
    }
    return origins.isEmpty() && host != null && host.equalsIgnoreCase(authority(origin));
  }

  /** Scheme and host are case-insensitive (RFC 6454, section 4); browsers send lower case. */
  private static String lowerCase(String origin) {
    return origin.toLowerCase(Locale.ROOT);
  }

  private static @Nullable String authority(String origin) {
    try {
      return URI.create(origin).getAuthority();
    } catch (IllegalArgumentException opaque) {
      return null;
    }
  }
}
