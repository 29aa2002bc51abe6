package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.protocol.client.ClientCommand.Connect;
import dev.hawser.protocol.client.ClientCommand.Subscribe;
import dev.hawser.protocol.client.Result.ConnectResult;
import dev.hawser.protocol.client.Result.SubscribeResult;
import dev.hawser.protocol.client.ServerFrame.ErrorReply;
import dev.hawser.protocol.client.ServerFrame.Ping;
import dev.hawser.protocol.client.ServerFrame.Push;
import dev.hawser.protocol.client.ServerFrame.Reply;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The exchanges of section 12, to the letter. */
class ExampleExchangesTest {

  private static final StreamPosition PERSONAL = new StreamPosition(12, "kQ7x");
  private static final StreamPosition NEWS = new StreamPosition(3, "pT0a");
  private static final ClientInfo SEVEN = new ClientInfo("7", "c0de…");

  @Test
  void connectWithTwoSubscribesInOneFrame() {
    commands(
        """
        {"connect":{"token":"eyJ…","name":"js"},"id":1}
        {"subscribe":{"channel":"news:tech","flag":1},"id":2}""",
        connect(1, Map.of()),
        subscribe(2, null));
    frames(
        """
        {"id":1,"connect":{"client":"6f0c…","version":"1.0.0","ping":25,"pong":true,"expires":true,"ttl":540,"subs":{"#42":{"recoverable":true,"positioned":true,"epoch":"kQ7x","offset":12}}}}
        {"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"pT0a","offset":3}}
        {"push":{"channel":"#42","pub":{"data":{"mail":1},"offset":13}}}
        {}""",
        new Reply(
            1,
            ConnectResult.of(
                    "6f0c…", "1.0.0", 25, true, Map.of("#42", SubscribeResult.positioned(PERSONAL)))
                .expiringIn(540)),
        new Reply(2, SubscribeResult.positioned(NEWS)),
        new Push("#42", Publication.of(json("{\"mail\":1}"), 13)),
        new Ping());
    commands("{}", new ClientCommand.Pong());
  }

  @Test
  void reconnectWithRecovery() {
    var seen = new StreamPosition(13, "kQ7x");
    commands(
        """
        {"connect":{"token":"eyJ…","name":"js","subs":{"#42":{"recover":true,"offset":13,"epoch":"kQ7x"}}},"id":3}
        {"subscribe":{"channel":"news:tech","flag":1,"recover":true,"offset":3,"epoch":"pT0a"},"id":4}""",
        connect(3, Map.of("#42", seen)),
        subscribe(4, NEWS));
    frames(
        """
        {"id":3,"connect":{"client":"91be…","ping":25,"pong":true,"subs":{"#42":{"recoverable":true,"positioned":true,"epoch":"kQ7x","offset":13,"was_recovering":true,"recovered":true,"publications":[{"data":{"mail":2},"offset":14}]}}}}
        {"id":4,"subscribe":{"recoverable":true,"positioned":true,"epoch":"pT0a","offset":3,"was_recovering":true,"recovered":true}}""",
        new Reply(
            3,
            ConnectResult.of(
                "91be…",
                "",
                25,
                true,
                Map.of(
                    "#42",
                    SubscribeResult.recovered(
                        seen, List.of(Publication.of(json("{\"mail\":2}"), 14)))))),
        new Reply(4, SubscribeResult.recovered(NEWS, List.of())));
  }

  @Test
  void failedRecoveryAndErrors() {
    frames(
        """
        {"id":4,"subscribe":{"recoverable":true,"positioned":true,"epoch":"Zz19","offset":7,"was_recovering":true}}
        {"id":4,"error":{"code":112,"message":"unrecoverable position"}}
        {"id":1,"error":{"code":109,"message":"token expired"}}
        {"id":2,"error":{"code":111,"message":"too many requests","temporary":true}}""",
        new Reply(4, SubscribeResult.unrecovered(new StreamPosition(7, "Zz19"))),
        new ErrorReply(4, ErrorCode.UNRECOVERABLE_POSITION),
        new ErrorReply(1, ErrorCode.TOKEN_EXPIRED),
        new ErrorReply(2, ErrorCode.TOO_MANY_REQUESTS));
  }

