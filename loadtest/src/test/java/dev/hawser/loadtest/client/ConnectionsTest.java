package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.loadtest.client.Counts.Count;
import dev.hawser.loadtest.client.Counts.Timing;
import dev.hawser.loadtest.client.WorkerPlan.Speech;
import dev.hawser.loadtest.client.WorkerPlan.Talk;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What clients do when a server sends them away, against a server that is this test itself. */
@Timeout(20)
class ConnectionsTest {

  private static final String SWITCHING =
      """
      HTTP/1.1 101 Switching Protocols\r
      Upgrade: websocket\r
      Connection: Upgrade\r
      Sec-WebSocket-Accept: %s\r
      \r
      """
          .formatted(Frames.ACCEPT);

  private static final String BUSY =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

  private final MultiThreadIoEventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final EventLoop loop = group.next();
  private ServerSocket server;
  private Connections connections;

  @BeforeEach
  void connectOneClient() throws IOException {
    server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    var plan =
        new WorkerPlan(
            List.of(URI.create("ws://127.0.0.1:%d/".formatted(server.getLocalPort()))),
            "",
            "user-",
            0,
            1,
            1,
            List.of("127.0.0.1"),
            1_000,
            0,
            0,
            100,
            Talk.NOTHING,
            Speech.PLAIN_TEXT);
    connections = new Connections(plan, loop);
    loop.execute(connections::connect);
    var unused = loop.scheduleAtFixedRate(connections::tick, 1, 1, TimeUnit.MILLISECONDS);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }

  /** Waits for a client's handshake, and answers it. */
  private Socket answer(String head) throws IOException {
    Socket client = server.accept();
    var tail = new StringBuilder();
    while (!tail.toString().endsWith("\r\n\r\n")) {
      tail.append((char) client.getInputStream().read());
    }
    client.getOutputStream().write(head.getBytes(US_ASCII));
    return client;
  }

  private static void send(Socket client, int opcode, byte[] content) throws IOException {
    var frame = ByteBuffer.allocate(2 + content.length);
    frame.put((byte) (0x80 | opcode)).put((byte) content.length).put(content);
    client.getOutputStream().write(frame.array());
  }

  private static void message(Socket client, long intended) throws IOException {
    send(client, Frames.TEXT, "{\"t\":%d}".formatted(intended).getBytes(US_ASCII));
  }

  /** All that happens until so many of it have been counted. */
  private Counts await(Count count, long number) throws Exception {
    var all = new Counts();
    while (all.of(count) < number) {
      Thread.sleep(10);
      all.add(loop.submit(connections::takeCounts).get());
    }
    return all;
  }

  @Test
  void whoIsRefusedComesBackWhenItWasToldTo() throws Exception {
    try (Socket refused = answer(BUSY)) {
      long refusedAt = System.nanoTime();
      try (Socket _ = answer(SWITCHING)) {
        long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - refusedAt);
        // A second as told, and the backoff of the SDKs.
        assertThat(waited).isBetween(1_400L, 4_000L);
      }
      assertThat(refused.getInputStream().read()).isEqualTo(-1);
    }
    assertThat(await(Count.OPENED, 1).errors()).containsEntry("http-503", 1L);
  }

  @Test
  void whatWasMeantToBeSentBeforeTheClientWasThereIsAReplay() throws Exception {
    long before = System.nanoTime();
    try (Socket client = answer(SWITCHING)) {
      await(Count.OPENED, 1);
      message(client, before);
      message(client, System.nanoTime());
      message(client, System.nanoTime());
      Counts counts = await(Count.RECEIVED, 3);
      assertThat(counts.of(Timing.REPLAYED).getTotalCount()).isEqualTo(1);
      assertThat(counts.of(Timing.MESSAGE).getTotalCount()).isEqualTo(2);
    }
  }

  @Test
  void whoIsToldNotToComeBackDoesNot() throws Exception {
    try (Socket client = answer(SWITCHING)) {
      send(client, Frames.CLOSE, ByteBuffer.allocate(2).putShort((short) 3_507).array());
      assertThat(await(Count.LOST, 1).errors())
          .isEqualTo(Map.of("closed-3507", 1L, "gone-for-good", 1L));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, false",
    "1009, false",
    "3499, false",
    "3500, true",
    "3600, true",
    "3999, true",
    "4499, false",
    "4500, true",
    "4999, true",
    "5500, false"
  })
  void codesAreFinalAsInTheProtocol(int code, boolean isFinal) {
    assertThat(Connections.isFinal(code)).isEqualTo(isFinal);
  }
}
