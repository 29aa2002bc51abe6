package dev.hawser.protocol.client;

import java.util.Collections;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One message from a client (sections 2 and 3). Fields of features that Hawser declines are not
 * kept (section 11), except the few by which it knows to decline. Tokens and headers do not show in
 * {@code toString}.
 */
public sealed interface ClientCommand {

  /** Chosen by the client, unsigned, 1 or more; 0 where no reply is wanted: pong and send. */
  int id();

  /**
   * Must be the first command, and comes only once.
   *
   * @param token connection token (JWT); {@code ""} for an anonymous client
   * @param data application data
   * @param subs server-side subscriptions to recover, by channel, with the position the client has
   *     seen; those it knows but does not want recovered are left out
   * @param name of the application
   * @param version of the application
   * @param headers emulated HTTP headers, for browsers that cannot set real ones
   */
  record Connect(
      int id,
      String token,
      Payload data,
      Map<String, StreamPosition> subs,
      String name,
      String version,
      Map<String, String> headers)
      implements ClientCommand {

    public Connect {
      subs = Collections.unmodifiableMap(subs);
      headers = Collections.unmodifiableMap(headers);
    }

    /** The first connect of a client that brings nothing but its token. */
    public Connect(int id, String token) {
      this(id, token, Payload.EMPTY, Map.of(), "", "", Map.of());
    }

    @Override
    public String toString() {
      return "Connect[id=%d, subs=%s, name=%s, version=%s]".formatted(id, subs, name, version);
    }
  }

  /**
   * Subscribes to a channel.
   *
   * @param channel never empty when decoded
   * @param token subscription token (JWT), {@code ""} if none
   * @param recover the position after which the client wants the gap filled; null for a fresh start
   * @param data application data
   * @param positioned the client asks the server to watch its position
   * @param recoverable the client asks to be told positions for recovery
   * @param joinLeave the client asks for join and leave pushes
   * @param delta {@code "fossil"} if the client takes deltas
   * @param tagsFilter the client sent a tags filter, which is not kept: error 107
   * @param flag bits, see {@link #FLAG_COMPACTION} and {@link #FLAG_REJECT_UNRECOVERED}
   * @param type 0 for a stream; others are map and shared-poll subscriptions: error 108
   */
  record Subscribe(
      int id,
      String channel,
      String token,
      @Nullable StreamPosition recover,
      Payload data,
      boolean positioned,
      boolean recoverable,
      boolean joinLeave,
      String delta,
      boolean tagsFilter,
      long flag,
      int type)
      implements ClientCommand {

    /** The client can take a number in place of the channel's name. */
    public static final long FLAG_COMPACTION = 1;

    /** If recovery fails, answer error 112 and do not subscribe. */
    public static final long FLAG_REJECT_UNRECOVERED = 2;

    /** A plain subscription from now on. */
    public Subscribe(int id, String channel) {
      this(id, channel, "", null, Payload.EMPTY, false, false, false, "", false, 0, 0);
    }

    /** Whether a failed recovery is to be answered with error 112. */
    public boolean rejectUnrecovered() {
      return (flag & FLAG_REJECT_UNRECOVERED) != 0;
    }

    @Override
    public String toString() {
      return "Subscribe[id=%d, channel=%s, recover=%s]".formatted(id, channel, recover);
    }
  }

  /** Ends a subscription; succeeds even when there is none. */
  record Unsubscribe(int id, String channel) implements ClientCommand {}

  /**
   * Publishes into a channel.
   *
   * @param type 0 for a stream; 1 is a map publish: error 108
   */
  record Publish(int id, String channel, Payload data, int type) implements ClientCommand {}

  /** Asks who is subscribed. */
  record Presence(int id, String channel) implements ClientCommand {}

  /** Asks how many are subscribed. */
  record PresenceStats(int id, String channel) implements ClientCommand {}

  /**
   * Asks for the channel's last publications.
   *
   * @param limit how many; 0 for the position only, -1 for all
   * @param since where to start, exclusive; null for the end that {@code reverse} tells
   * @param reverse newest first
   */
  record History(int id, String channel, int limit, @Nullable StreamPosition since, boolean reverse)
      implements ClientCommand {}

  /** Calls a procedure of the application's back end. */
  record Rpc(int id, String method, Payload data) implements ClientCommand {}

  /** A message to the application's back end; never answered, whatever its id. */
  record Send(int id, Payload data) implements ClientCommand {}

  /** Brings a new connection token. */
  record Refresh(int id, String token) implements ClientCommand {

    @Override
    public String toString() {
      return "Refresh[id=%d]".formatted(id);
    }
  }

  /** Brings a new subscription token. */
  record SubRefresh(int id, String channel, String token) implements ClientCommand {

    @Override
    public String toString() {
      return "SubRefresh[id=%d, channel=%s]".formatted(id, channel);
    }
  }

  /** The answer to a ping: an empty command. */
  record Pong() implements ClientCommand {

    @Override
    public int id() {
      return 0;
    }
  }
}
