package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;

/**
 * What carries one connection's bytes: a WebSocket on Netty, or one on pekko-http. All methods are
 * called on the connection's {@link ConnectionLoop} only. The transport in turn calls {@link
 * ClientConnection#received} and {@link ClientConnection#closed} there.
 */
public interface Transport {

  /** Sends one transport frame. Frames of one turn of the loop may leave in one system call. */
  void write(byte[] frame);

  /** Whether more than the allowed number of bytes waits for a client that reads too slowly. */
  boolean congested();

  /**
   * Ends the connection with a code and a reason; code 3000 cuts it without a word. A client that
   * does not take the close frame in time is cut, too.
   */
  void close(DisconnectCode code);
}
