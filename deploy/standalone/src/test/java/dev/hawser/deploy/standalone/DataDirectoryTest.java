package dev.hawser.deploy.standalone;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataDirectoryTest {

  @TempDir private Path parent = Path.of("");

  @Test
  void isUsedByOneAtATime() throws Exception {
    Path path = parent.resolve("data");
    var directory = DataDirectory.at(path);
    assertThatThrownBy(() -> DataDirectory.at(path))
        .hasMessage(path + " is in use by another hawser dev");
    directory.close();
    DataDirectory.at(path).close();
    assertThat(path).isDirectory();
  }

  @Test
  void aTemporaryOneIsRemovedWithWhatKilledRunsLeftButNotWithWhatIsInUse() throws Exception {
    Path killed = Files.createDirectory(parent.resolve("hawser-dev-killed"));
    Files.createFile(killed.resolve("lock"));
    Files.writeString(Files.createDirectory(killed.resolve("kafka")).resolve("segment"), "data");
    Path foreign = Files.createDirectory(parent.resolve("hawser-dev-without-lock"));
    var other = DataDirectory.temporary(parent);
    assertThat(killed).doesNotExist();
    var directory = DataDirectory.temporary(parent);
    Files.createDirectories(directory.kafka());
    Files.createDirectories(other.postgreSql());
    directory.close();
    assertThat(other.postgreSql()).isDirectory();
    other.close();
    assertThat(parent).isDirectoryContaining(path -> path.equals(foreign));
    assertThat(parent.toFile().list()).hasSize(1);
  }

  @Test
  void aProcessThatOnlyHasTheNumberOfTheKilledPostgreSqlIsLeftAlone() throws Exception {
    Path path = parent.resolve("data");
    Path data = Files.createDirectories(path.resolve("postgresql").resolve("data"));
    Process bystander = new ProcessBuilder("sleep", "60").start();
    try {
      Files.writeString(data.resolve("postmaster.pid"), bystander.pid() + "\n" + data + "\n");
      DataDirectory.at(path).close();
      assertThat(bystander.isAlive()).isTrue();
      Files.writeString(data.resolve("postmaster.pid"), "");
      DataDirectory.at(path).close();
    } finally {
      bystander.destroy();
    }
  }
}
