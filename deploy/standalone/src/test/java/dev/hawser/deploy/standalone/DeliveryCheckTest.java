package dev.hawser.deploy.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@code hawser check}, for two minutes; its nodes' logs stay in {@code target/check}. */
@Tag("alone")
class DeliveryCheckTest {

  private static final Path RESULTS = Path.of("target", "check");

  @Test
  void nothingIsLostOrDoubledWhateverBreaks() throws Exception {
    int exit = Hawser.execute("check", "--minutes=2", "--seed=4", "--directory=" + RESULTS);
    String result = Files.readString(RESULTS.resolve("result.json"));
    assertThat(exit).as(result).isZero();
    // That something was checked, too.
    assertThat(result)
        .contains("kill -9 of node", "SIGSTOP of node", "PostgreSQL away", "Kafka away")
        .doesNotContain("\"received\" : 0,");
  }
}
