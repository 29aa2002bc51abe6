package dev.hawser.deploy.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/** What {@link java.nio.file.Files} has no method for. */
public final class Directories {

  private Directories() {}

  /**
   * Deletes a directory with all that is in it.
   *
   * @throws UncheckedIOException if something in it cannot be deleted
   */
  public static void delete(Path directory) {
    try (var paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot delete " + directory, failure);
    }
  }
}
