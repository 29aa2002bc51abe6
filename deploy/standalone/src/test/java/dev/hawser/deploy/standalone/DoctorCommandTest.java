package dev.hawser.deploy.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class DoctorCommandTest {

  @TempDir private Path root;

  private final StringWriter output = new StringWriter();

  private int doctor(String... options) {
    return new CommandLine(new DoctorCommand())
        .setOut(new PrintWriter(output))
        .setErr(new PrintWriter(output))
        .execute(options);
  }

  @Test
  void aHostThatIsTooSmallIsToldWhatToDo() throws IOException {
    Files.createDirectories(root.resolve("proc/self"));
    Files.writeString(root.resolve("proc/self/limits"), "Max open files  1024  4096  files\n");
    assertThat(doctor("--root=" + root, "--connections=4000")).isEqualTo(1);
    assertThat(output.toString().lines())
        .anyMatch(
            line -> line.matches("nofile, soft / hard +1,024 / 4,096 +5,000 \\(hard\\) +too low"))
        .contains(
            "    LimitNOFILE=5000 in the systemd unit of the node, or of the container runtime",
            "This host is not ready for a node with 4,000 connections.");
  }

  @Test
  void aHostThatIsLargeEnoughIsFine() throws IOException {
    Files.createDirectories(root.resolve("proc/self"));
    Files.writeString(root.resolve("proc/self/limits"), "Max open files  1024  4096  files\n");
    assertThat(doctor("--root=" + root, "--connections=3000")).isZero();
    assertThat(output.toString()).contains("Nothing speaks against", "unknown", "not shown here");
  }

  @Test
  void thisHostCanBeRead() {
    // Whether it is fine depends on the host.
    assertThat(doctor("--connections=1")).isIn(0, 1);
    assertThat(output.toString().lines().filter(line -> line.startsWith("nofile")))
        .hasSize(1)
        .noneMatch(line -> line.contains("unknown"));
  }

  @Test
  void aWrongNumberIsRefused() {
    assertThat(doctor("--connections=0")).isEqualTo(2);
    assertThat(output.toString()).contains("--connections is 0, expected 1 to 10000000");
  }
}
