package dev.hawser.presence.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.util.List;

/** Who may use the API: values of the header {@code X-API-Key}. */
public final class ApiKeys {

  private final List<byte[]> keys;

  /** None: nobody may. */
  public ApiKeys(List<String> keys) {
    this.keys = keys.stream().map(key -> key.getBytes(UTF_8)).toList();
  }

  /** Whether this is one of them; takes equally long whichever it is. */
  public boolean accept(String key) {
    byte[] given = key.getBytes(UTF_8);
    boolean accepted = false;
    for (byte[] known : keys) {
      accepted |= MessageDigest.isEqual(known, given);
    }
    return accepted;
  }

  /** What one who is not let in is told. */
  public String refusal() {
    return keys.isEmpty()
        ? "no key is configured (hawser.presence.api-keys)"
        : "expected a known key in the header X-API-Key";
  }
}
