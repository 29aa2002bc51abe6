package dev.hawser.protocol.client;

import dev.hawser.protocol.client.ClientCommand.Connect;
import dev.hawser.protocol.client.ClientCommand.History;
import dev.hawser.protocol.client.ClientCommand.Pong;
import dev.hawser.protocol.client.ClientCommand.Presence;
import dev.hawser.protocol.client.ClientCommand.PresenceStats;
import dev.hawser.protocol.client.ClientCommand.Publish;
import dev.hawser.protocol.client.ClientCommand.Refresh;
import dev.hawser.protocol.client.ClientCommand.Rpc;
import dev.hawser.protocol.client.ClientCommand.Send;
import dev.hawser.protocol.client.ClientCommand.SubRefresh;
import dev.hawser.protocol.client.ClientCommand.Subscribe;
import dev.hawser.protocol.client.ClientCommand.Unsubscribe;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The client's half of the tables in sections 2 and 3. The records of single commands are read with
 * id 0, since JSON clients send the id behind the payload; the envelope puts it in.
 */
final class CommandSchemas {

  /** The "Command" envelope, in the order in which the first payload present wins. */
  static final Schema<ClientCommand> COMMAND =
      new Schema<>(
          "id=1 connect=4 subscribe=5 unsubscribe=6 publish=7 presence=8 presence_stats=9"
              + " history=10 rpc=13 send=12 refresh=14 sub_refresh=15",
          CommandSchemas::writeCommand,
          CommandSchemas::readCommand);

  private static final Schema<Connect> CONNECT =
      new Schema<>(
          "token=1 data=2 subs=3 name=4 version=5 headers=6",
          CommandSchemas::writeConnect,
          CommandSchemas::readConnect);

  private static final Schema<Subscribe> SUBSCRIBE =
      new Schema<>(
          "channel=1 token=2 recover=3 epoch=6 offset=7 data=8 positioned=9 recoverable=10"
              + " join_leave=11 delta=12 tf=13 flag=14 type=15",
          CommandSchemas::writeSubscribe,
          CommandSchemas::readSubscribe);

  /** Whether there was one: its fields do not matter. */
  private static final Schema<Boolean> TAGS_FILTER =
      new Schema<>(
          "",
          (filter, out) -> {},
          in -> {
            in.next();
            return true;
          });

  private static final Schema<Unsubscribe> UNSUBSCRIBE =
      new Schema<>(
          "channel=1",
          (unsubscribe, out) -> out.string("channel", unsubscribe.channel()),
          in -> new Unsubscribe(0, readOnlyString(in)));

  private static final Schema<Publish> PUBLISH =
      new Schema<>(
          "channel=1 data=2 type=3", CommandSchemas::writePublish, CommandSchemas::readPublish);

  private static final Schema<Presence> PRESENCE =
      new Schema<>(
          "channel=1",
          (presence, out) -> out.string("channel", presence.channel()),
          in -> new Presence(0, readOnlyString(in)));

  private static final Schema<PresenceStats> PRESENCE_STATS =
      new Schema<>(
          "channel=1",
          (stats, out) -> out.string("channel", stats.channel()),
          in -> new PresenceStats(0, readOnlyString(in)));

  private static final Schema<History> HISTORY =
      new Schema<>(
          "channel=1 limit=7 since=8 reverse=9",
          CommandSchemas::writeHistory,
          CommandSchemas::readHistory);

  private static final Schema<StreamPosition> STREAM_POSITION =
      new Schema<>(
          "offset=1 epoch=2",
          (position, out) -> {
            out.uint64("offset", position.offset());
            out.string("epoch", position.epoch());
          },
          CommandSchemas::readStreamPosition);

  private static final Schema<Rpc> RPC =
      new Schema<>(
          "method=2 data=1",
          (rpc, out) -> {
            out.string("method", rpc.method());
            out.payload("data", rpc.data());
          },
          CommandSchemas::readRpc);

  private static final Schema<Send> SEND =
      new Schema<>(
          "data=1",
          (send, out) -> out.payload("data", send.data()),
          in -> new Send(0, ResultSchemas.readOnlyPayload(in)));

  private static final Schema<Refresh> REFRESH =
      new Schema<>(
          "token=1",
          (refresh, out) -> out.string("token", refresh.token()),
          in -> new Refresh(0, readOnlyString(in)));

  private static final Schema<SubRefresh> SUB_REFRESH =
      new Schema<>(
          "channel=1 token=2",
          (refresh, out) -> {
            out.string("channel", refresh.channel());
            out.string("token", refresh.token());
          },
          CommandSchemas::readSubRefresh);

  private CommandSchemas() {}

