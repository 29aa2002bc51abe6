package dev.hawser.deploy.standalone;

import java.io.IOException;
import java.io.UncheckedIOException;

/** Those that {@link ProcessHandle} cannot send. */
final class Signals {

  private Signals() {}

  /** Sends one, such as INT; nothing happens if the process has gone. */
  static void send(String signal, long pid) {
    try {
      // The shell's own kill: containers may have no other.
      new ProcessBuilder("sh", "-c", "kill -%s %d".formatted(signal, pid))
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start();
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot run sh", failure);
    }
  }
}
