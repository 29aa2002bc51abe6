package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.management.ThreadMXBean;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.session.Receiver;
import dev.hawser.gateway.session.Sessions;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.StreamPosition;
import java.lang.management.ManagementFactory;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Measures what heartbeats cost: one ping with its pong, and those of a quarter of a million
 * connections on two loops, whose transports are not sockets but answer at once. Not run by the
 * build (its name does not end with Test); {@code docs/performance.md} has the commands and the
 * figures.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class HeartbeatCost {

  private static final int CONNECTIONS = 250_000;
  private static final int LOOPS = 2;

  /** More than two intervals, so that the first, from which on they spread, is not all. */
  private static final int SECONDS = 60;

  private static final byte[] PONG = "{}".getBytes(UTF_8);

  private final ConnectionServices services = services();
  private final ManualExecutor thread = new ManualExecutor();
  private @Nullable Client client;

  /** A transport that answers what is written to it with a pong, once its client is connected. */
  private static final class Client implements Transport {
    private final ClientConnection connection;
    private final LongAdder pongs;
    private boolean connected;

    Client(ConnectionServices services, ConnectionLoop loop, LongAdder pongs) {
      this.pongs = pongs;
      this.connection = new ClientConnection(services, loop, this, JsonCodec.INSTANCE);
    }

    void connect(byte[] command) {
      connection.received(command);
    }

    @Override
    public void write(byte[] frame) {
      if (connected) {
        pongs.increment();
        connection.received(PONG);
      } else {
        connected = true;
      }
    }

    @Override
    public boolean congested() {
      return false;
    }

    @Override
    public void close(DisconnectCode code) {
      throw new AssertionError("closed with " + code);
    }
  }

  private static final class NoSessions implements Sessions {
    @Override
    public void attach(
        String user,
        long connection,
        String device,
        @Nullable StreamPosition since,
        Receiver receiver) {
      throw new AssertionError("clients are anonymous");
    }

    @Override
    public void acknowledge(long connection, long offset) {
      throw new AssertionError("nothing was pushed");
    }

    @Override
    public void detach(long connection) {}
  }

  private static final class NoListener implements ConnectionListener {
    @Override
    public void connected(String user) {}

    @Override
    public void disconnected(String user) {}

    @Override
    public void closed(DisconnectCode code) {}

    @Override
    public void pushed() {}
  }

  private static ConnectionServices services() {
    Config config =
        ConfigFactory.parseString(
                "hawser { auth.anonymous = on, admission.max-connections = 1000000,"
                    + " admission.max-handshakes = 1000000 }")
            .withFallback(ConfigFactory.parseResources("reference.conf"))
            .withFallback(ConfigFactory.defaultReferenceUnresolved())
            .resolve();
    return new ConnectionServices(
        ConnectionSettings.from(config.getConfig("hawser.connection")),
        new Admission(AdmissionSettings.from(config.getConfig("hawser.admission"))),
        () -> DrainSettings.from(config.getConfig("hawser.drain")),
        new Authenticator(AuthenticatorSettings.from(config.getConfig("hawser.auth"))),
        new ConnectionId(() -> 1, Clock.systemUTC()),
        new NoSessions(),
        message -> CompletableFuture.failedFuture(new AssertionError("nothing is sent")),
        new NoListener(),
        "1.0.0");
  }

  private static byte[] connect(Codec codec) {
    return codec.encode(new ClientCommand.Connect(1, ""));
  }

  /** Runs the benchmark below. */
  @Test
  void perPing() throws RunnerException {
    new Runner(
            new OptionsBuilder()
                .include(HeartbeatCost.class.getName())
                .addProfiler(GCProfiler.class)
                .build())
        .run();
  }

  /** A client that is connected. */
  @Setup
  public void open() {
    var loop = new ConnectionLoop(thread, services.settings());
    client = new Client(services, loop, new LongAdder());
    client.connect(connect(JsonCodec.INSTANCE));
    thread.runWaiting();
  }

  /** A ping goes out, its pong comes in. */
  @Benchmark
  public void ping() {
    if (client != null) {
      client.connection.ping();
    }
  }

  @Test
  void quarterOfAMillion() throws Exception {
    var pongs = new LongAdder();
    List<ScheduledExecutorService> threads = new ArrayList<>();
    List<Long> ids = new ArrayList<>();
    byte[] connect = connect(JsonCodec.INSTANCE);
    var connected = new AtomicInteger();
    for (int i = 0; i < LOOPS; i++) {
      var thread = Executors.newSingleThreadScheduledExecutor();
      threads.add(thread);
      ids.add(thread.submit(() -> Thread.currentThread().threadId()).get());
      var loop = new ConnectionLoop(thread, services.settings());
      for (int n = 0; n < CONNECTIONS / LOOPS; n++) {
        thread.execute(
            () -> {
              new Client(services, loop, pongs).connect(connect);
              connected.incrementAndGet();
            });
      }
    }
    while (connected.get() < CONNECTIONS) {
      Thread.sleep(100);
    }
    // The first pings come after half to one interval; then they are compiled.
    Thread.sleep(services.settings().pingInterval().multipliedBy(2));
    var bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long cpu = ids.stream().mapToLong(bean::getThreadCpuTime).sum();
    long bytes = ids.stream().mapToLong(bean::getThreadAllocatedBytes).sum();
    long before = pongs.sum();
    Thread.sleep(SECONDS * 1_000L);
    cpu = ids.stream().mapToLong(bean::getThreadCpuTime).sum() - cpu;
    bytes = ids.stream().mapToLong(bean::getThreadAllocatedBytes).sum() - bytes;
    long number = pongs.sum() - before;
    System.out.printf(
        Locale.ROOT,
        "| %,d connections, %,.0f pings and pongs/s: %.2f %% of a core, %.1f bytes allocated each |%n",
        CONNECTIONS,
        (double) number / SECONDS,
        cpu / (SECONDS * 1e9) * 100,
        (double) bytes / number);
    threads.forEach(ScheduledExecutorService::shutdownNow);
  }
}