  private static void writeCommand(ClientCommand command, Schema.Writer out) throws IOException {
    out.uint32("id", command.id());
    switch (command) {
      case Connect connect -> out.message("connect", connect, CONNECT);
      case Subscribe subscribe -> out.message("subscribe", subscribe, SUBSCRIBE);
      case Unsubscribe unsubscribe -> out.message("unsubscribe", unsubscribe, UNSUBSCRIBE);
      case Publish publish -> out.message("publish", publish, PUBLISH);
      case Presence presence -> out.message("presence", presence, PRESENCE);
      case PresenceStats stats -> out.message("presence_stats", stats, PRESENCE_STATS);
      case History history -> out.message("history", history, HISTORY);
      case Rpc rpc -> out.message("rpc", rpc, RPC);
      case Send send -> out.message("send", send, SEND);
      case Refresh refresh -> out.message("refresh", refresh, REFRESH);
      case SubRefresh refresh -> out.message("sub_refresh", refresh, SUB_REFRESH);
      case Pong() -> {}
    }
  }

  private static ClientCommand readCommand(Schema.Reader in) throws IOException {
    int id = 0;
    ClientCommand first = null;
    int firstOrder = Integer.MAX_VALUE;
    for (String field = in.next(); field != null; field = in.next()) {
      if (field.equals("id")) {
        id = in.uint32();
        continue;
      }
      ClientCommand command = readPayloadOf(field, in);
      int order = COMMAND.own(field).order();
      if (order <= firstOrder) {
        first = command;
        firstOrder = order;
      }
    }
    if (id == 0 && !(first instanceof Send)) {
      return new Pong();
    }
    if (first == null) {
      throw in.malformed("a command with an id and no known payload");
    }
    if (first instanceof Subscribe subscribe && subscribe.channel().isEmpty()) {
      throw in.malformed("a subscribe without channel");
    }
    return withId(id, first);
  }

  private static ClientCommand readPayloadOf(String field, Schema.Reader in) throws IOException {
    return switch (field) {
      case "connect" -> in.message(CONNECT);
      case "subscribe" -> in.message(SUBSCRIBE);
      case "unsubscribe" -> in.message(UNSUBSCRIBE);
      case "publish" -> in.message(PUBLISH);
      case "presence" -> in.message(PRESENCE);
      case "presence_stats" -> in.message(PRESENCE_STATS);
      case "history" -> in.message(HISTORY);
      case "rpc" -> in.message(RPC);
      case "send" -> in.message(SEND);
      case "refresh" -> in.message(REFRESH);
      case "sub_refresh" -> in.message(SUB_REFRESH);
      default -> throw new AssertionError(field);
    };
  }

  private static ClientCommand withId(int id, ClientCommand command) {
    return switch (command) {
      case Connect(_, var token, var data, var subs, var name, var version, var headers) ->
          new Connect(id, token, data, subs, name, version, headers);
      case Subscribe subscribe -> withId(id, subscribe);
      case Unsubscribe(_, var channel) -> new Unsubscribe(id, channel);
      case Publish(_, var channel, var data, var type) -> new Publish(id, channel, data, type);
      case Presence(_, var channel) -> new Presence(id, channel);
      case PresenceStats(_, var channel) -> new PresenceStats(id, channel);
      case History(_, var channel, var limit, var since, var reverse) ->
          new History(id, channel, limit, since, reverse);
      case Rpc(_, var method, var data) -> new Rpc(id, method, data);
      case Send(_, var data) -> new Send(id, data);
      case Refresh(_, var token) -> new Refresh(id, token);
      case SubRefresh(_, var channel, var token) -> new SubRefresh(id, channel, token);
      case Pong pong -> pong;
    };
  }

  private static Subscribe withId(int id, Subscribe subscribe) {
    return new Subscribe(
        id,
        subscribe.channel(),
        subscribe.token(),
        subscribe.recover(),
        subscribe.data(),
        subscribe.positioned(),
        subscribe.recoverable(),
        subscribe.joinLeave(),
        subscribe.delta(),
        subscribe.tagsFilter(),
        subscribe.flag(),
        subscribe.type());
  }

  private static void writeConnect(Connect connect, Schema.Writer out) throws IOException {
    var subs = new LinkedHashMap<String, Subscribe>();
    connect.subs().forEach((channel, since) -> subs.put(channel, recovery(since)));
    out.string("token", connect.token());
    out.payload("data", connect.data());
    out.string("name", connect.name());
    out.string("version", connect.version());
    out.map("subs", subs, SUBSCRIBE);
    out.strings("headers", connect.headers());
  }

  private static Subscribe recovery(StreamPosition since) {
    return new Subscribe(0, "", "", since, Payload.EMPTY, false, false, false, "", false, 0, 0);
  }

