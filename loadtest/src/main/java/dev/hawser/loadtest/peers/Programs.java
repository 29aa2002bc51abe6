package dev.hawser.loadtest.peers;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Programs of this machine that peers need. */
final class Programs {

  private static final int INSTALL_MINUTES = 3;

  private Programs() {}

  /** Whether it can be run. */
  static boolean isThere(String program) {
    try {
      output(program, "--version");
      return true;
    } catch (IOException missing) {
      return false;
    }
  }

  /** All that it says, without the last line's end. */
  static String output(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    return new String(process.getInputStream().readAllBytes(), UTF_8).strip();
  }

  /** Where what was downloaded stays, as the XDG base directories have it. */
  static Path cache() {
    @Nullable String cache = System.getenv("XDG_CACHE_HOME");
    Path directory =
        cache == null || cache.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(cache);
    return directory.resolve("hawser").resolve("peers");
  }

  /**
   * Installs what the package.json of a directory asks for.
   *
   * @throws NotInstalledException if npm cannot
   */
  static void install(Path directory, Path log)
      throws IOException, InterruptedException, NotInstalledException {
    if (!isThere("npm")) {
      throw new NotInstalledException("no npm on the path");
    }
    Process npm =
        new ProcessBuilder("npm", "install", "--no-audit", "--no-fund")
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    if (!npm.waitFor(INSTALL_MINUTES, TimeUnit.MINUTES) || npm.exitValue() != 0) {
      npm.destroyForcibly();
      throw new NotInstalledException("npm could not install it; see " + log);
    }
  }
}
