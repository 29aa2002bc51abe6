package dev.hawser.gateway.connection;

import dev.hawser.protocol.client.DisconnectCode;
import org.jspecify.annotations.Nullable;

/** Told what happens to the node's connections: presence and metrics listen. Must not block. */
public interface ConnectionListener {

  /** A client is connected; {@code user} is empty for an anonymous one. */
  void connected(String user);

  /** A client that was connected is gone. */
  void disconnected(String user);

  /**
   * A client that is connected, or was until now, looks at something else.
   *
   * @param before null if it had not said anything
   * @param after null if it is gone
   */
  default void viewing(String user, @Nullable Viewing before, @Nullable Viewing after) {}

  /**
   * A transport ended, whether its client was connected or not.
   *
   * @param code why; {@link DisconnectCode#CONNECTION_CLOSED} when the server did not end it
   */
  void closed(DisconnectCode code);

  /** One frame was handed to a client's transport. */
  void pushed();
}
