package dev.hawser.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ClusterSettingsTest {

  private static final String ALL_MUST_ANSWER =
      "pekko.management.cluster.bootstrap.contact-point-discovery.contact-with-all-contact-points";

  /** As the gateway puts them together. */
  private static Config system(String own) {
    Config config =
        ConfigFactory.parseString(own)
            .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
            .withFallback(ConfigFactory.defaultReferenceUnresolved())
            .resolve();
    return ClusterSettings.from(config.getConfig("hawser")).pekko().withFallback(config);
  }

  @Test
  void aNodeThatIsMoreTolerantOfPausesIsSoOfItsOwn() {
    assertThat(ClusterSettings.unnoticedPause(system(""))).isEqualTo(Duration.ofSeconds(5));
    Config tolerant =
        system(
            "pekko.cluster.failure-detector.acceptable-heartbeat-pause = 8s\n"
                + "pekko.cluster.split-brain-resolver.stable-after = 7s");
    assertThat(ClusterSettings.unnoticedPause(tolerant)).isEqualTo(Duration.ofMillis(14_500));
  }

  @Test
  void aFewOfManyPodsDoNotFormACluster() {
    assertThat(system("hawser.cluster.formation = kubernetes").getBoolean(ALL_MUST_ANSWER))
        .isTrue();
  }

  @Test
  void whereMoreThanHalfOfAListIsRequiredTheRestMayBeMissing() {
    String list =
        "hawser.cluster { formation = contact-points, contact-points = [\"a:1\", \"b:1\", \"c:1\"] }";
    assertThat(system(list).getBoolean(ALL_MUST_ANSWER)).isFalse();
  }
}
