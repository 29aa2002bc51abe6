package dev.hawser.deploy.standalone.check;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The clock of a check, and what is said about it while it runs. Thread-safe. */
final class Progress {

  /** Something that happened. */
  record Note(long at, String text) {}

  private final long start = System.nanoTime();
  private final PrintStream out;
  private final List<Note> notes = new ArrayList<>();

  Progress(PrintStream out) {
    this.out = out;
  }

  /** Nanoseconds since the begin. */
  long now() {
    return System.nanoTime() - start;
  }

  /** Says it, and remembers it for the result. */
  void note(String text) {
    var note = new Note(now(), text);
    synchronized (notes) {
      notes.add(note);
    }
    out.println(time(note.at()) + "  " + text);
  }

  /** Only says it. */
  void say(String text) {
    out.println(time(now()) + "  " + text);
  }

  List<Note> notes() {
    synchronized (notes) {
      return List.copyOf(notes);
    }
  }

  /** Minutes, seconds and milliseconds. */
  static String time(long nanos) {
    long millis = nanos / 1_000_000;
    return String.format(
        Locale.ROOT, "%02d:%02d.%03d", millis / 60_000, millis / 1_000 % 60, millis % 1_000);
  }
}
