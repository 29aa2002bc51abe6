package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Provide;
import net.jqwik.api.domains.DomainContextBase;
import org.jspecify.annotations.Nullable;

/** Random commands and frames, as a server and clients could send them; payloads are JSON. */
final class RandomMessages extends DomainContextBase {

  private static final List<String> PAYLOADS =
      List.of(
          "",
          "null",
          "true",
          "0",
          "-12.5e3",
          "\"\"",
          "\"\\\"}\\u0041\"",
          "[]",
          "[1,[2,{}]]",
          "{\"text\":\"grüße \uD83D\uDEA2\"}",
          "{ \"a\" : [ 1 , 2 ] }");

  @Provide
  Arbitrary<ClientCommand> commands() {
    return Arbitraries.randomValue(random -> new Generator(random).command());
  }

  @Provide
  Arbitrary<ServerFrame> frames() {
    return Arbitraries.randomValue(random -> new Generator(random).frame());
  }

  private record Generator(Random random) {

    ClientCommand command() {
      int id = id();
      return switch (random.nextInt(12)) {
        case 0 ->
            new ClientCommand.Connect(
                id, text(), payload(), map(this::position), text(), text(), map(this::text));
        case 1 -> subscribe(id);
        case 2 -> new ClientCommand.Unsubscribe(id, text());
        case 3 -> new ClientCommand.Publish(id, text(), payload(), number());
        case 4 -> new ClientCommand.Presence(id, text());
        case 5 -> new ClientCommand.PresenceStats(id, text());
        case 6 -> new ClientCommand.History(id, text(), number(), maybe(position()), flag());
        case 7 -> new ClientCommand.Rpc(id, text(), payload());
        case 8 -> new ClientCommand.Send(flag() ? 0 : id, payload());
        case 9 -> new ClientCommand.Refresh(id, text());
        case 10 -> new ClientCommand.SubRefresh(id, text(), text());
        default -> new ClientCommand.Pong();
      };
    }

    private ClientCommand.Subscribe subscribe(int id) {
      return new ClientCommand.Subscribe(
          id,
          "c" + text(),
          text(),
          maybe(position()),
          payload(),
          flag(),
          flag(),
          flag(),
          text(),
          flag(),
          longNumber(),
          number());
    }

    ServerFrame frame() {
      return switch (random.nextInt(4)) {
        case 0 -> new ServerFrame.Reply(id(), result());
        case 1 -> new ServerFrame.ErrorReply(id(), number(), text(), flag());
        case 2 -> new ServerFrame.Push(text(), pushBody());
        default -> new ServerFrame.Ping();
      };
    }

    private Result result() {
      return switch (random.nextInt(10)) {
        case 0 -> connectResult();
        case 1 -> subscribeResult();
        case 2 -> new Result.UnsubscribeResult();
        case 3 -> new Result.PublishResult();
        case 4 -> new Result.PresenceResult(map(this::clientInfo));
        case 5 -> new Result.PresenceStatsResult(number(), number());
        case 6 -> new Result.HistoryResult(list(this::publication), position());
        case 7 -> new Result.RpcResult(payload());
        case 8 -> new Result.RefreshResult(text(), text(), flag(), number());
        default -> new Result.SubRefreshResult(flag(), number());
      };
    }

    private PushBody pushBody() {
      return switch (random.nextInt(9)) {
        case 0 -> publication();
        case 1 -> new PushBody.Join(clientInfo());
        case 2 -> new PushBody.Leave(clientInfo());
        case 3 ->
            new PushBody.Unsubscribe(
                new UnsubscribeCode(2000 + random.nextInt(1000), "u" + text()));
        case 4 -> new PushBody.Message(payload());
        case 5 -> new PushBody.Subscribe(flag(), flag(), position(), payload());
        case 6 -> new PushBody.Connect(connectResult());
        case 7 ->
            new PushBody.Disconnect(new DisconnectCode(3000 + random.nextInt(2000), "d" + text()));
        default -> new PushBody.Refresh(flag(), number());
      };
    }

    private Result.ConnectResult connectResult() {
      return new Result.ConnectResult(
          text(),
          text(),
          flag(),
          number(),
          payload(),
          map(this::subscribeResult),
          number(),
          flag(),
          text(),
          text(),
          longNumber());
    }

    private Result.SubscribeResult subscribeResult() {
      return new Result.SubscribeResult(
          flag(),
          number(),
          flag(),
          flag(),
          position(),
          flag(),
          flag(),
          list(this::publication),
          payload());
    }

    private Publication publication() {
      return new Publication(
          payload(), maybe(clientInfo()), longNumber(), map(this::text), longNumber(), text());
    }

    private ClientInfo clientInfo() {
      return new ClientInfo(text(), text(), payload(), payload());
    }

    private StreamPosition position() {
      return new StreamPosition(longNumber(), text());
    }

    private Payload payload() {
      return new Payload(PAYLOADS.get(random.nextInt(PAYLOADS.size())).getBytes(UTF_8));
    }

    /** Any characters, those that JSON escapes and those outside the basic plane included. */
    private String text() {
      var text = new StringBuilder();
      for (int left = random.nextInt(6); left > 0; left--) {
        text.appendCodePoint(
            switch (random.nextInt(4)) {
              case 0 -> random.nextInt(0x80);
              case 1 -> random.nextInt(0xD800);
              case 2 -> 0xE000 + random.nextInt(0x10_FFFF - 0xE000);
              default -> '"';
            });
      }
      return text.toString();
    }

    private int id() {
      int id = number();
      return id == 0 ? 1 : id;
    }

    private int number() {
      return random.nextInt() >> random.nextInt(32);
    }

    private long longNumber() {
      return flag() ? 0 : random.nextLong() >> random.nextInt(64);
    }

    private boolean flag() {
      return random.nextBoolean();
    }

    private <T> @Nullable T maybe(T value) {
      return flag() ? value : null;
    }

    private <T> List<T> list(Supplier<T> element) {
      var list = new ArrayList<T>();
      for (int left = random.nextInt(3); left > 0; left--) {
        list.add(element.get());
      }
      return list;
    }

    private <T> Map<String, T> map(Supplier<T> value) {
      var map = new LinkedHashMap<String, T>();
      for (int left = random.nextInt(3); left > 0; left--) {
        map.put(text(), value.get());
      }
      return map;
    }
  }
}
