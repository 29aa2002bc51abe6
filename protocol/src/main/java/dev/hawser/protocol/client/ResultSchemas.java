package dev.hawser.protocol.client;

import dev.hawser.protocol.client.Result.ConnectResult;
import dev.hawser.protocol.client.Result.HistoryResult;
import dev.hawser.protocol.client.Result.PresenceResult;
import dev.hawser.protocol.client.Result.PresenceStatsResult;
import dev.hawser.protocol.client.Result.PublishResult;
import dev.hawser.protocol.client.Result.RefreshResult;
import dev.hawser.protocol.client.Result.RpcResult;
import dev.hawser.protocol.client.Result.SubRefreshResult;
import dev.hawser.protocol.client.Result.SubscribeResult;
import dev.hawser.protocol.client.Result.UnsubscribeResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Results of commands, and what they share with pushes (section 3). */
final class ResultSchemas {

  static final Schema<ClientInfo> CLIENT_INFO =
      new Schema<>(
          "user=1! client=2! conn_info=3 chan_info=4",
          ResultSchemas::writeClientInfo,
          ResultSchemas::readClientInfo);

  static final Schema<Publication> PUBLICATION =
      new Schema<>(
          "data=4 info=5 offset=6 tags=7 time=9 epoch=14",
          ResultSchemas::writePublication,
          ResultSchemas::readPublication);

  private static final Schema<ConnectResult> CONNECT =
      new Schema<>(
          "client=1 version=2 expires=3 ttl=4 data=5 subs=6 ping=7 pong=8 session=9 node=10"
              + " time=11",
          ResultSchemas::writeConnect,
          ResultSchemas::readConnect);

  private static final Schema<SubscribeResult> SUBSCRIBE =
      new Schema<>(
          "expires=1 ttl=2 recoverable=3 epoch=6 publications=7 recovered=8 offset=9"
              + " positioned=10 data=11 was_recovering=12",
          ResultSchemas::writeSubscribe,
          ResultSchemas::readSubscribe);

  private static final Schema<UnsubscribeResult> UNSUBSCRIBE =
      new Schema<>(
          "",
          (result, out) -> {},
          in -> {
            in.next();
            return new UnsubscribeResult();
          });

  private static final Schema<PublishResult> PUBLISH =
      new Schema<>(
          "",
          (result, out) -> {},
          in -> {
            in.next();
            return new PublishResult();
          });

  private static final Schema<PresenceResult> PRESENCE =
      new Schema<>(
          "presence=1!",
          (result, out) -> out.map("presence", result.presence(), CLIENT_INFO),
          ResultSchemas::readPresence);

  private static final Schema<PresenceStatsResult> PRESENCE_STATS =
      new Schema<>(
          "num_clients=1! num_users=2!",
          (result, out) -> {
            out.uint32("num_clients", result.clients());
            out.uint32("num_users", result.users());
          },
          ResultSchemas::readPresenceStats);

  private static final Schema<HistoryResult> HISTORY =
      new Schema<>(
          "publications=1! epoch=2! offset=3!",
          ResultSchemas::writeHistory,
          ResultSchemas::readHistory);

  private static final Schema<RpcResult> RPC =
      new Schema<>(
          "data=1",
          (result, out) -> out.payload("data", result.data()),
          in -> new RpcResult(readOnlyPayload(in)));

  private static final Schema<RefreshResult> REFRESH =
      new Schema<>(
          "client=1 version=2 expires=3 ttl=4",
          ResultSchemas::writeRefresh,
          ResultSchemas::readRefresh);

  private static final Schema<SubRefreshResult> SUB_REFRESH =
      new Schema<>(
          "expires=1 ttl=2",
          (result, out) -> {
            out.bool("expires", result.expires());
            out.uint32("ttl", result.ttl());
          },
          ResultSchemas::readSubRefresh);

  private ResultSchemas() {}

