package dev.hawser.protocol.client;

/** What a push says (section 3, "Push"). */
public sealed interface PushBody
    permits Publication,
        PushBody.Join,
        PushBody.Leave,
        PushBody.Unsubscribe,
        PushBody.Message,
        PushBody.Subscribe,
        PushBody.Connect,
        PushBody.Disconnect,
        PushBody.Refresh {

  /** Someone subscribed to the channel. */
  record Join(ClientInfo info) implements PushBody {}

  /** Someone left the channel, or its connection ended. */
  record Leave(ClientInfo info) implements PushBody {}

  /** The server ended this client's subscription to the channel. */
  record Unsubscribe(UnsubscribeCode code) implements PushBody {}

  /** A message of the server to this client, outside channels: the push has no channel. */
  record Message(Payload data) implements PushBody {}

  /**
   * The server subscribed this client to the channel.
   *
   * @param recoverable the client will ask for recovery from its position when it comes back
   * @param positioned the server watches this subscriber's position
   * @param position top of the stream
   * @param data application data
   */
  record Subscribe(boolean recoverable, boolean positioned, StreamPosition position, Payload data)
      implements PushBody {}

  /** The connect result as a push, for unidirectional transports; the SDKs ignore it. */
  record Connect(Result.ConnectResult result) implements PushBody {}

  /** Last message on a transport without close frames: HTTP streaming and SSE (section 8). */
  record Disconnect(DisconnectCode code) implements PushBody {}

  /**
   * The connection's new expiry, for unidirectional transports; the SDKs ignore it.
   *
   * @param ttl seconds, unsigned
   */
  record Refresh(boolean expires, int ttl) implements PushBody {}
}
