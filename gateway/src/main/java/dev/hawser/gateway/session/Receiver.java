package dev.hawser.gateway.session;

import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;

/** A connection, as its session sees it. Calls come from any thread, in order, one at a time. */
public interface Receiver {

  /**
   * A session owns the connection: the connect reply may go out. Once.
   *
   * @param recovered whether everything behind the position that the client asked for follows
   */
  void attached(StreamPosition position, boolean recovered);

  /** An event for the client. */
  void push(EncodedPush push);

  /**
   * There was an event that is not for the client: it counts as arrived with what was before it.
   */
  void passed(long offset);

  /** The connection expires at another time now: Unix seconds, 0 for never. */
  void refresh(long expiresAt);

  /** The client has to go. */
  void disconnect(DisconnectCode code);
}
