package dev.hawser.deploy.standalone.check;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;

import dev.hawser.deploy.standalone.check.Findings.Fault;
import dev.hawser.deploy.standalone.check.Findings.Figure;
import dev.hawser.deploy.standalone.check.History.Cut;
import dev.hawser.deploy.standalone.check.History.Entry;
import dev.hawser.deploy.standalone.check.History.Event;
import dev.hawser.deploy.standalone.check.History.Got;
import dev.hawser.deploy.standalone.check.History.SentAway;
import dev.hawser.deploy.standalone.check.History.Told;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Compares what clients got with what Kafka has. Pure; knows nothing of how Hawser works but what
 * it promises (docs/delivery.md):
 *
 * <ul>
 *   <li>From where it was let in a client gets everything, once and in order, until it is told
 *       {@code recovered: false}; then everything from there.
 *   <li>It is told so only if it may have missed something, or while nobody can know.
 *   <li>What is kept reaches some client of the device, within the limits.
 * </ul>
 */
final class Judge {

  /** PostgreSQL or Kafka was away. */
  record Outage(long from, long to) {

    /** So long after it the server may not know yet, or may find mail that it could not ask for. */
    private static final long AFTERMATH = Duration.ofSeconds(30).toNanos();

    boolean touches(long time) {
      return from < time && time < to + AFTERMATH;
    }
  }

  private final Map<String, List<Event>> events;
  private final List<Outage> outages;
  private final long window;
  private final int limit;
  private final Findings findings = new Findings();

  /**
   * Of a check.
   *
   * @param events each user's, in the order of the stream
   * @param window how long everything is kept
   * @param limit how many events of a user are kept at least
   */
  static Findings judge(
      Map<String, List<Event>> events,
      List<History> histories,
      List<Outage> outages,
      Duration window,
      int limit) {
    var judge = new Judge(events, outages, window, limit);
    Map<String, List<History>> byUser =
        histories.stream().collect(groupingBy(history -> history.user, TreeMap::new, toList()));
    byUser.forEach(judge::user);
    return judge.findings;
  }

  private Judge(Map<String, List<Event>> events, List<Outage> outages, Duration window, int limit) {
    this.events = events;
    this.outages = outages;
    this.window = window.toNanos();
    this.limit = limit;
  }

  private void user(String user, List<History> histories) {
    List<Event> sent = events.getOrDefault(user, List.of());
    Map<String, List<History>> devices =
        histories.stream()
            .collect(groupingBy(history -> history.device, LinkedHashMap::new, toList()));
    for (List<History> device : devices.values()) {
      Set<Long> accountedFor = new HashSet<>();
      Set<Long> gotBefore = new HashSet<>();
      for (History history : device) {
        gotBefore.addAll(client(history, sent, gotBefore, accountedFor));
      }
      device(device, devices.size() == 1, sent, accountedFor);
    }
  }

  /** From being let in until {@code recovered: false}. */
  private static final class Stretch {
    final long from;
    final List<Entry> entries = new ArrayList<>();
    final Set<Long> seen = new HashSet<>();

    Stretch(long from) {
      this.from = from;
    }

    List<Got> got() {
      return entries.stream().filter(Got.class::isInstance).map(Got.class::cast).toList();
    }
  }

  /**
   * Of one client.
   *
   * @param gotBefore what clients of the same device had before
   * @param accountedFor gets what was said about
   * @return offsets of what it got
   */
  private Set<Long> client(
      History history, List<Event> sent, Set<Long> gotBefore, Set<Long> accountedFor) {
    findings.count(Figure.CLIENTS);
    Set<Long> seen = new HashSet<>();
    Map<Long, Event> byNumber = new HashMap<>();
    sent.forEach(event -> byNumber.put(event.number(), event));
    List<Stretch> stretches = new ArrayList<>();
    Stretch stretch = null;
    long last = 0;
    for (Entry entry : history.entries()) {
      switch (entry) {
        case Told told -> {
          findings.count(Figure.CONNECTED);
          boolean toldOfLoss = told.recovering() && !told.recovered();
          if (told.recovered()) {
            findings.count(Figure.RECOVERED);
          } else if (toldOfLoss && stretch != null) {
            List<Event> missed = missed(stretch, told, sent);
            missed.forEach(event -> accountedFor.add(event.offset()));
            toldNotRecovered(history, told, missed);
          }
          if (stretch == null || toldOfLoss) {
            stretch = new Stretch(told.at());
            stretches.add(stretch);
            last = 0;
          } else {
            stretch.entries.add(told);
          }
        }
        case Got got -> {
          findings.count(Figure.RECEIVED);
          Event event = byNumber.get(got.number());
          if (!got.user().equals(history.user) || event == null || got.offset() < event.offset()) {
            findings.add(Fault.WRONG, "%s got %s".formatted(history.name, got));
          } else if (stretch == null || !stretch.seen.add(event.offset())) {
            findings.add(
                Fault.DOUBLED,
                "%s%s got %d again".formatted(at(got.at()), history.name, got.number()));
          } else {
            if (event.offset() < last) {
              findings.add(
                  Fault.OUT_OF_ORDER,
                  "%s%s got %d after a later one"
                      .formatted(at(got.at()), history.name, got.number()));
            }
            if (!seen.add(event.offset())) {
              findings.count(Figure.REPEATED);
            }
            last = Math.max(last, event.offset());
            // Of one that was written twice, either may come.
            stretch.entries.add(new Got(got.at(), got.user(), event.offset(), got.number()));
          }
        }
        case Cut cut -> findings.cut(cut.code());
        case SentAway away ->
            findings.add(Fault.SENT_AWAY, at(away.at()) + history.name + " with " + away.code());
      }
    }
    for (Stretch each : stretches) {
      boolean toTheEnd = each == stretch && !history.hasLeft();
      holes(history, each, toTheEnd, sent, seen, gotBefore, accountedFor);
    }
    return seen;
  }

