package dev.hawser.deploy.standalone.check;

import java.util.ArrayList;
import java.util.List;

/**
 * What one client was told and got, in that order: one object of the SDK, through all its
 * connections. Times are nanoseconds since the begin of the check. Thread-safe.
 */
final class History {

  /**
   * An event as Kafka has it.
   *
   * @param offset in the user's stream; the first, if its producer wrote it twice
   * @param number of the event, in the whole check
   * @param kept whether it is kept while the user is away
   * @param sentAt when its producer was about to write it
   */
  record Event(long offset, long number, boolean kept, long sentAt) {}

  sealed interface Entry {
    long at();
  }

  /**
   * The server let it in.
   *
   * @param recovering whether it came with a position
   * @param recovered whether it was told that it has missed nothing
   */
  record Told(long at, boolean recovering, boolean recovered) implements Entry {}

  /**
   * A publication.
   *
   * @param user whom its payload is for
   */
  record Got(long at, String user, long offset, long number) implements Entry {}

  /** The connection ended, not by the client's wish, with a code of the server or the SDK. */
  record Cut(long at, int code) implements Entry {}

  /** The server has sent it away for good. */
  record SentAway(long at, int code) implements Entry {}

  final String user;
  final String device;
  final String name;
  private final List<Entry> entries = new ArrayList<>();
  private boolean left;

  /**
   * Of a client.
   *
   * @param number tells the user's clients apart
   */
  History(String user, String device, int number) {
    this.user = user;
    this.device = device;
    this.name = user + (device.isEmpty() ? "" : "/" + device) + "#" + number;
  }

  synchronized void add(Entry entry) {
    entries.add(entry);
  }

  /** The client is closed: what comes now is no business of its own. */
  synchronized void leave() {
    left = true;
  }

  /** Whether it was closed before the end of the check. */
  synchronized boolean hasLeft() {
    return left;
  }

  synchronized List<Entry> entries() {
    return List.copyOf(entries);
  }
}
