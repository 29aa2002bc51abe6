package dev.hawser.peers;

import com.corundumstudio.socketio.Configuration;
import com.corundumstudio.socketio.SocketIOServer;
import com.corundumstudio.socketio.Transport;
import io.netty.channel.Channel;
import java.util.Map;

/** netty-socketio: a client's event {@code publish} goes to all others as {@code message}. */
public final class NettySocketIoPeer implements PeerServer {

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    PeerServer.run(new NettySocketIoPeer(), arguments);
  }

  @Override
  public String versions() {
    return "netty-socketio %s, Netty %s"
        .formatted(PeerServer.versionOf(SocketIOServer.class), PeerServer.versionOf(Channel.class));
  }

  @Override
  public void listen(int port) {
    var configuration = new Configuration();
    configuration.setHostname(HOST);
    configuration.setPort(port);
    configuration.setTransports(Transport.WEBSOCKET);
    configuration.setUseLinuxNativeEpoll(true);
    configuration.getSocketConfig().setAcceptBackLog(BACKLOG);
    var server = new SocketIOServer(configuration);
    server.addEventListener(
        "publish",
        Map.class,
        (sender, message, acknowledgement) ->
            server.getBroadcastOperations().sendEvent("message", sender, message));
    server.start();
  }
}
