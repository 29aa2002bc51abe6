package dev.hawser.protocol.client;

import dev.hawser.protocol.client.Result.ConnectResult;
import dev.hawser.protocol.client.ServerFrame.ErrorReply;
import dev.hawser.protocol.client.ServerFrame.Ping;
import dev.hawser.protocol.client.ServerFrame.Push;
import dev.hawser.protocol.client.ServerFrame.Reply;
import java.io.IOException;

/** The envelope of the server's half, and its pushes (sections 2 and 3). */
final class FrameSchemas {

  /** The "Reply" envelope. */
  static final Schema<ServerFrame> FRAME =
      new Schema<>(
          "id=1 error=2 push=4 connect=5 subscribe=6 unsubscribe=7 publish=8 presence=9"
              + " presence_stats=10 history=11 rpc=13 refresh=14 sub_refresh=15",
          FrameSchemas::writeFrame,
          FrameSchemas::readFrame);

  private static final Schema<ErrorReply> ERROR =
      new Schema<>(
          "code=1 message=2 temporary=3", FrameSchemas::writeError, FrameSchemas::readError);

  private static final Schema<Push> PUSH =
      new Schema<>(
          "channel=2 pub=4 join=5 leave=6 unsubscribe=7 message=8 subscribe=9 connect=10"
              + " disconnect=11 refresh=12",
          FrameSchemas::writePush,
          FrameSchemas::readPush);

  /** Joins and leaves alike. */
  private static final Schema<ClientInfo> PRESENCE_CHANGE =
      new Schema<>(
          "info=1",
          (info, out) -> out.message("info", info, ResultSchemas.CLIENT_INFO),
          FrameSchemas::readPresenceChange);

  private static final Schema<UnsubscribeCode> UNSUBSCRIBE =
      new Schema<>(
          "code=2 reason=3",
          (code, out) -> {
            out.uint32("code", code.code());
            out.string("reason", code.reason());
          },
          in -> readCode(in, UnsubscribeCode::new));

  private static final Schema<DisconnectCode> DISCONNECT =
      new Schema<>(
          "code=1 reason=2",
          (code, out) -> {
            out.uint32("code", code.code());
            out.string("reason", code.reason());
          },
          in -> readCode(in, DisconnectCode::new));

  /** A bare payload. */
  private static final Schema<Payload> MESSAGE =
      new Schema<>(
          "data=1", (data, out) -> out.payload("data", data), ResultSchemas::readOnlyPayload);

  private static final Schema<PushBody.Subscribe> SUBSCRIBE =
      new Schema<>(
          "recoverable=1 positioned=6 epoch=4 offset=5! data=7",
          FrameSchemas::writeSubscribe,
          FrameSchemas::readSubscribe);

  /** A connect result under other numbers. */
  private static final Schema<ConnectResult> CONNECT =
      new Schema<>(
          "client=1 version=2 data=3 subs=4 expires=5 ttl=6 ping=7 pong=8 session=9 node=10"
              + " time=11",
          ResultSchemas::writeConnect,
          ResultSchemas::readConnect);

  private static final Schema<PushBody.Refresh> REFRESH =
      new Schema<>(
          "expires=1 ttl=2",
          (refresh, out) -> {
            out.bool("expires", refresh.expires());
            out.uint32("ttl", refresh.ttl());
          },
          FrameSchemas::readRefresh);

  private FrameSchemas() {}

  private static void writeFrame(ServerFrame frame, Schema.Writer out) throws IOException {
    switch (frame) {
      case Reply(int id, Result result) -> {
        out.uint32("id", id);
        ResultSchemas.writeResult(result, out);
      }
      case ErrorReply error -> {
        out.uint32("id", error.id());
        out.message("error", error, ERROR);
      }
      case Push push -> out.message("push", push, PUSH);
      case Ping() -> {}
    }
  }