  private void holes(
      History history,
      Stretch stretch,
      boolean toTheEnd,
      List<Event> sent,
      Set<Long> seen,
      Set<Long> gotBefore,
      Set<Long> accountedFor) {
    List<Got> got = stretch.got();
    long first = got.stream().mapToLong(Got::offset).min().orElse(Long.MAX_VALUE);
    long last = toTheEnd ? Long.MAX_VALUE : got.stream().mapToLong(Got::offset).max().orElse(0);
    for (Event event : sent) {
      // What one before it has acknowledged does not come again, what that one has not does.
      boolean wasKept = event.kept() && !gotBefore.contains(event.offset());
      boolean due = event.sentAt() > stretch.from || (wasKept && event.offset() > first);
      if (due && event.offset() <= last && !seen.contains(event.offset())) {
        accountedFor.add(event.offset());
        Told promise = promise(stretch, event);
        findings.add(
            promise == null ? Fault.LOST : Fault.FALSELY_RECOVERED,
            "%s has not %d, sent at %s%s"
                .formatted(
                    history.name,
                    event.number(),
                    at(event.sentAt()),
                    promise == null ? "" : "and was told at " + at(promise.at())));
      }
    }
  }

  /** What the client was told between the event before the hole and the one behind it. */
  private static @Nullable Told promise(Stretch stretch, Event hole) {
    Told promise = null;
    for (Entry entry : stretch.entries) {
      if (entry instanceof Told told) {
        promise = told;
      } else if (entry instanceof Got got) {
        if (got.offset() > hole.offset()) {
          return promise;
        }
        promise = null;
      }
    }
    return promise;
  }

  /** What a client may not have got when it was told {@code recovered: false}. */
  private static List<Event> missed(Stretch before, Told told, List<Event> sent) {
    long last = before.got().stream().mapToLong(Got::offset).max().orElse(0);
    return sent.stream()
        .filter(event -> event.sentAt() < told.at())
        .filter(event -> last == 0 ? event.sentAt() > before.from : event.offset() > last)
        .toList();
  }

  /** Is there a reason? */
  private void toldNotRecovered(History history, Told told, List<Event> missed) {
    long old = told.at() - window;
    if (missed.stream().anyMatch(event -> !event.kept() && event.sentAt() < old)) {
      findings.count(Figure.TOLD_FOR_DROPPED);
    } else if (missed.size() >= limit) {
      findings.count(Figure.TOLD_FOR_LIMITS);
    } else if (outages.stream().anyMatch(outage -> outage.touches(told.at()))) {
      findings.count(Figure.TOLD_FOR_OUTAGE);
    } else {
      findings.add(
          Fault.FALSELY_NOT_RECOVERED,
          "%s%s, with %d events since".formatted(at(told.at()), history.name, missed.size()));
    }
  }

  /** What is kept reaches some client of the device. */
  private void device(
      List<History> clients, boolean single, List<Event> sent, Set<Long> accountedFor) {
    Set<Long> got = new HashSet<>();
    Set<Long> gotByOthers = new HashSet<>();
    List<Long> comings = new ArrayList<>();
    for (History client : clients) {
      Set<Long> own = new HashSet<>();
      for (Entry entry : client.entries()) {
        if (entry instanceof Told told) {
          comings.add(told.at());
        } else if (entry instanceof Got one) {
          own.add(one.number());
          if (gotByOthers.contains(one.number())) {
            findings.count(Figure.REPEATED);
          }
        }
      }
      got.addAll(own);
      if (client.hasLeft()) {
        gotByOthers.addAll(own);
      }
    }
    Collections.sort(comings);
    if (comings.isEmpty()) {
      return;
    }
    // What another device has acknowledged before this one was known need not be kept for it.
    long introduced = single ? Long.MIN_VALUE : comings.getFirst();
    for (int i = 0; i < sent.size(); i++) {
      Event event = sent.get(i);
      OptionalLong coming =
          comings.stream().mapToLong(Long::longValue).filter(at -> at > event.sentAt()).findFirst();
      if (event.kept()
          && event.sentAt() > introduced
          && coming.isPresent()
          && !got.contains(event.number())
          && !accountedFor.contains(event.offset())) {
        neverCame(clients.getFirst(), event, coming.getAsLong(), sent.subList(i + 1, sent.size()));
      }
    }
  }

  private void neverCame(History client, Event event, long coming, List<Event> newer) {
    if (newer.stream().filter(other -> other.sentAt() < coming).count() >= limit) {
      findings.count(Figure.BEYOND_LIMITS);
    } else {
      findings.add(
          Fault.LOST,
          "no client like %s has %d, sent at %s; one came at %s"
              .formatted(client.name, event.number(), at(event.sentAt()), at(coming)));
    }
  }

  private static String at(long time) {
    return Progress.time(time) + " ";
  }
}
