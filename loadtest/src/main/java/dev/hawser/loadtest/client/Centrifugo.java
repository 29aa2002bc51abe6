package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.client.LightClient.State;
import dev.hawser.loadtest.client.WorkerPlan.Talk;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.MalformedFrameException;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Result.ConnectResult;
import dev.hawser.protocol.client.Result.SubscribeResult;
import dev.hawser.protocol.client.ServerFrame;
import dev.hawser.protocol.client.ServerFrame.ErrorReply;
import dev.hawser.protocol.client.ServerFrame.Reply;
import dev.hawser.protocol.client.StreamPosition;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Hawser's own: the Centrifugo client protocol in JSON, one message on each line.
 *
 * <p>Pushes are not parsed but searched for the two numbers that matter: the client must be cheaper
 * than the server that it measures. All else goes through the protocol's codec.
 */
final class Centrifugo implements Dialect {

  private static final int CONNECT_ID = 1;

  /** Publications that may be in flight at once; a power of two. */
  private static final int IDS = 1 << 16;

  private static final byte[] PONG = "{}".getBytes(UTF_8);
  private static final byte[] TIME = "\"t\":".getBytes(UTF_8);
  private static final byte[] OFFSET = "\"offset\":".getBytes(UTF_8);

  private final Connections connections;
  private final WorkerPlan plan;
  private final Tokens tokens;
  private final String padding;

  /** What users have seen, as their clients would remember it; by number within the worker. */
  private final long[] offsets;

  private final @Nullable String[] epochs;
  private final Map<String, String> knownEpochs = new HashMap<>();
  private final long[] sentAt = new long[IDS];
  private int lastId = CONNECT_ID;

  Centrifugo(Connections connections, WorkerPlan plan) {
    this.connections = connections;
    this.plan = plan;
    this.tokens = new Tokens(plan.secret());
    this.offsets = new long[plan.users()];
    this.epochs = new String[plan.users()];
    this.padding = "x".repeat(Math.max(0, plan.payloadBytes() - 40));
  }

  @Override
  public void upgraded(LightClient client) {
    String user = name(client.user);
    String epoch = epochs[client.user];
    Map<String, StreamPosition> positions =
        epoch == null
            ? Map.of()
            : Map.of("#" + user, new StreamPosition(offsets[client.user], epoch));
    client.write(
        Frames.TEXT,
        JsonCodec.INSTANCE.encode(
            new ClientCommand.Connect(
                CONNECT_ID, tokens.of(user), Payload.EMPTY, positions, "load", "1", Map.of())));
  }

  @Override
  public void onText(LightClient client, byte[] text, int length) {
    int from = 0;
    while (from < length && client.state != State.ENDING) {
      int to = from;
      while (to < length && text[to] != '\n') {
        to++;
      }
      onMessage(client, text, from, to);
      from = to + 1;
    }
  }

  @Override
  public void forget() {
    Arrays.fill(offsets, 0);
    Arrays.fill(epochs, null);
  }

  /** Sends what the plan's talk is. */
  void say(LightClient client, long intended) {
    String command;
    if (plan.talk() == Talk.CHAT) {
      String other = plan.prefix() + ThreadLocalRandom.current().nextInt(plan.allUsers());
      command =
          "{\"send\":{\"data\":{\"to\":\"%s\",\"t\":%d,\"p\":\"%s\"}}}"
              .formatted(other, intended, padding);
    } else {
      int id = ++lastId;
      sentAt[id & (IDS - 1)] = intended;
      command =
          "{\"id\":%d,\"publish\":{\"channel\":\"#%s\",\"data\":{\"t\":%d,\"p\":\"%s\"}}}"
              .formatted(id, name(client.user), intended, padding);
    }
    connections.count(Count.SENT);
    client.write(Frames.TEXT, command.getBytes(StandardCharsets.US_ASCII));
    client.flush();
  }

  private void onMessage(LightClient client, byte[] text, int from, int to) {
    if (to - from == PONG.length) {
      client.heardAt = System.nanoTime();
      client.write(Frames.TEXT, PONG);
    } else if (to - from > 2 && text[from + 2] == 'p') {
      onPush(client, text, from, to);
    } else {
      onReply(client, Arrays.copyOfRange(text, from, to));
    }
  }

  private void onPush(LightClient client, byte[] text, int from, int to) {
    long offset = Dialect.number(OFFSET, text, from, to);
    if (offset != ABSENT) {
      if (offset <= offsets[client.user]) {
        connections.count(Count.DUPLICATES);
        return;
      }
      offsets[client.user] = offset;
    }
    long sent = Dialect.number(TIME, text, from, to);
    if (sent == ABSENT) {
      return;
    }
    connections.received(client, sent);
    if (plan.talk() == Talk.ANSWER && offset == ABSENT) {
      connections.count(Count.SENT);
      client.write(Frames.TEXT, "{\"send\":{\"data\":{\"t\":%d}}}".formatted(sent).getBytes(UTF_8));
    }
  }

  private void onReply(LightClient client, byte[] message) {
    try {
      for (ServerFrame frame : JsonCodec.INSTANCE.decodeFrames(message)) {
        if (frame instanceof Reply reply) {
          if (reply.result() instanceof ConnectResult result) {
            onConnected(client, result);
          } else {
            connections.count(Count.ACKNOWLEDGED);
            connections.time(Timing.MESSAGE, sentAt[reply.id() & (IDS - 1)]);
          }
        } else if (frame instanceof ErrorReply error) {
          if (error.id() == CONNECT_ID) {
            connections.ended(client, "error-" + error.code());
          } else {
            connections.error("error-" + error.code());
          }
        }
      }
    } catch (MalformedFrameException malformed) {
      connections.ended(client, "malformed");
    }
  }

  private void onConnected(LightClient client, ConnectResult result) {
    connections.connected(client, TimeUnit.SECONDS.toNanos(result.ping()));
    SubscribeResult own = result.subs().get("#" + name(client.user));
    if (own == null) {
      return;
    }
    if (own.wasRecovering() && !own.recovered()) {
      connections.error("unrecovered");
    }
    if (!own.recovered()) {
      String epoch = own.position().epoch();
      epochs[client.user] = knownEpochs.computeIfAbsent(epoch, same -> same);
      offsets[client.user] = own.position().offset();
    }
  }

  private String name(int user) {
    return plan.prefix() + (plan.firstUser() + user);
  }
}