  private static ServerFrame readFrame(Schema.Reader in) throws IOException {
    int id = 0;
    ErrorReply error = null;
    Push push = null;
    Result result = null;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "id" -> id = in.uint32();
        case "error" -> error = in.message(ERROR);
        case "push" -> push = in.message(PUSH);
        default -> result = ResultSchemas.readResult(field, in);
      }
    }
    if (error != null) {
      return new ErrorReply(id, error.code(), error.message(), error.temporary());
    }
    if (push != null) {
      return push;
    }
    if (result != null) {
      return new Reply(id, result);
    }
    if (id != 0) {
      throw in.malformed("a reply with an id and no known result");
    }
    return new Ping();
  }

  private static void writeError(ErrorReply error, Schema.Writer out) throws IOException {
    out.uint32("code", error.code());
    out.string("message", error.message());
    out.bool("temporary", error.temporary());
  }

  private static ErrorReply readError(Schema.Reader in) throws IOException {
    int code = 0;
    String message = "";
    boolean temporary = false;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "code" -> code = in.uint32();
        case "message" -> message = in.string();
        case "temporary" -> temporary = in.bool();
        default -> throw new AssertionError(field);
      }
    }
    return new ErrorReply(0, code, message, temporary);
  }

  private static void writePush(Push push, Schema.Writer out) throws IOException {
    out.string("channel", push.channel());
    switch (push.body()) {
      case Publication publication -> out.message("pub", publication, ResultSchemas.PUBLICATION);
      case PushBody.Join(ClientInfo info) -> out.message("join", info, PRESENCE_CHANGE);
      case PushBody.Leave(ClientInfo info) -> out.message("leave", info, PRESENCE_CHANGE);
      case PushBody.Unsubscribe(UnsubscribeCode code) ->
          out.message("unsubscribe", code, UNSUBSCRIBE);
      case PushBody.Message(Payload data) -> out.message("message", data, MESSAGE);
      case PushBody.Subscribe subscribe -> out.message("subscribe", subscribe, SUBSCRIBE);
      case PushBody.Connect(ConnectResult result) -> out.message("connect", result, CONNECT);
      case PushBody.Disconnect(DisconnectCode code) -> out.message("disconnect", code, DISCONNECT);
      case PushBody.Refresh refresh -> out.message("refresh", refresh, REFRESH);
    }
  }

  private static Push readPush(Schema.Reader in) throws IOException {
    String channel = "";
    PushBody body = null;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "channel" -> channel = in.string();
        case "pub" -> body = in.message(ResultSchemas.PUBLICATION);
        case "join" -> body = new PushBody.Join(in.message(PRESENCE_CHANGE));
        case "leave" -> body = new PushBody.Leave(in.message(PRESENCE_CHANGE));
        case "unsubscribe" -> body = new PushBody.Unsubscribe(in.message(UNSUBSCRIBE));
        case "message" -> body = new PushBody.Message(in.message(MESSAGE));
        case "subscribe" -> body = in.message(SUBSCRIBE);
        case "connect" -> body = new PushBody.Connect(in.message(CONNECT));
        case "disconnect" -> body = new PushBody.Disconnect(in.message(DISCONNECT));
        case "refresh" -> body = in.message(REFRESH);
        default -> throw new AssertionError(field);
      }
    }
    if (body == null) {
      throw in.malformed("a push of no known kind");
    }
    return new Push(channel, body);
  }

  private static ClientInfo readPresenceChange(Schema.Reader in) throws IOException {
    ClientInfo info = null;
    while (in.next() != null) {
      info = in.message(ResultSchemas.CLIENT_INFO);
    }
    if (info == null) {
      throw in.malformed("a join or leave without info");
    }
    return info;
  }

  private static <T> T readCode(Schema.Reader in, CodeConstructor<T> constructor)
      throws IOException {
    int code = 0;
    String reason = "";
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "code" -> code = in.uint32();
        case "reason" -> reason = in.string();
        default -> throw new AssertionError(field);
      }
    }
    try {
      return constructor.of(code, reason);
    } catch (IllegalArgumentException broken) {
      throw in.malformed("a code or reason that no server may send");
    }
  }

  private interface CodeConstructor<T> {
    T of(int code, String reason);
  }

  private static void writeSubscribe(PushBody.Subscribe subscribe, Schema.Writer out)
      throws IOException {
    out.bool("recoverable", subscribe.recoverable());
    out.bool("positioned", subscribe.positioned());
    out.string("epoch", subscribe.position().epoch());
    out.uint64("offset", subscribe.position().offset());
    out.payload("data", subscribe.data());
  }

  private static PushBody.Subscribe readSubscribe(Schema.Reader in) throws IOException {
    boolean recoverable = false;
    boolean positioned = false;
    String epoch = "";
    long offset = 0;
    Payload data = Payload.EMPTY;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "recoverable" -> recoverable = in.bool();
        case "positioned" -> positioned = in.bool();
        case "epoch" -> epoch = in.string();
        case "offset" -> offset = in.uint64();
        case "data" -> data = in.payload();
        default -> throw new AssertionError(field);
      }
    }
    return new PushBody.Subscribe(recoverable, positioned, new StreamPosition(offset, epoch), data);
  }

  private static PushBody.Refresh readRefresh(Schema.Reader in) throws IOException {
    boolean expires = false;
    int ttl = 0;
    for (String field = in.next(); field != null; field = in.next()) {
      switch (field) {
        case "expires" -> expires = in.bool();
        case "ttl" -> ttl = in.uint32();
        default -> throw new AssertionError(field);
      }
    }
    return new PushBody.Refresh(expires, ttl);
  }
}
