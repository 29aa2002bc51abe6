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
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * All connections of a worker. One event loop carries them, and everything here runs on it.
 *
 * <p>Pushes are not parsed but searched for the two numbers that matter: the client must be cheaper
 * than the server that it measures. All else goes through the protocol's codec.
 */
final class Connections {

  private static final int MAX_OPENING = 512;
  private static final int SCRATCH_BYTES = 8 * 1024;
  private static final long CONNECT_NANOS = 15_000_000_000L;

  /** What the stock SDKs allow beyond the interval. */
  private static final long MAX_PING_DELAY_NANOS = 10_000_000_000L;

  /** The stock SDKs' backoff: full jitter between these, doubling. */
  private static final long MIN_BACKOFF_MILLISECONDS = 500;

  private static final long MAX_BACKOFF_MILLISECONDS = 20_000;
  private static final int MAX_DOUBLINGS = 10;

  private static final int CONNECT_ID = 1;

  /** Publications that may be in flight at once; a power of two. */
  private static final int IDS = 1 << 16;

  private static final byte[] PONG = "{}".getBytes(UTF_8);
  private static final byte[] TIME = "\"t\":".getBytes(UTF_8);
  private static final byte[] OFFSET = "\"offset\":".getBytes(UTF_8);
  private static final byte[] NORMAL_CLOSURE = {0x03, (byte) 0xe8};
  private static final long ABSENT = -1;
  private static final Pattern RETRY_AFTER = Pattern.compile("(?i)\r\nretry-after: *(\\d+)");

  private final WorkerPlan plan;
  private final EventLoop loop;
  private final Doors doors;
  private final Tokens tokens;
  private final String padding;

  /** By number of the user within the worker; null while there is no connection. */
  private final @Nullable LightClient[] clients;

  /** What users have seen, as their clients would remember it. */
  private final long[] offsets;

  private final @Nullable String[] epochs;

  /** When users lost their connection; 0 if they have not. */
  private final long[] lostAt;

  private final Map<String, String> knownEpochs = new HashMap<>();
  private final long[] sentAt = new long[IDS];
  private byte[] scratch = new byte[SCRATCH_BYTES];

  private Counts counts = new Counts();
  private int connected;
  private int opening;
  private int started;
  private int lastId = CONNECT_ID;
  private long pingNanos = Long.MAX_VALUE / 2;
  private boolean ending;
  private @Nullable Pace arrivals;
  private @Nullable Pace churn;
  private @Nullable Pace messages;

  Connections(WorkerPlan plan, EventLoop loop) {
    this.plan = plan;
    this.loop = loop;
    this.tokens = new Tokens(plan.secret());
    this.clients = new LightClient[plan.users()];
    this.offsets = new long[plan.users()];
    this.epochs = new String[plan.users()];
    this.lostAt = new long[plan.users()];
    this.padding = "x".repeat(Math.max(0, plan.payloadBytes() - 40));
    this.doors = new Doors(plan.urls(), plan.sources(), loop);
  }

  /** Connects all users, at the plan's pace. */
  void connect() {
    arrivals = new Pace(plan.connectsPerSecond(), System.nanoTime());
  }

  /** Begins to send and to churn. */
  void run() {
    long now = System.nanoTime();
    churn = new Pace(plan.churnPerSecond(), now);
    messages = new Pace(plan.messagesPerSecond(), now);
  }

  /** Ends sending and churning. */
  void rest() {
    churn = null;
    messages = null;
  }

  /** Closes all; nobody comes back. */
  void end() {
    ending = true;
    arrivals = null;
    rest();
    for (LightClient client : clients) {
      if (client != null) {
        leave(client);
      }
    }
  }

  int connected() {
    return connected;
  }

  /** What has happened since the last call. */
  Counts takeCounts() {
    Counts taken = counts;
    counts = new Counts();
    return taken;
  }

  /** Does what is due. */
  void tick() {
    long now = System.nanoTime();
    Pace arriving = arrivals;
    while (arriving != null && arriving.isDue(now) && opening < MAX_OPENING) {
      if (started == plan.users()) {
        arrivals = null;
        break;
      }
      open(started++, 0, arriving.take());
    }
    Pace churning = churn;
    while (churning != null && churning.isDue(now) && opening < MAX_OPENING) {
      long intended = churning.take();
      LightClient client = someone();
      if (client == null) {
        counts.error("nobody-to-churn");
      } else {
        leave(client);
        open(client.user, 0, intended);
      }
    }
    Pace talking = messages;
    while (talking != null && talking.isDue(now)) {
      say(talking.take());
    }
  }

