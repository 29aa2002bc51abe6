package dev.hawser.gateway.socket;

import dev.hawser.gateway.connection.ClientConnection;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Transport;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import io.netty.channel.ChannelHandlerContext;
import org.jspecify.annotations.Nullable;

/** A WebSocket that carries a client connection. */
final class WebSocketConnection extends WebSocket implements Transport {

  private final ConnectionServices services;
  private final Codec codec;
  private @Nullable ClientConnection connection;

  WebSocketConnection(
      ConnectionServices services, ConnectionLoop loop, Codec codec, boolean compressing) {
    super(loop, services.settings().maxFrameBytes(), compressing);
    this.services = services;
    this.codec = codec;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    super.handlerAdded(added);
    connection = new ClientConnection(services, loop, this, codec);
  }

  @Override
  void received(boolean text, byte[] payload) {
    if (connection != null) {
      connection.received(payload);
    }
  }

  @Override
  void pinged(byte[] payload) {
    if (!isCongested()) {
      pong(payload);
    } else if (connection != null) {
      connection.close(DisconnectCode.SLOW);
    }
  }

  @Override
  void ended() {
    if (connection != null) {
      connection.closed();
      connection = null;
    }
  }

  @Override
  public void write(byte[] frame) {
    writeMessage(codec.isText(), frame);
  }

  @Override
  public boolean congested() {
    return isCongested();
  }

  @Override
  public void close(DisconnectCode code) {
    if (code.equals(DisconnectCode.CONNECTION_CLOSED)) {
      closeChannel();
    } else {
      end(code.code(), code.reason());
    }
  }
}
