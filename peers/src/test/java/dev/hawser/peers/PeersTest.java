package dev.hawser.peers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.loadtest.LoadCommand;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code hawser load peers}, small and short, with one server of each protocol. */
class PeersTest {

  @TempDir private Path temporary = Path.of("");

  private int load(String... arguments) {
    return new CommandLine(new LoadCommand()).execute(arguments);
  }

  @Test
  void eachIsMeasuredAndNothingIsMissing() throws Exception {
    int exit =
        load(
            "peers",
            "--only=bare-netty,netty-socketio",
            "--rounds=1",
            "--users=200",
            "--receivers=50",
            "--rate=20",
            "--duration=1",
            "--output=" + temporary);
    assertThat(exit).isZero();
    JsonNode result = new ObjectMapper().readTree(temporary.resolve("result.json").toFile());
    assertThat(result.get("skipped")).isEmpty();
    assertThat(StreamSupport.stream(result.get("peers").spliterator(), false))
        .extracting(peer -> peer.get("name").asText())
        .containsExactly("bare Netty", "netty-socketio");
    for (JsonNode peer : result.get("peers")) {
      JsonNode medians = peer.get("medians");
      for (String measure : List.of("connects/s", "deliveries/s", "p50, ms", "p99, ms")) {
        assertThat(medians.get(measure).asDouble()).as("%s in %s", measure, peer).isPositive();
      }
      assertThat(medians.get("missing").asLong()).isZero();
      assertThat(peer.get("errors")).isEmpty();
    }
    assertThat(Files.readString(temporary.resolve("peers.md")))
        .contains("| bare Netty |", "| netty-socketio |");
  }

  @Test
  void whoIsNotKnownIsNamed() {
    assertThat(load("peers", "--only=redis", "--output=" + temporary)).isEqualTo(2);
  }
}
