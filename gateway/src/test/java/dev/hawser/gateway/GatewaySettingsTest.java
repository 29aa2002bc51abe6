package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.net.InetAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GatewaySettingsTest {

  private static GatewaySettings settings(String settings) {
    return GatewaySettings.from(
        ConfigFactory.parseString(settings)
            .withFallback(
                ConfigFactory.parseString(
                    "auth.hmac-secret = a-secret-of-the-tests-with-32-characters"))
            .withFallback(ConfigFactory.load().getConfig("hawser")));
  }

  @Test
  void theDefaultsOfAProductionNodeAreComplete() {
    var settings = settings("");
    assertThat(settings.cluster().node()).isEqualTo("127.0.0.1:7355");
    assertThat(settings.webSocket().port()).isEqualTo(8_000);
    assertThat(settings.toString()).doesNotContain("a-secret-of-the-tests");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "auth.hmac-secret = hawser-dev-secret-never-in-production | hmac-secret is the one of hawser dev",
        "presence.api-keys = [ dev ] | hawser.presence.api-keys has the key \"dev\"",
      })
  void aProductionNodeRefusesWhatEverybodyKnows(String setting, String message) {
    assertThatThrownBy(() -> settings(setting))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
    assertThat(settings(setting + "\nenvironment = development")).isNotNull();
  }

  @Test
  void aNodeThatTakesNoClientsNeedsNoKeyForTokens() {
    assertThat(settings("auth.hmac-secret = \"\"\nroles = [presence]")).isNotNull();
  }

  @Test
  void aNodeIsKnownToClientsByItsHostsNameWhereThereAreNoPods() throws Exception {
    String name = InetAddress.getLocalHost().getHostName();
    assertThat(settings("advertised-url = \"wss://{pod}.example.org{path}\"").advertisedUrl())
        .isEqualTo("wss://" + name.split("\\.", -1)[0] + ".example.org/connection/websocket");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "environment = staging | hawser.environment is staging, expected production or development",
        "cluster.formation = magic | hawser.cluster.formation is magic, expected alone, contact-points or kubernetes",
        "cluster { formation = contact-points, contact-points = \"a:1, b:1, c:1, d:1\" } | required-contact-points is 2, expected more than half of the 4 contact points",
        "auth.hmac-secret = short | hawser.auth.hmac-secret has 5 characters, expected at least 32",
        "auth.hmac-secret = \"\" | hawser.auth has no key",
        "session.excess = kick-all | hawser.session.excess is kick-all, expected kick-oldest",
        "session.max-connections = 0 | hawser.session.max-connections is 0, expected at least 1",
        "connection.pong-timeout = 30s | hawser.connection.pong-timeout is PT30S, expected less than",
        "websocket.echo-path = /connection/websocket | hawser.websocket.echo-path is /connection/websocket, as hawser.connection.path is",
        "connection.ping-interval = 1500ms | ping-interval is PT1.5S, expected whole seconds",
      })
  void aWrongValueIsNamedWithWhatWasExpected(String setting, String message) {
    assertThatThrownBy(() -> settings(setting))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
