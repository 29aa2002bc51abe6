package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What is kept for a user who is away. Immutable.
 *
 * @param epoch of the offsets
 * @param mails in the order of the stream
 * @param since every event behind this offset, and up to {@code upTo}, is among them
 * @param behind devices that have not acknowledged all of them, and since when they do not go on,
 *     in milliseconds since 1970
 */
record MailboxState(
    String epoch,
    List<Mail> mails,
    long since,
    long upTo,
    Acknowledgements acknowledged,
    Map<String, Long> behind) {

  /** An event and when it was put here, in milliseconds since 1970. */
  record Mail(StreamEvent event, long at) {}

  static final MailboxState EMPTY =
      new MailboxState("", List.of(), 0, 0, Acknowledgements.NONE, Map.of());

  MailboxState {
    mails = List.copyOf(mails);
    behind = Map.copyOf(behind);
  }

  boolean isEmpty() {
    return mails.isEmpty();
  }

  List<StreamEvent> events() {
    return mails.stream().map(Mail::event).toList();
  }

  MailboxState kept(Mailbox.Kept kept, StreamLog.Limits limits) {
    boolean goesOn = epoch.equals(kept.epoch());
    List<Mail> all = new ArrayList<>(goesOn ? mails : List.of());
    for (StreamEvent event : kept.events()) {
      if (!goesOn || event.offset() > upTo) {
        all.add(new Mail(event, kept.at()));
      }
    }
    long complete = goesOn && upTo >= kept.since() ? since : kept.since();
    Acknowledgements known = goesOn ? acknowledged : Acknowledgements.NONE;
    var next =
        new MailboxState(
            kept.epoch(),
            all,
            complete,
            kept.upTo(),
            known.and(kept.acknowledged()),
            goesOn ? behind : Map.of());
    return next.within(limits, kept.at()).withoutAbsent(known, limits.age(), kept.at());
  }

  /**
   * A device that has left for too long what it could have had is not waited for any more.
   *
   * @param before what devices had before
   */
  private MailboxState withoutAbsent(Acknowledgements before, Duration age, long now) {
    long last = isEmpty() ? 0 : mails.getLast().event().offset();
    Acknowledgements known = acknowledged;
    Map<String, Long> waiting = new HashMap<>();
    for (var each : acknowledged.byDevice().entrySet()) {
      String device = each.getKey();
      if (each.getValue() < last) {
        boolean goesOn = each.getValue() > before.of(device);
        long waits = goesOn ? now : behind.getOrDefault(device, now);
        if (waits < now - age.toMillis()) {
          known = known.without(device, each.getValue());
        } else {
          waiting.put(device, waits);
        }
      }
    }
    return new MailboxState(epoch, mails, since, upTo, known, waiting).withoutAcknowledged();
  }

  /** What is left of it at a time. */
  MailboxState within(StreamLog.Limits limits, long now) {
    long bytes = 0;
    int first = mails.size();
    while (first > 0) {
      Mail mail = mails.get(first - 1);
      bytes += mail.event().size();
      if (mails.size() - first == limits.count()
          || bytes > limits.bytes()
          || mail.at() < now - limits.age().toMillis()) {
        break;
      }
      first--;
    }
    return without(first);
  }

  /** What was kept of another epoch means nothing any more. */
  MailboxState acknowledged(String epoch, String device, long offset) {
    if (!epoch.equals(this.epoch)) {
      return new MailboxState(
          epoch, List.of(), 0, 0, Acknowledgements.NONE.and(device, offset), Map.of());
    }
    Map<String, Long> waiting = new HashMap<>(behind);
    waiting.remove(device);
    return new MailboxState(epoch, mails, since, upTo, acknowledged.and(device, offset), waiting)
        .withoutAcknowledged();
  }

  private MailboxState withoutAcknowledged() {
    long all = acknowledged.ofAll();
    int first = 0;
    while (first < mails.size() && mails.get(first).event().offset() <= all) {
      first++;
    }
    return without(first);
  }

  private MailboxState without(int oldest) {
    return oldest == 0
        ? this
        : new MailboxState(
            epoch,
            mails.subList(oldest, mails.size()),
            Math.max(since, mails.get(oldest - 1).event().offset()),
            upTo,
            acknowledged,
            behind);
  }
}
