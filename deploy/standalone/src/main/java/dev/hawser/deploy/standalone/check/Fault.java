package dev.hawser.deploy.standalone.check;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Something that the nemesis does.
 *
 * @param at since the begin of the load; later if the one before on the same track takes longer
 * @param node which node, from 0; means nothing where no single node is meant
 * @param lasts until it is undone
 */
record Fault(Duration at, Kind kind, int node, Duration lasts) {

  enum Kind {
    KILL(Track.NODES, "kill -9 of a node", 0, 12, 20),
    PAUSE(Track.NODES, "SIGSTOP of a node", 1, 20, 12),
    STOP(Track.NODES, "SIGTERM of a node", 0, 6, 18),
    ROLLING_RESTART(Track.NODES, "rolling restart", 0, 0, 35),
    POSTGRESQL(Track.PARTS, "PostgreSQL away", 2, 20, 12),
    KAFKA(Track.PARTS, "Kafka away", 1, 15, 15),
    CUT_SOME(Track.NETWORK, "some connections cut", 0, 0, 4),
    CUT_ALL(Track.NETWORK, "network cut", 0, 8, 6),
    STALL(Track.NETWORK, "network stalls, then cuts half", 1, 12, 6);

    final Track track;
    final String text;

    /** Seconds that it lasts. */
    final int least;

    final int most;

    /** Seconds until all is as before; a guess, for the schedule only. */
    final int healing;

    Kind(Track track, String text, int least, int most, int healing) {
      this.track = track;
      this.text = text;
      this.least = least;
      this.most = most;
      this.healing = healing;
    }

    static List<Kind> of(Track track) {
      return Arrays.stream(values()).filter(kind -> kind.track == track).toList();
    }
  }

  /** For people. */
  String text() {
    String what = kind.text.replace("a node", "node " + (node + 1));
    return lasts.isZero()
        ? what
        : String.format(Locale.ROOT, "%s for %.1f s", what, lasts.toMillis() / 1_000.0);
  }
}
