package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.jspecify.annotations.Nullable;

/**
 * What a client says that it looks at.
 *
 * @param resource a document, a lesson, a stream; empty for nothing in particular
 * @param idle whether nobody is there, as when the page is hidden
 */
public record Viewing(String resource, boolean idle) {

  /** Of a client that says something for the first time. */
  static final Viewing NOTHING = new Viewing("", false);

  private static final int MAX_RESOURCE_LENGTH = 255;

  /**
   * The same with what is given.
   *
   * @param resource null to leave it as it is
   * @param idle {@code true}, {@code false}, or null to leave it as it is
   * @return null if the resource is too long or no text, or idle is something else
   */
  @Nullable Viewing with(@Nullable String resource, @Nullable String idle) {
    if ((resource != null && !isName(resource))
        || (idle != null && !idle.equals("true") && !idle.equals("false"))) {
      return null;
    }
    return new Viewing(
        resource == null ? this.resource : resource,
        idle == null ? this.idle : idle.equals("true"));
  }

  /** PostgreSQL's text takes no U+0000, and half a surrogate pair has no UTF-8. */
  private static boolean isName(String resource) {
    return resource.length() <= MAX_RESOURCE_LENGTH
        && resource.indexOf(0) < 0
        && UTF_8.newEncoder().canEncode(resource);
  }
}
