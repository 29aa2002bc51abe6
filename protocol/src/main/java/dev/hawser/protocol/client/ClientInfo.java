package dev.hawser.protocol.client;

/**
 * Who is behind a publication, a join or a presence entry (section 3, "ClientInfo").
 *
 * @param user user id, {@code ""} for an anonymous connection
 * @param client connection id
 * @param connInfo application data of the connection, from its token
 * @param chanInfo application data of the connection in this channel, from its subscription token
 */
public record ClientInfo(String user, String client, Payload connInfo, Payload chanInfo) {

  /** A client without application data. */
  public ClientInfo(String user, String client) {
    this(user, client, Payload.EMPTY, Payload.EMPTY);
  }
}
