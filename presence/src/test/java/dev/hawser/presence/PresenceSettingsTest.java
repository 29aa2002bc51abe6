package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PresenceSettingsTest {

  private static PresenceSettings settings(String more) {
    return PresenceSettings.from(
        ConfigFactory.parseString(more)
            .withFallback(ConfigFactory.load().getConfig("hawser.presence")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "linger = -1s | linger is PT-1S, expected zero or more",
        "batch-size = 0 | batch-size is 0, expected at least 1",
        "flush-interval = 0s | flush-interval is PT0S, expected at least 1 ms",
        "node-timeout = 6s | node-timeout is PT6S, expected more than 3 times heartbeat-interval",
        "archive-after = 59s | archive-after is PT59S, expected at least PT1M, and node-timeout (PT8S)",
        "node-timeout = 2m, archive-after = 1m | expected at least PT1M, and node-timeout (PT2M)",
        "retention = 1h | retention is PT1H, expected at least PT24H, or forever",
        "database.max-connections = 5 | max-connections is 5, expected at least 6"
      })
  void aWrongValueIsNamedWithWhatWasExpected(String setting, String message) {
    assertThatThrownBy(() -> settings(setting))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void secretsAreNotPrinted() {
    var settings = settings("database.password = hush, api-keys = [ key-of-mine ]");
    assertThat(settings.toString() + settings.database()).doesNotContain("hush", "key-of-mine");
    assertThat(settings.apiKeys()).containsExactly("key-of-mine");
  }
}
