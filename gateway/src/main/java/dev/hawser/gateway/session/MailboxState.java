package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import java.util.ArrayList;
import java.util.List;

/**
 * What is kept for a user who is away. Immutable.
 *
 * @param epoch of the offsets
 * @param mails in the order of the stream
 * @param since every event behind this offset, and up to {@code upTo}, is among them
 */
record MailboxState(
    String epoch, List<Mail> mails, long since, long upTo, Acknowledgements acknowledged) {

  /** An event and when it was put here, in milliseconds since 1970. */
  record Mail(StreamEvent event, long at) {}

  static final MailboxState EMPTY = new MailboxState("", List.of(), 0, 0, Acknowledgements.NONE);

  MailboxState {
    mails = List.copyOf(mails);
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
    return new MailboxState(
            kept.epoch(), all, complete, kept.upTo(), known.and(kept.acknowledged()))
        .within(limits, kept.at());
  }

  private MailboxState within(StreamLog.Limits limits, long now) {
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
      return new MailboxState(epoch, List.of(), 0, 0, Acknowledgements.NONE.and(device, offset));
    }
    Acknowledgements known = acknowledged.and(device, offset);
    int first = 0;
    while (first < mails.size() && mails.get(first).event().offset() <= known.ofAll()) {
      first++;
    }
    return new MailboxState(epoch, mails, since, upTo, known).without(first);
  }

  private MailboxState without(int oldest) {
    return oldest == 0
        ? this
        : new MailboxState(
            epoch,
            mails.subList(oldest, mails.size()),
            Math.max(since, mails.get(oldest - 1).event().offset()),
            upTo,
            acknowledged);
  }
}
