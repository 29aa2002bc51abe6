package dev.hawser.protocol.client;

import java.util.Collections;
import java.util.List;
import java.util.Map;

/** What a successful reply carries, one record per kind of command (section 3). */
public sealed interface Result {

  /**
   * The connection is authenticated.
   *
   * @param client unique id of the connection
   * @param version of the server, for people
   * @param expires whether the client must send {@code refresh} within {@code ttl}
   * @param ttl seconds, unsigned
   * @param data application data
   * @param subs the server-side subscriptions by channel
   * @param ping seconds between the server's pings, unsigned; never 0 on a WebSocket, the Java SDK
   *     would reconnect for ever
   * @param pong whether the client must answer pings
   * @param session secret routing key on HTTP transports (section 8), {@code ""} on WebSocket
   * @param node which node holds the stream on HTTP transports, {@code ""} on WebSocket
   * @param time of the server, Unix milliseconds; 0 when not told
   */
  record ConnectResult(
      String client,
      String version,
      boolean expires,
      int ttl,
      Payload data,
      Map<String, SubscribeResult> subs,
      int ping,
      boolean pong,
      String session,
      String node,
      long time)
      implements Result {

    public ConnectResult {
      subs = Collections.unmodifiableMap(subs);
    }

    /** A connection that does not expire, on a WebSocket. */
    public static ConnectResult of(
        String client, String version, int ping, boolean pong, Map<String, SubscribeResult> subs) {
      return new ConnectResult(
          client, version, false, 0, Payload.EMPTY, subs, ping, pong, "", "", 0);
    }

    /** The same, to be refreshed by the client within {@code ttl} seconds. */
    public ConnectResult expiringIn(int ttl) {
      return new ConnectResult(
          client, version, true, ttl, data, subs, ping, pong, session, node, time);
    }

    /** The same with application data. */
    public ConnectResult withData(Payload data) {
      return new ConnectResult(
          client, version, expires, ttl, data, subs, ping, pong, session, node, time);
    }

    /** The same with the routing keys of an HTTP transport. */
    public ConnectResult routedBy(String session, String node) {
      return new ConnectResult(
          client, version, expires, ttl, data, subs, ping, pong, session, node, time);
    }

    /** Without the session: whoever knows it can act as this client. */
    @Override
    public String toString() {
      return "ConnectResult[client=" + client + ", ping=" + ping + ", subs=" + subs + "]";
    }
  }

  /**
   * The subscription is live. Also one entry of {@link ConnectResult#subs}.
   *
   * @param expires whether the client must send {@code sub_refresh} within {@code ttl}
   * @param ttl seconds, unsigned
   * @param recoverable the client will keep its position and ask for recovery next time
   * @param positioned the server watches this subscriber's position
   * @param position after a recovery that worked, the offset of the request; otherwise the top
   * @param recovered the gap was filled without loss
   * @param wasRecovering a recovery was asked for
   * @param publications the gap, rising offsets; only when {@code recovered}
   * @param data application data
   */
  record SubscribeResult(
      boolean expires,
      int ttl,
      boolean recoverable,
      boolean positioned,
      StreamPosition position,
      boolean recovered,
      boolean wasRecovering,
      List<Publication> publications,
      Payload data)
      implements Result {

    public SubscribeResult {
      publications = Collections.unmodifiableList(publications);
    }

    /** A subscription to a channel without a stream. */
    public static SubscribeResult unpositioned() {
      return recoverable(StreamPosition.START, false, false, List.of(), false);
    }

    /** A new subscription to a channel whose stream ends at {@code top}. */
    public static SubscribeResult positioned(StreamPosition top) {
      return recoverable(top, false, false, List.of(), true);
    }

    /**
     * A recovery that worked.
     *
     * @param position the stream's epoch with the offset <em>of the request</em> (section 5)
     * @param publications everything after it
     */
    public static SubscribeResult recovered(
        StreamPosition position, List<Publication> publications) {
      return recoverable(position, true, true, publications, true);
    }

    /** A recovery that failed: the client must load its state anew. */
    public static SubscribeResult unrecovered(StreamPosition top) {
      return recoverable(top, false, true, List.of(), true);
    }

    private static SubscribeResult recoverable(
        StreamPosition position,
        boolean recovered,
        boolean wasRecovering,
        List<Publication> publications,
        boolean positioned) {
      return new SubscribeResult(
          false,
          0,
          positioned,
          positioned,
          position,
          recovered,
          wasRecovering,
          publications,
          Payload.EMPTY);
    }

    /** The same, to be refreshed by the client within {@code ttl} seconds. */
    public SubscribeResult expiringIn(int ttl) {
      return new SubscribeResult(
          true,
          ttl,
          recoverable,
          positioned,
          position,
          recovered,
          wasRecovering,
          publications,
          data);
    }

    /** The same with application data. */
    public SubscribeResult withData(Payload data) {
      return new SubscribeResult(
          expires,
          ttl,
          recoverable,
          positioned,
          position,
          recovered,
          wasRecovering,
          publications,
          data);
    }
  }

  /** The client is not subscribed, whether or not it was before. */
  record UnsubscribeResult() implements Result {}

  /** The publication was accepted. */
  record PublishResult() implements Result {}

  /**
   * Who is subscribed.
   *
   * @param presence by client id
   */
  record PresenceResult(Map<String, ClientInfo> presence) implements Result {

    public PresenceResult {
      presence = Collections.unmodifiableMap(presence);
    }
  }

  /**
   * How many are subscribed.
   *
   * @param clients connections, unsigned
   * @param users distinct user ids, unsigned
   */
  record PresenceStatsResult(int clients, int users) implements Result {}

  /**
   * A page of the channel's stream.
   *
   * @param publications in the order that was asked for
   * @param position top of the stream
   */
  record HistoryResult(List<Publication> publications, StreamPosition position) implements Result {

    public HistoryResult {
      publications = Collections.unmodifiableList(publications);
    }
  }

  /** The answer of a remote procedure. */
  record RpcResult(Payload data) implements Result {}

  /**
   * The connection lives on.
   *
   * @param client unique id of the connection; always sent, an old JS SDK takes over what comes
   * @param version of the server
   * @param expires whether the client must refresh again within {@code ttl}
   * @param ttl seconds, unsigned
   */
  record RefreshResult(String client, String version, boolean expires, int ttl) implements Result {}

  /**
   * The subscription lives on.
   *
   * @param expires whether the client must refresh it again within {@code ttl}
   * @param ttl seconds, unsigned
   */
  record SubRefreshResult(boolean expires, int ttl) implements Result {}
}
