package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.http.HttpSettings;
import dev.hawser.gateway.kafka.KafkaSettings;
import dev.hawser.gateway.session.DevicePolicy;
import dev.hawser.gateway.socket.WebSocketSettings;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A wrong value stops the start, with a message that names key, value and expectation. */
class SettingsTest {

  private static Config hawser(String settings) {
    return ConfigFactory.parseString("hawser {" + settings + "}")
        .withFallback(ConfigFactory.defaultReferenceUnresolved())
        .resolve()
        .getConfig("hawser");
  }

  private static void refused(
      String block, Function<Config, ?> reader, String key, String value, String expectation) {
    assertThatThrownBy(
            () -> reader.apply(hawser("%s.%s = %s".formatted(block, key, value)).getConfig(block)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("hawser." + block + "." + key)
        .hasMessageContaining("expected")
        .hasMessageContaining(expectation);
  }

  @Test
  void theDefaultsAreRight() {
    assertThat(ConnectionSettings.from(hawser("").getConfig("connection")).maxFrameBytes())
        .isEqualTo(65_536);
    assertThat(KafkaSettings.from(hawser("").getConfig("kafka")).eventsInFlight()).isEqualTo(128);
    assertThat(WebSocketSettings.from(hawser("").getConfig("websocket")).port()).isEqualTo(8_000);
    assertThat(HttpSettings.from(hawser("").getConfig("http")).port()).isEqualTo(8_080);
    assertThat(DevicePolicy.from(hawser("").getConfig("session")).maxConnections()).isEqualTo(16);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ping-interval|0s|whole seconds",
        "ping-interval|1500ms|whole seconds",
        "ping-interval|2h|1h",
        "max-ping-interval|24s|at least ping-interval",
        "max-ping-interval|2h|1h",
        "pong-timeout|25s|less than ping-interval",
        "pong-timeout|500ms|whole seconds",
        "connect-timeout|0s|whole seconds",
        "connect-timeout|9999h|1h",
        "refused-linger|-1s|whole seconds",
        "expiry-grace|-1s|0s to 24h",
        "expiry-grace|25h|0s to 24h",
        "max-frame-size|0|1 to",
        "max-frame-size|3 GiB|1 to",
        "max-pending-size|0|1 to",
        "max-pending-size|100 GiB|1 to",
        "max-upstream-in-flight|0|at least 1",
        "path|connection/websocket|such as /connection/websocket",
        "path|/|such as /connection/websocket",
        "path|/a/|such as /connection/websocket",
        "path|\"/a?b\"|such as /connection/websocket",
        "allowed-origins|[\"https://a.org/\"]|https://example.org",
      })
  void aWrongConnectionSettingIsNamed(String key, String value, String expectation) {
    refused("connection", ConnectionSettings::from, key, value, expectation);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "bootstrap-servers|\"\"|host:port",
        "bootstrap-servers|localhost|host:port",
        "bootstrap-servers|\"a:1,,b:2\"|host:port",
        "client-properties|/nowhere/kafka.properties|readable file",
        "consumer-group|\"\"|name",
        "topics.events|\"\"|1 to 249",
        "topics.upstream|\"a b\"|1 to 249",
        "topics.dead-letters|\"a/b\"|1 to 249",
        "topics.events|hawser.upstream|another topic",
        "topics.events|hawser.events.dlq|another topic",
        "broadcast|\"a b\"|1 to 249",
        "broadcast|hawser.events|nothing else",
        "events-in-flight|0|at least 1",
        "acknowledge-timeout|0s|100ms to 1h",
        "acknowledge-timeout|2h|100ms to 1h",
        "send-timeout|1ms|100ms to 1h",
      })
  void aWrongKafkaSettingIsNamed(String key, String value, String expectation) {
    refused("kafka", KafkaSettings::from, key, value, expectation);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"port|-1|0 to 65535", "port|65536|0 to 65535", "host|\"\"|address"})
  void aWrongListenerIsNamed(String key, String value, String expectation) {
    refused("websocket", WebSocketSettings::from, key, value, expectation);
    refused("http", HttpSettings::from, key, value, expectation);
  }

  @ParameterizedTest
  @CsvSource({"-1", "100000"})
  void aWrongNumberOfEventLoopsIsNamed(String loops) {
    refused("websocket", WebSocketSettings::from, "event-loops", loops, "0 to 1024");
  }

  @Test
  void aWrongEchoIsNamed() {
    refused("websocket", WebSocketSettings::from, "echo-path", "echo", "such as /echo");
    refused("websocket", WebSocketSettings::from, "echo-max-size", "0", "1 to");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "max-connections|-1|at least 0",
        "max-connections-per-address|-1|at least 0",
        "max-handshakes|0|at least 1",
        "max-handshakes-per-second|-1|at least 0",
        "max-heap|0|more than 0",
        "max-heap|95|at most 1",
        "max-lag|0s|at least 1ms",
        "retry-after|1500ms|whole seconds",
      })
  void aWrongLimitOfAdmissionIsNamed(String key, String value, String expectation) {
    refused("admission", AdmissionSettings::from, key, value, expectation);
  }

  @Test
  void aWrongDevicePolicyIsNamed() {
    refused("session", DevicePolicy::from, "max-connections", "0", "at least 1");
    refused("session", DevicePolicy::from, "excess", "nobody", "kick-oldest or reject-newest");
  }

  private static String authenticationError(String settings) {
    try {
      AuthenticatorSettings.from(hawser(settings).getConfig("auth")).requireKey();
      return "";
    } catch (IllegalArgumentException wrong) {
      return String.valueOf(wrong.getMessage());
    }
  }

  @Test
  void authenticationNeedsAKeyOrAnonymous() {
    assertThat(authenticationError("")).contains("hawser.auth has no key", "expected hmac-secret");
    assertThat(authenticationError("auth.anonymous = on")).isEmpty();
  }

  @Test
  void aShortSecretIsRefusedAndNotRepeated() {
    assertThat(authenticationError("auth.hmac-secret = sesame"))
        .contains("hawser.auth.hmac-secret has 6 characters", "at least 32")
        .doesNotContain("sesame");
  }

  @Test
  void aSecretDoesNotShowInTheSettings() {
    var settings =
        AuthenticatorSettings.from(hawser("auth.hmac-secret = " + Tokens.SECRET).getConfig("auth"));

    assertThat(settings.toString()).doesNotContain(Tokens.SECRET);
  }

  @Test
  void thereIsOneKeySetAtMost() {
    assertThat(authenticationError("auth { jwks-url = \"https://a.org/k\", jwks-file = k }"))
        .contains("jwks-url and hawser.auth.jwks-file are both set", "expected one");
  }

  @ParameterizedTest
  @CsvSource({"keys.json", "file:/etc/passwd", "ftp://a.org/k", "https://"})
  void aKeySetComesByHttp(String url) {
    assertThat(authenticationError("auth.jwks-url = \"" + url + "\""))
        .contains("hawser.auth.jwks-url is " + url, "expected an http or https URL");
  }
}
