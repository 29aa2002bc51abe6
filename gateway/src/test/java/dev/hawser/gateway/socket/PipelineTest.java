package dev.hawser.gateway.socket;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.PlayedServices;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

/** What stays in memory for each connection. */
class PipelineTest {

  private static List<String> handlers(EmbeddedChannel channel) {
    return channel.pipeline().names().stream()
        .map(name -> name.replaceAll("#\\d+$", ""))
        .filter(name -> !name.startsWith("DefaultChannelPipeline"))
        .toList();
  }

  @Test
  void afterTheUpgradeOneHandlerIsLeft() {
    try (var thread = Executors.newSingleThreadScheduledExecutor()) {
      var services = new PlayedServices("").services;
      var loop = new ConnectionLoop(thread, services.settings());
      var channel =
          new EmbeddedChannel(
              new HttpServerCodec(),
              new HttpObjectAggregator(16 * 1_024),
              new Handshake(
                  new WebSocketSettings("localhost", 0, 1, "", 1, false, Optional.empty()),
                  services,
                  loop));
      channel.writeInbound(
          Unpooled.copiedBuffer(
              """
              GET /connection/websocket HTTP/1.1\r
              Host: localhost\r
              Upgrade: websocket\r
              Connection: Upgrade\r
              Sec-WebSocket-Version: 13\r
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
              \r
              """,
              ISO_8859_1));
      channel.runPendingTasks();

      ByteBuf answer = channel.readOutbound();
      assertThat(answer.toString(ISO_8859_1)).startsWith("HTTP/1.1 101 ");
      answer.release();
      assertThat(handlers(channel)).containsExactly("WebSocketConnection");
      channel.finishAndReleaseAll();
      thread.shutdownNow();
    }
  }
}