  @Test
  void refreshAndUnsubscribe() {
    commands(
        """
        {"refresh":{"token":"eyK…"},"id":5}
        {"sub_refresh":{"channel":"vip:1","token":"eyS…"},"id":6}
        {"unsubscribe":{"channel":"news:tech"},"id":7}""",
        new ClientCommand.Refresh(5, "eyK…"),
        new ClientCommand.SubRefresh(6, "vip:1", "eyS…"),
        new ClientCommand.Unsubscribe(7, "news:tech"));
    frames(
        """
        {"id":5,"refresh":{"client":"91be…","expires":true,"ttl":600}}
        {"id":6,"sub_refresh":{"expires":true,"ttl":300}}
        {"id":7,"unsubscribe":{}}""",
        new Reply(5, new Result.RefreshResult("91be…", "", true, 600)),
        new Reply(6, new Result.SubRefreshResult(true, 300)),
        new Reply(7, new Result.UnsubscribeResult()));
  }

  @Test
  void publishPresenceHistoryRpcAndSend() {
    commands(
        """
        {"publish":{"channel":"chat:1","data":{"t":"hi"}},"id":8}
        {"presence":{"channel":"chat:1"},"id":9}
        {"presence_stats":{"channel":"chat:1"},"id":10}
        {"history":{"channel":"chat:1","limit":2,"since":{"offset":2,"epoch":"pT0a"}},"id":11}
        {"rpc":{"method":"sum","data":[1,2]},"id":12}
        {"send":{"data":{"typing":true}}}""",
        new ClientCommand.Publish(8, "chat:1", json("{\"t\":\"hi\"}"), 0),
        new ClientCommand.Presence(9, "chat:1"),
        new ClientCommand.PresenceStats(10, "chat:1"),
        new ClientCommand.History(11, "chat:1", 2, new StreamPosition(2, "pT0a"), false),
        new ClientCommand.Rpc(12, "sum", json("[1,2]")),
        new ClientCommand.Send(0, json("{\"typing\":true}")));
    var hi = Publication.of(json("{\"t\":\"hi\"}"), 4);
    frames(
        """
        {"push":{"channel":"chat:1","pub":{"data":{"t":"hi"},"offset":4,"info":{"user":"42","client":"91be…"}}}}
        {"id":8,"publish":{}}
        {"id":9,"presence":{"presence":{"91be…":{"user":"42","client":"91be…","conn_info":{"nick":"ann"}}}}}
        {"id":10,"presence_stats":{"num_clients":1,"num_users":1}}
        {"id":11,"history":{"publications":[{"data":{"t":"a"},"offset":3},{"data":{"t":"hi"},"offset":4}],"epoch":"pT0a","offset":4}}
        {"id":12,"rpc":{"data":3}}""",
        new Push(
            "chat:1",
            new Publication(hi.data(), new ClientInfo("42", "91be…"), 4, Map.of(), 0, "")),
        new Reply(8, new Result.PublishResult()),
        new Reply(
            9,
            new Result.PresenceResult(
                Map.of(
                    "91be…",
                    new ClientInfo("42", "91be…", json("{\"nick\":\"ann\"}"), Payload.EMPTY)))),
        new Reply(10, new Result.PresenceStatsResult(1, 1)),
        new Reply(
            11,
            new Result.HistoryResult(
                List.of(Publication.of(json("{\"t\":\"a\"}"), 3), hi),
                new StreamPosition(4, "pT0a"))),
        new Reply(12, new Result.RpcResult(json("3"))));
  }

