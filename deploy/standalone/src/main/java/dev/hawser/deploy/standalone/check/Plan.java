package dev.hawser.deploy.standalone.check;

import dev.hawser.deploy.standalone.check.Fault.Kind;
import dev.hawser.deploy.standalone.check.Person.Device;
import dev.hawser.deploy.standalone.check.Person.Habit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Who there is and what breaks when. The same seed, duration and tracks give the same plan; what
 * threads, sockets and processes make of it differs from run to run.
 */
record Plan(long seed, Duration duration, List<Person> people, List<Fault> faults) {

  /** So many of each kind of user. */
  private static final int EACH = 8;

  /** Every second user of a kind gets some events that are not kept. */
  private static final double DROPPED = 0.2;

  private static final int NODES = 3;

  /** Calm times between faults of a track, in seconds. */
  private static final int LEAST_CALM = 2;

  private static final int MOST_CALM = 15;

  Plan {
    people = List.copyOf(people);
    faults = List.copyOf(faults);
  }

  static Plan of(long seed, Duration duration, Set<Track> tracks) {
    List<Fault> faults = new ArrayList<>();
    for (Track track : Track.values()) {
      if (tracks.contains(track)) {
        faults.addAll(faults(track, random(seed, "faults " + track), duration));
      }
    }
    faults.sort(Comparator.comparing(Fault::at));
    return new Plan(seed, duration, everybody(), faults);
  }

  /** Chance for one purpose, so that one more of something changes nothing else. */
  static Random random(long seed, String purpose) {
    return new Random(seed * 31 + purpose.hashCode());
  }

  private static List<Fault> faults(Track track, Random random, Duration duration) {
    List<Fault> faults = new ArrayList<>();
    List<Kind> deck = new ArrayList<>();
    double at = 5 + random.nextDouble(LEAST_CALM, MOST_CALM);
    while (true) {
      if (deck.isEmpty()) {
        deck.addAll(Kind.of(track));
        Collections.shuffle(deck, random);
      }
      Kind kind = deck.removeLast();
      double lasts = kind.least + random.nextDouble() * (kind.most - kind.least);
      var fault = new Fault(seconds(at), kind, random.nextInt(NODES), seconds(lasts));
      at += lasts + kind.healing;
      if (at > duration.toSeconds()) {
        return faults;
      }
      faults.add(fault);
      at += random.nextDouble(LEAST_CALM, MOST_CALM);
    }
  }

  private static List<Person> everybody() {
    var stays = new Device("", Habit.STAYS);
    List<Person> people = new ArrayList<>();
    for (int i = 0; i < EACH; i++) {
      double dropped = i % 2 == 0 ? 0 : DROPPED;
      people.add(new Person("steady-" + i, List.of(stays), seconds(0.5), dropped));
      people.add(new Person("tabs-" + i, List.of(stays, stays), seconds(1), dropped));
      people.add(
          new Person(
              "devices-" + i,
              List.of(new Device("phone", Habit.STAYS), new Device("laptop", Habit.COMES_AND_GOES)),
              seconds(1),
              dropped));
      people.add(person("wanderer-" + i, Habit.COMES_AND_GOES, 0.7, dropped));
      people.add(person("reloader-" + i, Habit.RELOADS, 1, dropped));
      people.add(person("away-" + i, Habit.AWAY, 2, dropped));
      people.add(person("last-" + i, Habit.COMES_LAST, 5, dropped));
      people.add(new Person("quiet-" + i, List.of(stays), Duration.ZERO, 0));
    }
    return people;
  }

  private static Person person(String name, Habit habit, double interval, double dropped) {
    return new Person(name, List.of(new Device("", habit)), seconds(interval), dropped);
  }

  private static Duration seconds(double seconds) {
    return Duration.ofMillis(Math.round(seconds * 1_000));
  }
}
