package dev.hawser.protocol.client;

/**
 * One message from the server to a client: the "Reply" envelope of section 2. Several may share a
 * transport frame.
 */
public sealed interface ServerFrame {

  /**
   * The answer to the command with this id.
   *
   * @param id the command's id, unsigned
   */
  record Reply(int id, Result result) implements ServerFrame {}

  /**
   * The refusal of the command with this id (section 7). Applications have codes of their own, 400
   * to 1999, so any code can arrive at a client.
   *
   * @param id the command's id, unsigned
   * @param code one of {@link ErrorCode} or of the application
   * @param message for people
   * @param temporary whether the client may try again
   */
  record ErrorReply(int id, int code, String message, boolean temporary) implements ServerFrame {

    public ErrorReply(int id, ErrorCode error) {
      this(id, error.code(), error.message(), error.temporary());
    }
  }

  /**
   * Something the client did not ask for just now.
   *
   * @param channel {@code ""} where the body belongs to the connection, not to a channel
   */
  record Push(String channel, PushBody body) implements ServerFrame {}

  /** The server's ping: an empty reply (section 4). */
  record Ping() implements ServerFrame {}
}
