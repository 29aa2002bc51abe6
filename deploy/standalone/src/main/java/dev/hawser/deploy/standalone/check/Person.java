package dev.hawser.deploy.standalone.check;

import java.time.Duration;
import java.util.List;

/**
 * A user.
 *
 * @param interval between two events for this user, on average; zero for no event before the end
 * @param dropped part of the events, 0 to 1, that are not kept while the user is away
 */
record Person(String name, List<Device> devices, Duration interval, double dropped) {

  Person {
    devices = List.copyOf(devices);
  }

  /**
   * A client, or one after the other.
   *
   * @param name what it tells the server that it is; empty for nothing
   */
  record Device(String name, Habit habit) {}

  /** When a device is connected. Times are in seconds. */
  enum Habit {
    /** All the time. */
    STAYS(false, 0, 0, 0, 0),
    /** The same client, which keeps its position while it is away. */
    COMES_AND_GOES(false, 2, 20, 1, 25),
    /** A new client each time, without a position, as a page that is loaded again. */
    RELOADS(true, 2, 20, 1, 10),
    /** Hardly ever there, and then as a new client. */
    AWAY(true, 2, 6, 20, 60),
    /** Comes for the first time when all is over. */
    COMES_LAST(true, 0, 0, 0, 0);

    /** Whether each visit is a client of its own. */
    final boolean renewed;

    final int leastOnline;
    final int mostOnline;
    final int leastOffline;
    final int mostOffline;

    Habit(boolean renewed, int leastOnline, int mostOnline, int leastOffline, int mostOffline) {
      this.renewed = renewed;
      this.leastOnline = leastOnline;
      this.mostOnline = mostOnline;
      this.leastOffline = leastOffline;
      this.mostOffline = mostOffline;
    }
  }
}
