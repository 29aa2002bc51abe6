package dev.hawser.gateway.kafka;

import com.typesafe.config.Config;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of events without {@code X-Offline} while their user is away, from {@code
 * hawser.mailbox}.
 *
 * @param keep whether they are kept
 * @param exceptions names of events ({@code X-Event}) for which the opposite holds
 */
public record OfflineDefaults(boolean keep, Set<String> exceptions) {

  /** Reads the block {@code hawser.mailbox}. */
  public static OfflineDefaults from(Config config) {
    String unnamed = config.getString("default");
    return switch (unnamed) {
      case "keep" -> new OfflineDefaults(true, Set.copyOf(config.getStringList("drop")));
      case "drop" -> new OfflineDefaults(false, Set.copyOf(config.getStringList("keep")));
      default ->
          throw new IllegalArgumentException(
              "hawser.mailbox.default is %s, expected keep or drop".formatted(unnamed));
    };
  }

  boolean keeps(@Nullable String name) {
    return (name != null && exceptions.contains(name)) != keep;
  }
}
