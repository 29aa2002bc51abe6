package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.hawser.gateway.connection.RawClient.Frame;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.ProtobufCodec;
import dev.hawser.protocol.client.PushBody;
import dev.hawser.protocol.client.ServerFrame;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One message for everybody. */
class BroadcastTest {

  private static final int MEBIBYTE = 1_024 * 1_024;

  private static Broadcast broadcast(String... messages) {
    return new Broadcast(
        Stream.of(messages).map(message -> new Payload(message.getBytes(UTF_8))).toList());
  }

  private static ServerFrame message(String json) {
    return new ServerFrame.Push("", new PushBody.Message(new Payload(json.getBytes(UTF_8))));
  }

  @ParameterizedTest
  @EnumSource
  void everybodyWhoIsConnectedGetsAllMessagesInOrder(Door door) {
    try (var edge = Edge.open(door, "auth.anonymous = on");
        var early = edge.upgraded()) {
      List<RawClient> clients = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        for (Codec codec : List.of(JsonCodec.INSTANCE, ProtobufCodec.INSTANCE)) {
          clients.add(edge.connected("user-" + i % 3, codec));
        }
      }
      var anonymous = edge.upgraded();
      anonymous.connect("");
      clients.add(anonymous);
      edge.broadcast(broadcast("{\"n\":1}", "\"two\""));
      edge.broadcast(broadcast("3"));

      for (RawClient client : clients) {
        for (String expected : List.of("{\"n\":1}", "\"two\"", "3")) {
          assertThat(client.message()).isEqualTo(message(expected));
        }
        client.close();
      }
      assertThat(edge.played.pushed.get()).isEqualTo(21 * 3);
      early.connect(Tokens.of("late"));
      edge.broadcast(broadcast("4"));
      assertThat(early.message()).isEqualTo(message("4"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsNotJsonReachesThoseWhoDoNotSpeakIt(Door door) {
    try (var edge = Edge.open(door, "");
        var json = edge.connected("alice");
        var protobuf = edge.connected("bob", ProtobufCodec.INSTANCE)) {
      edge.broadcast(broadcast("not JSON", "1"));

      assertThat(protobuf.message()).isEqualTo(message("not JSON"));
      assertThat(protobuf.message()).isEqualTo(message("1"));
      assertThat(json.message()).isEqualTo(message("1"));
    }
  }

  private static long directMemory() {
    return ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT).metric().usedDirectMemory();
  }

  /** With a copy for each client of what waits, these would take 64 MiB. */
  @Test
  void whoDoesNotReadIsEndedAndAllWhoDoNotShareTheMemoryOfWhatWaits() throws Exception {
    try (var edge = Edge.open(Door.NETTY, "connection.max-pending-size = 8 MiB");
        var reading = edge.connected("reading")) {
      List<RawClient> deaf = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        var client = RawClient.dial(edge.port, 4_096);
        client.upgrade(JsonCodec.INSTANCE);
        client.connect(Tokens.of("deaf-" + i));
        deaf.add(client);
      }
      var received = new AtomicInteger();
      var window = new Semaphore(20);
      Thread.ofVirtual()
          .start(
              () -> {
                for (Frame frame = reading.frame();
                    frame != null && frame.opcode() == RawClient.TEXT;
                    frame = reading.frame()) {
                  received.incrementAndGet();
                  window.release();
                }
              });
      String large = "\"" + "x".repeat(60_000) + "\"";
      long before = directMemory();
      long most = 0;
      int sent = 0;
      while (ended(edge) < deaf.size() && sent < 2_000) {
        assertThat(window.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        edge.broadcast(broadcast(large));
        sent++;
        most = Math.max(most, directMemory() - before);
      }
      assertThat(ended(edge)).isEqualTo(deaf.size());
      assertThat(most).isBetween(MEBIBYTE * 4L, MEBIBYTE * 24L);
      int all = sent;
      await().until(() -> received.get() == all);
      deaf.forEach(RawClient::close);
    }
  }

  private static long ended(Edge edge) {
    return edge.played.heard.stream().filter("closed 3008"::equals).count();
  }

  @Test
  void manyClientsGetItInTurnsBetweenWhichOthersAreServed() {
    var thread = new ManualExecutor();
    var played = new PlayedServices("auth.anonymous = on");
    var loop = new ConnectionLoop(thread, played.services.settings());
    List<FakeTransport> transports = new ArrayList<>();
    List<ClientConnection> connections = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      var transport = new FakeTransport();
      var connection = new ClientConnection(played.services, loop, transport, JsonCodec.INSTANCE);
      connection.received(JsonCodec.INSTANCE.encode(new ClientCommand.Connect(1, "")));
      transports.add(transport);
      connections.add(connection);
    }
    thread.runWaiting();
    transports.forEach(FakeTransport::messages);
    Broadcast.Writer writer = (transport, codec) -> transport.write("{}".getBytes(UTF_8));
    var first = loop.broadcast(writer, 1).toCompletableFuture();
    var second = loop.broadcast(writer, 1).toCompletableFuture();
    var served = new AtomicInteger(-1);
    thread.execute(
        () -> {
          served.set(written(transports));
          // Those who go meanwhile do not get it, and nobody else suffers.
          connections.forEach(
              connection -> {
                if (connections.indexOf(connection) % 10 == 0) {
                  connection.closed();
                }
              });
        });
    thread.runWaiting();

    assertThat(served.get()).isBetween(1, 200);
    assertThat(first).isCompleted();
    assertThat(second).isCompleted();
    IntStream.range(0, 1_000)
        .filter(i -> i % 10 != 0)
        .forEach(i -> assertThat(transports.get(i).written).hasSize(2));
    assertThat(written(transports)).isLessThan(1_800 + 100);
  }

  private static int written(List<FakeTransport> transports) {
    return transports.stream().mapToInt(transport -> transport.written.size()).sum();
  }
}
