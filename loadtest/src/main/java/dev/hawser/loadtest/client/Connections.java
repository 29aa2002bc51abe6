package dev.hawser.loadtest.client;

import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.client.LightClient.State;
import dev.hawser.protocol.client.DisconnectCode;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** All connections of a worker. One event loop carries them, and everything here runs on it. */
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

  /** Codes that WebSocket servers may choose; those below are WebSocket's own. */
  private static final int FIRST_OF_SERVERS = 3_000;

  private static final int LAST_OF_SERVERS = 4_999;

  private static final byte[] NORMAL_CLOSURE = {0x03, (byte) 0xe8};
  private static final Pattern RETRY_AFTER = Pattern.compile("(?i)\r\nretry-after: *(\\d+)");

  private final WorkerPlan plan;
  private final EventLoop loop;
  private final Doors doors;
  private final Dialect dialect;

  /** By number of the user within the worker; null while there is no connection. */
  private final @Nullable LightClient[] clients;

  /** When users lost their connection; 0 if they have not. */
  private final long[] lostAt;

  private byte[] scratch = new byte[SCRATCH_BYTES];

  private Counts counts = new Counts();
  private int connected;
  private int opening;
  private int started;
  private long pingNanos = Dialect.NO_PINGS;
  private boolean ending;
  private @Nullable Pace arrivals;
  private @Nullable Pace churn;
  private @Nullable Pace messages;

  Connections(WorkerPlan plan, EventLoop loop) {
    this.plan = plan;
    this.loop = loop;
    this.dialect =
        switch (plan.speech()) {
          case CENTRIFUGO -> new Centrifugo(this, plan);
          case PLAIN_TEXT -> new PlainText(this);
          case SOCKET_IO -> new SocketIo(this);
        };
    this.clients = new LightClient[plan.users()];
    this.lostAt = new long[plan.users()];
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
    leaveAll();
  }

  /** Closes all, who may connect again as if they had never been here. */
  void leaveAll() {
    arrivals = null;
    started = 0;
    rest();
    for (LightClient client : clients) {
      if (client != null) {
        leave(client);
      }
    }
    dialect.forget();
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
    // Those that were refused and will come again count, too: a cluster that is just warming up
    // must not get a crowd that grows with every second it cannot take it.
    while (arriving != null && arriving.isDue(now) && started - connected < MAX_OPENING) {
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
    dialect.upgraded(client);
  }

  /** Not a 101; a server that is too busy says when to come back. */
  void refused(LightClient client, String head) {
    int space = head.indexOf(' ');
    String status = space < 0 ? "0" : head.substring(space + 1, Math.min(space + 4, head.length()));
    Matcher retryAfter = RETRY_AFTER.matcher(head);
    ended(
        client,
        "http-" + status,
        retryAfter.find() ? TimeUnit.SECONDS.toMillis(Long.parseLong(retryAfter.group(1))) : 0,
        false);
  }

  /** The server has closed the connection, with a code that may mean not to come back. */
  void closed(LightClient client, int code) {
    ended(client, "closed-" + code, 0, isFinal(code));
  }

  void ended(LightClient client, String why) {
    ended(client, why, 0, false);
  }

  /** The connection is over without our will; told once or more. */
  private void ended(LightClient client, String why, long atLeastMilliseconds, boolean forGood) {
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
    if (forGood) {
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
              // Who has left with all others does not come back.
              if (!ending && user < started && clients[user] == null) {
                open(user, next, System.nanoTime());
              }
            },
            backoff,
            TimeUnit.MILLISECONDS);
  }

  /** As the SDKs see it: 3500 to 3999 and 4500 to 4999 mean not to come back. */
  static boolean isFinal(int code) {
    return code >= FIRST_OF_SERVERS
        && code <= LAST_OF_SERVERS
        && !new DisconnectCode(code, "closed").reconnect();
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

  void onText(LightClient client, ByteBuf in, int start, int length) {
    if (scratch.length < length) {
      scratch = new byte[2 * length];
    }
    in.getBytes(start, scratch, 0, length);
    dialect.onText(client, scratch, length);
  }

  /** The server has taken a client in, and pings it so often. */
  void connected(LightClient client, long everyNanos) {
    long now = System.nanoTime();
    client.state = State.CONNECTED;
    client.heardAt = now;
    client.connectedAt = now;
    opening--;
    connected++;
    pingNanos = everyNanos;
    counts.add(Count.OPENED);
    counts.add(Timing.CONNECT, now - client.intendedAt);
    if (lostAt[client.user] != 0) {
      counts.add(Timing.AWAY, now - lostAt[client.user]);
      lostAt[client.user] = 0;
    }
  }

  /**
   * A message has come that was meant to be sent at a time. If the client was away then, it says
   * how long the client was away, and nothing about how quick the server is.
   */
  void received(LightClient client, long sent) {
    counts.add(Count.RECEIVED);
    time(sent - client.connectedAt < 0 ? Timing.REPLAYED : Timing.MESSAGE, sent);
  }

  void count(Count count) {
    counts.add(count);
  }

  /** Since a time, of {@link System#nanoTime()}. */
  void time(Timing timing, long since) {
    counts.add(timing, System.nanoTime() - since);
  }

  void error(String kind) {
    counts.error(kind);
  }

  private void say(long intended) {
    LightClient client = someone();
    if (client == null) {
      counts.error("nobody-to-send");
      return;
    }
    switch (dialect) {
      case Centrifugo own -> own.say(client, intended);
      case PlainText _, SocketIo _ ->
          throw new IllegalStateException("clients talk to Hawser only");
    }
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
}