  /** Ends connections that do not hear what they should. */
  void sweep() {
    long now = System.nanoTime();
    for (LightClient client : clients) {
      if (client == null) {
        continue;
      }
      if (client.state == State.CONNECTED) {
        if (now - client.heardAt > pingNanos + MAX_PING_DELAY_NANOS) {
          ended(client, "no-ping");
        }
      } else if (now - client.heardAt > CONNECT_NANOS) {
        ended(client, "connect-timeout");
      }
    }
  }

  ByteBuf handshake(LightClient client) {
    return doors.handshake(client);
  }

  private void open(int user, int attempt, long intendedAt) {
    var client = new LightClient(this, user, attempt, intendedAt);
    clients[user] = client;
    opening++;
    var unused =
        doors
            .connect(client)
            .addListener(
                result -> {
                  if (!result.isSuccess()) {
                    ended(client, Doors.trouble(result.cause()));
                  }
                });
  }

  void upgraded(LightClient client) {
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

  /** Not a 101; a server that is too busy says when to come back. */
  void refused(LightClient client, String head) {
    int space = head.indexOf(' ');
    String status = space < 0 ? "0" : head.substring(space + 1, Math.min(space + 4, head.length()));
    Matcher retryAfter = RETRY_AFTER.matcher(head);
    ended(
        client,
        "http-" + status,
        retryAfter.find() ? TimeUnit.SECONDS.toMillis(Long.parseLong(retryAfter.group(1))) : 0);
  }

  void ended(LightClient client, String why) {
    ended(client, why, 0);
  }

  /** The connection is over without our will; told once or more. */
  private void ended(LightClient client, String why, long atLeastMilliseconds) {
    if (client.state == State.ENDING) {
      return;
    }
    boolean was = client.state == State.CONNECTED;
    forget(client);
    if (was) {
      counts.add(Count.LOST);
      lostAt[client.user] = System.nanoTime();
    }
    counts.error(why);
    client.close();
    if (ending) {
      return;
    }
    if (isFinal(why)) {
      counts.error("gone-for-good");
      return;
    }
    int attempt = was ? 0 : client.attempt;
    long range =
        Math.min(
            MAX_BACKOFF_MILLISECONDS, MIN_BACKOFF_MILLISECONDS << Math.min(attempt, MAX_DOUBLINGS));
    long backoff =
        atLeastMilliseconds
            + MIN_BACKOFF_MILLISECONDS
            + ThreadLocalRandom.current().nextLong(range);
    int user = client.user;
    int next = client.attempt + 1;
    var unused =
        loop.schedule(
            () -> {
              if (!ending && clients[user] == null) {
                open(user, next, System.nanoTime());
              }
            },
            backoff,
            TimeUnit.MILLISECONDS);
  }

  /** Codes from 3500 on mean: do not come back. */
  private static boolean isFinal(String why) {
    return why.startsWith("closed-35") || why.startsWith("closed-45");
  }

  private void leave(LightClient client) {
    if (client.state == State.ENDING) {
      return;
    }
    if (client.state == State.CONNECTED) {
      client.write(Frames.CLOSE, NORMAL_CLOSURE);
      client.flush();
      counts.add(Count.CLOSED);
    }
    forget(client);
    client.close();
  }

  private void forget(LightClient client) {
    if (client.state == State.CONNECTED) {
      connected--;
    } else {
      opening--;
    }
    client.state = State.ENDING;
    if (clients[client.user] == client) {
      clients[client.user] = null;
    }
  }

  /** Handles the messages of a frame, one on each line. */
  void onText(LightClient client, ByteBuf in, int start, int length) {
    if (scratch.length < length) {
      scratch = new byte[2 * length];
    }
    in.getBytes(start, scratch, 0, length);
    int from = 0;
    while (from < length && client.state != State.ENDING) {
      int to = from;
      while (to < length && scratch[to] != '\n') {
        to++;
      }
      onMessage(client, from, to);
      from = to + 1;
    }
  }

  private void onMessage(LightClient client, int from, int to) {
    if (to - from == PONG.length) {
      client.heardAt = System.nanoTime();
      client.write(Frames.TEXT, PONG);
    } else if (to - from > 2 && scratch[from + 2] == 'p') {
      onPush(client, from, to);
    } else {
      onReply(client, Arrays.copyOfRange(scratch, from, to));
    }
  }

  private void onPush(LightClient client, int from, int to) {
    long offset = number(OFFSET, from, to);
    if (offset != ABSENT) {
      if (offset <= offsets[client.user]) {
        counts.add(Count.DUPLICATES);
        return;
      }
      offsets[client.user] = offset;
    }
    long sent = number(TIME, from, to);
    if (sent == ABSENT) {
      return;
    }
    counts.add(Count.RECEIVED);
    counts.add(Timing.MESSAGE, System.nanoTime() - sent);
    if (plan.talk() == Talk.ANSWER && offset == ABSENT) {
      counts.add(Count.SENT);
      client.write(Frames.TEXT, "{\"send\":{\"data\":{\"t\":%d}}}".formatted(sent).getBytes(UTF_8));
    }
  }

  /** The number behind a name, or {@link #ABSENT}. */
  private long number(byte[] name, int from, int to) {
    for (int i = from; i <= to - name.length; i++) {
      if (scratch[i] == name[0]
          && Arrays.equals(scratch, i, i + name.length, name, 0, name.length)) {
        long number = 0;
        for (int j = i + name.length; j < to && scratch[j] >= '0' && scratch[j] <= '9'; j++) {
          number = 10 * number + scratch[j] - '0';
        }
        return number;
      }
    }
    return ABSENT;
  }

  private void onReply(LightClient client, byte[] message) {
    try {
      for (ServerFrame frame : JsonCodec.INSTANCE.decodeFrames(message)) {
        if (frame instanceof Reply reply) {
          if (reply.result() instanceof ConnectResult result) {
            onConnected(client, result);
          } else {
            counts.add(Count.ACKNOWLEDGED);
            counts.add(Timing.MESSAGE, System.nanoTime() - sentAt[reply.id() & (IDS - 1)]);
          }
        } else if (frame instanceof ErrorReply error) {
          if (error.id() == CONNECT_ID) {
            ended(client, "error-" + error.code());
          } else {
            counts.error("error-" + error.code());
          }
        }
      }
    } catch (MalformedFrameException malformed) {
      ended(client, "malformed");
    }
  }

  private void onConnected(LightClient client, ConnectResult result) {
    long now = System.nanoTime();
    client.state = State.CONNECTED;
    client.heardAt = now;
    opening--;
    connected++;
    pingNanos = TimeUnit.SECONDS.toNanos(result.ping());
    counts.add(Count.OPENED);
    counts.add(Timing.CONNECT, now - client.intendedAt);
    if (lostAt[client.user] != 0) {
      counts.add(Timing.AWAY, now - lostAt[client.user]);
      lostAt[client.user] = 0;
    }
    SubscribeResult own = result.subs().get("#" + name(client.user));
    if (own == null) {
      return;
    }
    if (own.wasRecovering() && !own.recovered()) {
      counts.error("unrecovered");
    }
    if (!own.recovered()) {
      String epoch = own.position().epoch();
      epochs[client.user] = knownEpochs.computeIfAbsent(epoch, same -> same);
      offsets[client.user] = own.position().offset();
    }
  }

  private void say(long intended) {
    LightClient client = someone();
    if (client == null) {
      counts.error("nobody-to-send");
      return;
    }
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
    counts.add(Count.SENT);
    client.write(Frames.TEXT, command.getBytes(StandardCharsets.US_ASCII));
    client.flush();
  }

  private @Nullable LightClient someone() {
    int first = ThreadLocalRandom.current().nextInt(clients.length);
    for (int i = 0; i < clients.length; i++) {
      LightClient client = clients[(first + i) % clients.length];
      if (client != null && client.state == State.CONNECTED) {
        return client;
      }
    }
    return null;
  }

  private String name(int user) {
    return plan.prefix() + (plan.firstUser() + user);
  }
}
