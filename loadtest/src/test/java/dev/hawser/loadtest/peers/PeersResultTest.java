package dev.hawser.loadtest.peers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.loadtest.peers.PeersResult.PeerResult;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The table beside peers, of figures that were made up. */
class PeersResultTest {

  private static PeerResult peer(String name, double... connects) {
    return PeerResult.of(
        name,
        name + " 1.0",
        Arrays.stream(connects).mapToObj(value -> Map.of(Measure.CONNECTS, value)).toList(),
        Map.of());
  }

  private static PeersResult result(List<PeerResult> peers, List<String> failures) {
    return new PeersResult(
        "2026-11-26T13:00:00Z",
        "bin/hawser load peers",
        "2 cores",
        List.of(1.0, 1.0, 1.0),
        new PeersSettings(10_000, 1_000, 50, Duration.ofSeconds(10), 8, 100),
        peers,
        Map.of("Nchan", "nginx is missing"),
        failures);
  }

  @Test
  void roundsBesideOneThatFailedCount() {
    String text =
        result(
                List.of(peer("Hawser", 1_000, 3_000, 2_000), peer("Vert.x", 3_000, 5_000)),
                List.of("Vert.x: round 2 failed, 9 connections, expected 10"))
            .markdown();
    assertThat(text)
        .containsPattern("\\| Hawser \\|.* 2,000 \\|")
        .containsPattern("\\| Vert.x \\|.* 4,000 \\(2\\) \\|")
        .contains("Vert.x: round 2 failed, 9 connections, expected 10.")
        .contains("Nchan: skipped, nginx is missing.");
  }

  @Test
  void theNotesSayHowManyMessagesWereOnTheirWay() {
    assertThat(result(List.of(peer("Hawser", 1)), List.of()).markdown())
        .contains("deliveries/s with 8 messages on their way");
  }
}
