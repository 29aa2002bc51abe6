package dev.hawser.deploy.standalone;

import dev.hawser.deploy.embedded.Directories;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Where one {@code hawser dev} keeps its data. Its lock says that nobody else uses it and goes with
 * the process, however that ends; so whatever PostgreSQL still runs on a directory whose lock could
 * be had belongs to a run that was killed.
 */
final class DataDirectory implements AutoCloseable {

  private static final String TEMPORARY_PREFIX = "hawser-dev-";
  private static final String LOCK = "lock";
  private static final Duration STRAY_TIMEOUT = Duration.ofSeconds(15);

  private final Path path;
  private final boolean temporary;

  /** Held here, or the collector would close it, and the lock with it. */
  private final FileChannel channel;

  /**
   * One that stays.
   *
   * @throws IllegalStateException if another hawser dev uses it
   */
  static DataDirectory at(Path path) throws IOException {
    Path absolute = path.toAbsolutePath();
    Files.createDirectories(absolute);
    FileChannel channel = lock(absolute);
    if (channel == null) {
      throw new IllegalStateException(path + " is in use by another hawser dev");
    }
    var directory = new DataDirectory(absolute, false, channel);
    directory.endStray();
    return directory;
  }

  /** One that is removed at the end; what killed runs left behind beside it is removed now. */
  static DataDirectory temporary(Path parent) throws IOException {
    Path path = Files.createTempDirectory(parent.toAbsolutePath(), TEMPORARY_PREFIX);
    FileChannel channel = lock(path);
    if (channel == null) {
      throw new IllegalStateException(path + " is in use by another hawser dev");
    }
    var directory = new DataDirectory(path, true, channel);
    directory.removeRemainders();
    return directory;
  }

  private DataDirectory(Path path, boolean temporary, FileChannel channel) {
    this.path = path;
    this.temporary = temporary;
    this.channel = channel;
  }

  Path postgreSql() {
    return path.resolve("postgresql");
  }

  Path kafka() {
    return path.resolve("kafka");
  }

  /** For configurations and logs of nodes. */
  Path nodes() {
    return path;
  }

  /** Lets go of it; a temporary one is removed. */
  @Override
  public void close() {
    try {
      if (temporary) {
        Directories.delete(path);
      }
      channel.close();
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot let go of " + path, failure);
    }
  }

  private static @Nullable FileChannel lock(Path directory) throws IOException {
    FileChannel channel =
        FileChannel.open(
            directory.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException ours) {
      lock = null;
    }
    if (lock == null) {
      channel.close();
      return null;
    }
    return channel;
  }

  private void removeRemainders() throws IOException {
    // Our own user's only, and no links: anybody can put things into the temporary directory.
    var owner = Files.getOwner(path);
    try (var siblings = Files.newDirectoryStream(path.getParent(), TEMPORARY_PREFIX + "*")) {
      for (Path sibling : siblings) {
        try {
          if (!sibling.equals(path)
              && Files.isDirectory(sibling, LinkOption.NOFOLLOW_LINKS)
              && Files.isRegularFile(sibling.resolve(LOCK), LinkOption.NOFOLLOW_LINKS)
              && Files.getOwner(sibling).equals(owner)) {
            removeRemainder(sibling);
          }
        } catch (NoSuchFileException gone) {
          // It was just being removed by its owner.
        }
      }
    }
  }

  private static void removeRemainder(Path sibling) throws IOException {
    FileChannel channel = lock(sibling);
    if (channel != null) {
      var remainder = new DataDirectory(sibling, true, channel);
      remainder.endStray();
      remainder.close();
    }
  }

  private void endStray() throws IOException {
    Optional<ProcessHandle> found = postmaster();
    if (found.isEmpty()) {
      return;
    }
    ProcessHandle stray = found.get();
    System.out.printf(
        "Ending the PostgreSQL (process %d) of a run that was killed.%n", stray.pid());
    // SIGINT: its clients are cut off. With SIGTERM it would wait for them, for example for a psql.
    Signals.send("INT", stray.pid());
    try {
      stray.onExit().orTimeout(STRAY_TIMEOUT.toSeconds(), TimeUnit.SECONDS).join();
    } catch (CompletionException late) {
      throw new IllegalStateException(
          "PostgreSQL (process %d) of a run that was killed does not end; end it, then try again"
              .formatted(stray.pid()),
          late);
    }
  }

  /** The server that runs on this directory; the number alone may be another process's by now. */
  private Optional<ProcessHandle> postmaster() throws IOException {
    Path data = postgreSql().resolve("data");
    Path file = data.resolve("postmaster.pid");
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      List<String> lines = Files.readAllLines(file);
      long number = Long.parseLong(lines.isEmpty() ? "" : lines.getFirst().strip());
      return ProcessHandle.of(number).filter(process -> servesFrom(process, data));
    } catch (NumberFormatException halfWritten) {
      return Optional.empty();
    }
  }

  private static boolean servesFrom(ProcessHandle process, Path data) {
    var arguments = List.of(process.info().arguments().orElse(new String[0]));
    int option = arguments.indexOf("-D");
    try {
      return option >= 0
          && option + 1 < arguments.size()
          && process.info().command().orElse("").endsWith("postgres")
          && Files.isSameFile(Path.of(arguments.get(option + 1)), data);
    } catch (IOException | IllegalArgumentException elsewhere) {
      return false;
    }
  }
}
