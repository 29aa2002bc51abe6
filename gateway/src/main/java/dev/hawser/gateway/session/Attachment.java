package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;
import org.apache.pekko.cluster.UniqueAddress;
import org.jspecify.annotations.Nullable;

/**
 * A connection of this node and what it has of its user's stream. A session that moved feeds the
 * recent past again: what the connection has already is dropped here, and a hole is noticed.
 * Sessions old and new, and the edge, call from threads of their own: hence the lock.
 */
final class Attachment implements Outbox {

  final String user;
  private final Attachments all;
  private final long id;
  private final String device;
  private final Receiver receiver;

  /** Null until attached, and again once the session has ended. */
  private @Nullable UniqueAddress owner;

  private boolean answered;
  private boolean closed;

  /** Null if the connection comes for the first time. */
  private @Nullable String epoch;

  private long offset;

  /** What the client has for sure. */
  private long acknowledged;

  /**
   * When to ask for the session again, in {@link Attachments#now} milliseconds, while there is
   * none.
   */
  private long dueAt;

  Attachment(
      Attachments all,
      String user,
      long id,
      String device,
      @Nullable StreamPosition since,
      Receiver receiver) {
    this.all = all;
    this.user = user;
    this.id = id;
    this.device = device;
    this.receiver = receiver;
    if (since != null) {
      epoch = since.epoch();
      offset = since.offset();
      acknowledged = offset;
    }
  }

  @Override
  public long id() {
    return id;
  }

  @Override
  public String device() {
    return device;
  }

  synchronized long acknowledged() {
    return acknowledged;
  }

  /** False if that was known. */
  synchronized boolean acknowledge(long upTo) {
    boolean more = acknowledged < upTo && upTo <= offset;
    acknowledged = more ? upTo : acknowledged;
    return more;
  }

  /** What the connection has of the stream; null if it comes for the first time. */
  synchronized @Nullable StreamPosition since() {
    return epoch == null ? null : new StreamPosition(offset, epoch);
  }

  @Override
  public synchronized void attached(
      UniqueAddress node, StreamPosition position, boolean recovered) {
    if (closed) {
      return;
    }
    boolean asked = epoch != null;
    if (answered && !recovered && node.equals(owner)) {
      // The answer to an attach that was repeated before the first answer came.
      return;
    }
    if (answered && asked && !recovered) {
      // There is a hole that nobody can fill: the client has to know.
      receiver.disconnect(DisconnectCode.INSUFFICIENT_STATE);
      return;
    }
    own(node);
    offset = answered ? Math.max(offset, position.offset()) : position.offset();
    epoch = position.epoch();
    if (!recovered) {
      // What it had of another stream, or before a hole, says nothing about this one.
      acknowledged = Math.min(acknowledged, offset);
    }
    if (!answered) {
      answered = true;
      receiver.attached(position, recovered);
    }
  }

  @Override
  public synchronized void push(StreamEvent event, EncodedPush encoded, long previous) {
    if (event.offset() <= offset || lacks(previous)) {
      return;
    }
    offset = event.offset();
    if (event.excluded() == id) {
      receiver.passed(offset);
    } else {
      receiver.push(encoded);
    }
  }

  @Override
  public synchronized void nothing(long behind, long upTo) {
    if (!lacks(behind)) {
      offset = Math.max(offset, upTo);
    }
  }

  /** Whether something up to an offset is missing, or no session is there that could say so. */
  private boolean lacks(long upTo) {
    if (owner != null && upTo > offset) {
      // A message between nodes was lost; the session has what it said.
      released();
    }
    return owner == null;
  }

  @Override
  public synchronized void refresh(long expiresAt) {
    receiver.refresh(expiresAt);
  }

  @Override
  public synchronized void disconnect(DisconnectCode code) {
    receiver.disconnect(code);
  }

  @Override
  public synchronized void released() {
    if (!closed) {
      own(null);
      dueAt = 0;
      all.ask(this);
    }
  }

  /**
   * The session's node is gone.
   *
   * @param node of the session
   * @param reached all events up to this offset had reached their sessions there long ago, and so
   *     this connection, which would have noticed a hole meanwhile
   * @param due when to ask for the session again
   * @return whether the session was there
   */
  synchronized boolean orphaned(UniqueAddress node, long reached, long due) {
    if (closed || !node.equals(owner)) {
      return false;
    }
    own(null);
    offset = Math.max(offset, reached);
    dueAt = due;
    return true;
  }

  synchronized @Nullable UniqueAddress owner() {
    return owner;
  }

  /** Whether it is time to ask for the session; then it is again at {@code next}. */
  synchronized boolean due(long now, long next) {
    if (owner != null || closed || dueAt > now) {
      return false;
    }
    dueAt = next;
    return true;
  }

  synchronized boolean isClosed() {
    return closed;
  }

  synchronized void close() {
    if (!closed) {
      closed = true;
      all.ended(this, owner);
      owner = null;
    }
  }

  /** The way to it for a session on another node. */
  RemoteOutbox remote() {
    return all.remote(id, device);
  }

  private void own(@Nullable UniqueAddress node) {
    all.owned(this, owner, node);
    owner = node;
  }
}
