package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.PlayedServices;
import dev.hawser.gateway.connection.Tokens;
import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.gateway.session.Receiver;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
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
 * Measures what a heartbeat and a push cost from the frame that came in to the frame that goes out:
 * Netty's pipeline with the handler that sockets have, and all behind it, but no socket. Not run by
 * the build (its name does not end with Test); {@code docs/performance.md} has the command and the
 * figures.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 2, time = 5)
@Measurement(iterations = 3, time = 5)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "-Dio.netty.leakDetection.level=disabled", // as in bin/jvm.options
      "-Djmh.executor=CUSTOM",
      "-Djmh.executor.class=dev.hawser.gateway.socket.SocketCost$EventLoopThreads"
    })
public class SocketCost {

  private static final String USER = "alice";

  /** The answer to a ping. */
  private static final byte[] PONG = {'{', '}'};

  private static final Payload PAYLOAD =
      new Payload(("\"" + "x".repeat(98) + "\"").getBytes(UTF_8));

  private final PlayedServices played = new PlayedServices("");
  private final EmbeddedChannel channel = new EmbeddedChannel();
  private final ByteBuf pong = masked(PONG);
  private @Nullable Receiver client;
  private long offset;

  /**
   * Threads as event loops have them: Netty reuses its objects and buffers on no others as well.
   */
  public static final class EventLoopThreads extends ThreadPoolExecutor {
    /** As JMH asks for them. */
    public EventLoopThreads(int threads, String name) {
      super(
          threads,
          threads,
          0,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          new DefaultThreadFactory(name));
    }
  }

  private static ByteBuf masked(byte[] payload) {
    byte[] mask = {1, 2, 3, 4};
    ByteBuf frame = Unpooled.directBuffer();
    frame.writeByte(FrameReader.FINAL | FrameReader.TEXT);
    if (payload.length < 126) {
      frame.writeByte(0x80 | payload.length);
    } else {
      frame.writeByte(0x80 | 126).writeShort(payload.length);
    }
    frame.writeBytes(mask);
    for (int i = 0; i < payload.length; i++) {
      frame.writeByte(payload[i] ^ mask[i % 4]);
    }
    return frame;
  }

  /** Runs the benchmarks below. */
  @Test
  void perFrame() throws RunnerException {
    new Runner(
            new OptionsBuilder()
                .include(SocketCost.class.getName())
                .addProfiler(GCProfiler.class)
                .build())
        .run();
  }

  /** A client that is connected. Time stands still, so that no ping comes but those that count. */
  @Setup
  public void open() {
    channel.freezeTime();
    var loop = new ConnectionLoop(channel.eventLoop(), played.services.settings());
    channel
        .pipeline()
        .addLast(new WebSocketConnection(played.services, loop, JsonCodec.INSTANCE, false));
    channel.writeInbound(
        masked(JsonCodec.INSTANCE.encode(new ClientCommand.Connect(1, Tokens.of(USER)))));
    client = played.outbox(USER);
    if (written() == 0) {
      throw new AssertionError("the client is not connected");
    }
  }

  /** A ping goes out, its pong comes in. */
  @Benchmark
  public int heartbeat() {
    if (client != null) {
      played.ping(client);
    }
    int bytes = written();
    pong.readerIndex(0);
    channel.pipeline().fireChannelRead(pong.retain());
    return bytes;
  }

  /** An event of 100 bytes is encoded and goes out. */
  @Benchmark
  public int push() {
    if (client != null) {
      offset++;
      client.push(
          new EncodedPush(new ServerFrame.Push("#" + USER, Publication.of(PAYLOAD, offset))));
    }
    return written();
  }

  /** Bytes that went out; the turn of the loop ends before. */
  private int written() {
    channel.runPendingTasks();
    int bytes = 0;
    for (ByteBuf out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
      bytes += out.readableBytes();
      out.release();
    }
    return bytes;
  }
}