  /** Writes the one field of the envelope that stands for this result. */
  static void writeResult(Result result, Schema.Writer out) throws IOException {
    switch (result) {
      case ConnectResult connect -> out.message("connect", connect, CONNECT);
      case SubscribeResult subscribe -> out.message("subscribe", subscribe, SUBSCRIBE);
      case UnsubscribeResult unsubscribe -> out.message("unsubscribe", unsubscribe, UNSUBSCRIBE);
      case PublishResult publish -> out.message("publish", publish, PUBLISH);
      case PresenceResult presence -> out.message("presence", presence, PRESENCE);
      case PresenceStatsResult stats -> out.message("presence_stats", stats, PRESENCE_STATS);
      case HistoryResult history -> out.message("history", history, HISTORY);
      case RpcResult rpc -> out.message("rpc", rpc, RPC);
      case RefreshResult refresh -> out.message("refresh", refresh, REFRESH);
      case SubRefreshResult refresh -> out.message("sub_refresh", refresh, SUB_REFRESH);
    }
  }

  /** Reads the result that the envelope's field of this name holds. */
  static Result readResult(String field, Schema.Reader in) throws IOException {
    return switch (field) {
      case "connect" -> in.message(CONNECT);
      case "subscribe" -> in.message(SUBSCRIBE);
      case "unsubscribe" -> in.message(UNSUBSCRIBE);
      case "publish" -> in.message(PUBLISH);
      case "presence" -> in.message(PRESENCE);
      case "presence_stats" -> in.message(PRESENCE_STATS);
      case "history" -> in.message(HISTORY);
      case "rpc" -> in.message(RPC);
      case "refresh" -> in.message(REFRESH);
      case "sub_refresh" -> in.message(SUB_REFRESH);
      default -> throw new AssertionError(field);
    };
  }

  static void writeConnect(ConnectResult result, Schema.Writer out) throws IOException {
    out.string("client", result.client());
    out.string("version", result.version());
    out.uint32("ping", result.ping());
    out.bool("pong", result.pong());
    out.string("session", result.session());
    out.string("node", result.node());
    out.bool("expires", result.expires());
    out.uint32("ttl", result.ttl());
    out.payload("data", result.data());
    out.map("subs", result.subs(), SUBSCRIBE);
    out.int64("time", result.time());
  }

