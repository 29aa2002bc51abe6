package dev.hawser.gateway.socket;

import dev.hawser.gateway.connection.ConnectionLoop;
import io.netty.channel.ChannelHandlerContext;

/**
 * Sends back what it gets, for conformance tools and latency checks. Who does not read is not read
 * from, so what waits for it is little more than one message.
 */
final class EchoSocket extends WebSocket {

  EchoSocket(ConnectionLoop loop, int maxMessageBytes, boolean compressing) {
    super(loop, maxMessageBytes, compressing);
  }

  @Override
  void received(boolean text, byte[] payload) {
    writeMessage(text, payload);
    read(!isCongested());
  }

  @Override
  void pinged(byte[] payload) {
    pong(payload);
    read(!isCongested());
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext unused) {
    read(!isCongested());
  }

  @Override
  void ended() {}
}