  private static Connect readConnect(Schema.Reader in) throws IOException {
    String token = "";
    Payload data = Payload.EMPTY;
    Map<String, Subscribe> subs = new LinkedHashMap<>();
    String name = "";
    String version = "";
    Map<String, String> headers = new LinkedHashMap<>();
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "token" -> token = in.string();
        case "data" -> data = in.payload();
        case "subs" -> in.map(subs, SUBSCRIBE);
        case "name" -> name = in.string();
        case "version" -> version = in.string();
        case "headers" -> in.strings(headers);
        default -> throw new AssertionError(field);
      }
    }
    var positions = new LinkedHashMap<String, StreamPosition>();
    subs.forEach(
        (channel, subscribe) -> {
          if (subscribe.recover() != null) {
            positions.put(channel, subscribe.recover());
          }
        });
    return new Connect(0, token, data, positions, name, version, headers);
  }

  private static void writeSubscribe(Subscribe subscribe, Schema.Writer out) throws IOException {
    StreamPosition recover = subscribe.recover();
    out.string("channel", subscribe.channel());
    out.string("token", subscribe.token());
    out.int64("flag", subscribe.flag());
    if (recover != null) {
      out.bool("recover", true);
      out.uint64("offset", recover.offset());
      out.string("epoch", recover.epoch());
    }
    out.payload("data", subscribe.data());
    out.bool("positioned", subscribe.positioned());
    out.bool("recoverable", subscribe.recoverable());
    out.bool("join_leave", subscribe.joinLeave());
    out.string("delta", subscribe.delta());
    out.message("tf", subscribe.tagsFilter() ? Boolean.TRUE : null, TAGS_FILTER);
    out.int32("type", subscribe.type());
  }

  private static Subscribe readSubscribe(Schema.Reader in) throws IOException {
    String channel = "";
    String token = "";
    boolean recover = false;
    String epoch = "";
    long offset = 0;
    Payload data = Payload.EMPTY;
    boolean positioned = false;
    boolean recoverable = false;
    boolean joinLeave = false;
    String delta = "";
    boolean tagsFilter = false;
    long flag = 0;
    int type = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "channel" -> channel = in.string();
        case "token" -> token = in.string();
        case "recover" -> recover = in.bool();
        case "epoch" -> epoch = in.string();
        case "offset" -> offset = in.uint64();
        case "data" -> data = in.payload();
        case "positioned" -> positioned = in.bool();
        case "recoverable" -> recoverable = in.bool();
        case "join_leave" -> joinLeave = in.bool();
        case "delta" -> delta = in.string();
        case "tf" -> tagsFilter = in.message(TAGS_FILTER);
        case "flag" -> flag = in.int64();
        case "type" -> type = in.int32();
        default -> throw new AssertionError(field);
      }
    }
    return new Subscribe(
        0,
        channel,
        token,
        recover ? new StreamPosition(offset, epoch) : null,
        data,
        positioned,
        recoverable,
        joinLeave,
        delta,
        tagsFilter,
        flag,
        type);
  }

  private static void writePublish(Publish publish, Schema.Writer out) throws IOException {
    out.string("channel", publish.channel());
    out.payload("data", publish.data());
    out.int32("type", publish.type());
  }

  private static Publish readPublish(Schema.Reader in) throws IOException {
    String channel = "";
    Payload data = Payload.EMPTY;
    int type = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "channel" -> channel = in.string();
        case "data" -> data = in.payload();
        case "type" -> type = in.int32();
        default -> throw new AssertionError(field);
      }
    }
    return new Publish(0, channel, data, type);
  }

  private static void writeHistory(History history, Schema.Writer out) throws IOException {
    out.string("channel", history.channel());
    out.int32("limit", history.limit());
    out.message("since", history.since(), STREAM_POSITION);
    out.bool("reverse", history.reverse());
  }

  private static History readHistory(Schema.Reader in) throws IOException {
    String channel = "";
    int limit = 0;
    StreamPosition since = null;
    boolean reverse = false;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "channel" -> channel = in.string();
        case "limit" -> limit = in.int32();
        case "since" -> since = in.message(STREAM_POSITION);
        case "reverse" -> reverse = in.bool();
        default -> throw new AssertionError(field);
      }
    }
    return new History(0, channel, limit, since, reverse);
  }

  private static StreamPosition readStreamPosition(Schema.Reader in) throws IOException {
    long offset = 0;
    String epoch = "";
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "offset" -> offset = in.uint64();
        case "epoch" -> epoch = in.string();
        default -> throw new AssertionError(field);
      }
    }
    return new StreamPosition(offset, epoch);
  }

  private static Rpc readRpc(Schema.Reader in) throws IOException {
    String method = "";
    Payload data = Payload.EMPTY;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "method" -> method = in.string();
        case "data" -> data = in.payload();
        default -> throw new AssertionError(field);
      }
    }
    return new Rpc(0, method, data);
  }

  private static SubRefresh readSubRefresh(Schema.Reader in) throws IOException {
    String channel = "";
    String token = "";
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "channel" -> channel = in.string();
        case "token" -> token = in.string();
        default -> throw new AssertionError(field);
      }
    }
    return new SubRefresh(0, channel, token);
  }

  private static String readOnlyString(Schema.Reader in) throws IOException {
    String value = "";
    while (in.next() != null) {
      value = in.string();
    }
    return value;
  }
}
