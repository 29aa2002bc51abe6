package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;
import org.apache.pekko.cluster.UniqueAddress;

/**
 * The way from a session to one of its connections, wherever its socket is. Calls come from the
 * session's thread, do not block, and arrive in their order. After the connection has closed they
 * do nothing.
 */
public sealed interface Outbox permits Attachment, RemoteOutbox {

  /** The connection's id, unique in the cluster. */
  long id();

  /** Which of the user's devices it is; empty if it does not say. */
  String device();

  /**
   * The session owns the connection now: the connect reply may go out, pushes follow.
   *
   * @param owner the session's node
   * @param position what the connection has, or is taken to have, of the stream
   * @param recovered whether everything behind the position it asked for follows, for sure
   */
  void attached(UniqueAddress owner, StreamPosition position, boolean recovered);

  /**
   * Sends an event to the client, unless it has it already.
   *
   * @param previous offset of the event before this one, as far as the connection is concerned
   */
  void push(StreamEvent event, EncodedPush encoded, long previous);

  /**
   * There is nothing for the connection behind one offset and up to another one. It has to have
   * what is before.
   */
  void nothing(long behind, long upTo);

  /** The connection expires at another time now: Unix seconds, 0 for never. */
  void refresh(long expiresAt);

  /** Ends the connection. */
  void disconnect(DisconnectCode code);

  /** The session ends here: the connection has to attach again, wherever the session is next. */
  void released();
}
