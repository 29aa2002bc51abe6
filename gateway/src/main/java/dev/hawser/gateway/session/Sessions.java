package dev.hawser.gateway.session;

import dev.hawser.protocol.client.StreamPosition;
import org.jspecify.annotations.Nullable;

/** How connections come to their sessions. Does not block. */
public interface Sessions {

  /**
   * Hands the connection to its user's session, and again whenever the session moves, until {@link
   * #detach}.
   *
   * @param connection id, unique in the cluster
   * @param device which of the user's devices it is; empty if it does not say
   * @param since what the client has of the user's stream; null if it comes for the first time
   */
  void attach(
      String user,
      long connection,
      String device,
      @Nullable StreamPosition since,
      Receiver receiver);

  /** The client has everything up to this offset. */
  void acknowledge(long connection, long offset);

  /** The connection is gone. */
  void detach(long connection);
}