  static ConnectResult readConnect(Schema.Reader in) throws IOException {
    String client = "";
    String version = "";
    boolean expires = false;
    int ttl = 0;
    Payload data = Payload.EMPTY;
    Map<String, SubscribeResult> subs = new LinkedHashMap<>();
    int ping = 0;
    boolean pong = false;
    String session = "";
    String node = "";
    long time = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "client" -> client = in.string();
        case "version" -> version = in.string();
        case "expires" -> expires = in.bool();
        case "ttl" -> ttl = in.uint32();
        case "data" -> data = in.payload();
        case "subs" -> in.map(subs, SUBSCRIBE);
        case "ping" -> ping = in.uint32();
        case "pong" -> pong = in.bool();
        case "session" -> session = in.string();
        case "node" -> node = in.string();
        case "time" -> time = in.int64();
        default -> throw new AssertionError(field);
      }
    }
    return new ConnectResult(
        client, version, expires, ttl, data, subs, ping, pong, session, node, time);
  }

  private static void writeSubscribe(SubscribeResult result, Schema.Writer out) throws IOException {
    out.bool("expires", result.expires());
    out.uint32("ttl", result.ttl());
    out.bool("recoverable", result.recoverable());
    out.bool("positioned", result.positioned());
    out.string("epoch", result.position().epoch());
    out.uint64("offset", result.position().offset());
    out.bool("was_recovering", result.wasRecovering());
    out.bool("recovered", result.recovered());
    out.list("publications", result.publications(), PUBLICATION);
    out.payload("data", result.data());
  }

  private static SubscribeResult readSubscribe(Schema.Reader in) throws IOException {
    boolean expires = false;
    int ttl = 0;
    boolean recoverable = false;
    boolean positioned = false;
    String epoch = "";
    long offset = 0;
    boolean recovered = false;
    boolean wasRecovering = false;
    List<Publication> publications = new ArrayList<>();
    Payload data = Payload.EMPTY;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "expires" -> expires = in.bool();
        case "ttl" -> ttl = in.uint32();
        case "recoverable" -> recoverable = in.bool();
        case "positioned" -> positioned = in.bool();
        case "epoch" -> epoch = in.string();
        case "offset" -> offset = in.uint64();
        case "recovered" -> recovered = in.bool();
        case "was_recovering" -> wasRecovering = in.bool();
        case "publications" -> in.list(publications, PUBLICATION);
        case "data" -> data = in.payload();
        default -> throw new AssertionError(field);
      }
    }
    return new SubscribeResult(
        expires,
        ttl,
        recoverable,
        positioned,
        new StreamPosition(offset, epoch),
        recovered,
        wasRecovering,
        publications,
        data);
  }

  private static void writePublication(Publication publication, Schema.Writer out)
      throws IOException {
    out.payload("data", publication.data());
    out.uint64("offset", publication.offset());
    out.message("info", publication.info(), CLIENT_INFO);
    out.strings("tags", publication.tags());
    out.int64("time", publication.time());
    out.string("epoch", publication.epoch());
  }

  private static Publication readPublication(Schema.Reader in) throws IOException {
    Payload data = Payload.EMPTY;
    ClientInfo info = null;
    long offset = 0;
    Map<String, String> tags = new LinkedHashMap<>();
    long time = 0;
    String epoch = "";
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "data" -> data = in.payload();
        case "info" -> info = in.message(CLIENT_INFO);
        case "offset" -> offset = in.uint64();
        case "tags" -> in.strings(tags);
        case "time" -> time = in.int64();
        case "epoch" -> epoch = in.string();
        default -> throw new AssertionError(field);
      }
    }
    return new Publication(data, info, offset, tags, time, epoch);
  }

  private static void writeClientInfo(ClientInfo info, Schema.Writer out) throws IOException {
    out.string("user", info.user());
    out.string("client", info.client());
    out.payload("conn_info", info.connInfo());
    out.payload("chan_info", info.chanInfo());
  }

  private static ClientInfo readClientInfo(Schema.Reader in) throws IOException {
    String user = "";
    String client = "";
    Payload connInfo = Payload.EMPTY;
    Payload chanInfo = Payload.EMPTY;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "user" -> user = in.string();
        case "client" -> client = in.string();
        case "conn_info" -> connInfo = in.payload();
        case "chan_info" -> chanInfo = in.payload();
        default -> throw new AssertionError(field);
      }
    }
    return new ClientInfo(user, client, connInfo, chanInfo);
  }

  private static PresenceResult readPresence(Schema.Reader in) throws IOException {
    Map<String, ClientInfo> presence = new LinkedHashMap<>();
    while (in.next() != null) {
      in.map(presence, CLIENT_INFO);
    }
    return new PresenceResult(presence);
  }

  private static PresenceStatsResult readPresenceStats(Schema.Reader in) throws IOException {
    int clients = 0;
    int users = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "num_clients" -> clients = in.uint32();
        case "num_users" -> users = in.uint32();
        default -> throw new AssertionError(field);
      }
    }
    return new PresenceStatsResult(clients, users);
  }

  private static void writeHistory(HistoryResult result, Schema.Writer out) throws IOException {
    out.list("publications", result.publications(), PUBLICATION);
    out.string("epoch", result.position().epoch());
    out.uint64("offset", result.position().offset());
  }

  private static HistoryResult readHistory(Schema.Reader in) throws IOException {
    List<Publication> publications = new ArrayList<>();
    String epoch = "";
    long offset = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "publications" -> in.list(publications, PUBLICATION);
        case "epoch" -> epoch = in.string();
        case "offset" -> offset = in.uint64();
        default -> throw new AssertionError(field);
      }
    }
    return new HistoryResult(publications, new StreamPosition(offset, epoch));
  }

  private static void writeRefresh(RefreshResult result, Schema.Writer out) throws IOException {
    out.string("client", result.client());
    out.string("version", result.version());
    out.bool("expires", result.expires());
    out.uint32("ttl", result.ttl());
  }

  private static RefreshResult readRefresh(Schema.Reader in) throws IOException {
    String client = "";
    String version = "";
    boolean expires = false;
    int ttl = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "client" -> client = in.string();
        case "version" -> version = in.string();
        case "expires" -> expires = in.bool();
        case "ttl" -> ttl = in.uint32();
        default -> throw new AssertionError(field);
      }
    }
    return new RefreshResult(client, version, expires, ttl);
  }

  private static SubRefreshResult readSubRefresh(Schema.Reader in) throws IOException {
    boolean expires = false;
    int ttl = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "expires" -> expires = in.bool();
        case "ttl" -> ttl = in.uint32();
        default -> throw new AssertionError(field);
      }
    }
    return new SubRefreshResult(expires, ttl);
  }

  static Payload readOnlyPayload(Schema.Reader in) throws IOException {
    Payload data = Payload.EMPTY;
    while (in.next() != null) {
      data = in.payload();
    }
    return data;
  }
}
