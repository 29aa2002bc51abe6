package dev.hawser.gateway.session;

import dev.hawser.protocol.client.DisconnectCode;

/**
 * The way from a session to one of its connections. Calls come from the session's thread, do not
 * block, and reach the client in their order. After the connection has closed they do nothing.
 */
public interface Outbox {

  /** The session owns the connection now: the connect reply may go out, pushes follow. */
  void attached();

  /** Sends a push to the client. */
  void push(EncodedPush push);

  /** Ends the connection. */
  void disconnect(DisconnectCode code);
}