  @Test
  void pushes() {
    frames(
        """
        {"push":{"channel":"chat:1","join":{"info":{"user":"7","client":"c0de…"}}}}
        {"push":{"channel":"chat:1","leave":{"info":{"user":"7","client":"c0de…"}}}}
        {"push":{"message":{"data":{"notice":"maintenance at 22:00"}}}}
        {"push":{"channel":"offers","subscribe":{"recoverable":true,"positioned":true,"epoch":"aB3d","offset":0,"data":{"since":"now"}}}}
        {"push":{"channel":"offers","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}
        {"push":{"disconnect":{"code":3503,"reason":"force disconnect"}}}""",
        new Push("chat:1", new PushBody.Join(SEVEN)),
        new Push("chat:1", new PushBody.Leave(SEVEN)),
        new Push("", new PushBody.Message(json("{\"notice\":\"maintenance at 22:00\"}"))),
        new Push(
            "offers",
            new PushBody.Subscribe(
                true, true, new StreamPosition(0, "aB3d"), json("{\"since\":\"now\"}"))),
        new Push("offers", new PushBody.Unsubscribe(UnsubscribeCode.SERVER_UNSUBSCRIBE)),
        new Push("", new PushBody.Disconnect(DisconnectCode.FORCE_DISCONNECT)));
  }

  @Test
  void connectReplyOfAnHttpTransport() {
    frames(
        """
        {"id":1,"connect":{"client":"3aa1…","ping":25,"pong":true,"session":"S-secret","node":"n2"}}
        {"id":2,"subscribe":{}}""",
        new Reply(1, ConnectResult.of("3aa1…", "", 25, true, Map.of()).routedBy("S-secret", "n2")),
        new Reply(2, SubscribeResult.unpositioned()));
  }

  /** Fields marked "always" in section 3. */
  @Test
  void emptyResultsKeepTheFieldsThatClientsRelyOn() {
    frames(
        """
        {"id":1,"presence":{"presence":{}}}
        {"id":2,"presence_stats":{"num_clients":0,"num_users":0}}
        {"id":3,"history":{"publications":[],"epoch":"","offset":0}}
        {"push":{"channel":"c","join":{"info":{"user":"","client":""}}}}""",
        new Reply(1, new Result.PresenceResult(Map.of())),
        new Reply(2, new Result.PresenceStatsResult(0, 0)),
        new Reply(3, new Result.HistoryResult(List.of(), StreamPosition.START)),
        new Push("c", new PushBody.Join(new ClientInfo("", ""))));
  }

  @Test
  void protobufBytes() {
    ProtobufCodec codec = ProtobufCodec.INSTANCE;
    var unsubscribed = new Reply(7, new Result.UnsubscribeResult());
    var connect = new Connect(1, "");

    assertThat(codec.encode(new Ping())).isEqualTo(hex("00"));
    assertThat(codec.decodeCommands(hex("00"))).containsExactly(new ClientCommand.Pong());
    assertThat(codec.encode(unsubscribed)).isEqualTo(hex("0408073a00"));
    assertThat(codec.decodeFrames(hex("0408073a00"))).containsExactly(unsubscribed);
    assertThat(codec.encode(connect)).isEqualTo(hex("0408012200"));
    assertThat(codec.decodeCommands(hex("0408012200"))).containsExactly(connect);
  }

  private static void commands(String frame, ClientCommand... expected) {
    assertThat(JsonCodec.INSTANCE.decodeCommands(frame.getBytes(UTF_8))).containsExactly(expected);
  }

  private static void frames(String frame, ServerFrame... expected) {
    assertThat(JsonCodec.INSTANCE.decodeFrames(frame.getBytes(UTF_8))).containsExactly(expected);
    assertThat(JsonCodec.INSTANCE.encode(List.of(expected))).asString(UTF_8).isEqualTo(frame);
  }

  private static Connect connect(int id, Map<String, StreamPosition> subs) {
    return new Connect(id, "eyJ…", Payload.EMPTY, subs, "js", "", Map.of());
  }

  private static Subscribe subscribe(int id, @Nullable StreamPosition recover) {
    return new Subscribe(
        id,
        "news:tech",
        "",
        recover,
        Payload.EMPTY,
        false,
        false,
        false,
        "",
        false,
        Subscribe.FLAG_COMPACTION,
        0);
  }

  private static Payload json(String json) {
    return new Payload(json.getBytes(UTF_8));
  }

  private static byte[] hex(String bytes) {
    return HexFormat.of().parseHex(bytes);
  }
}
