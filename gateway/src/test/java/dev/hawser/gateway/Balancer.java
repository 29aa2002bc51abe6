package dev.hawser.gateway;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** What stands before the nodes: takes each client to any node that says it is ready (TCP). */
final class Balancer implements AutoCloseable {

  private static final Duration PROBE_INTERVAL = Duration.ofMillis(500);
  private static final Duration STALL_INTERVAL = Duration.ofMillis(50);
  private static final int CONNECT_TIMEOUT_MILLISECONDS = 1_000;

  private final ServerSocket server;
  private volatile boolean cut;
  private volatile boolean stalled;
  private final Set<Node> ready = ConcurrentHashMap.newKeySet();
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

  Balancer(List<? extends Node> nodes) throws IOException {
    this.server = new ServerSocket(0, 1_024, InetAddress.getLoopbackAddress());
    ready.addAll(nodes);
    for (Node node : nodes) {
      Thread.ofVirtual().start(() -> probe(node));
    }
    Thread.ofVirtual().start(this::accept);
  }

  String url() {
    return "ws://127.0.0.1:%d/connection/websocket".formatted(server.getLocalPort());
  }

  /** Cuts all connections, and takes no others until it is told to go on. */
  void cut() throws IOException {
    cut = true;
    for (Socket socket : sockets) {
      socket.close();
    }
  }

  /** Carries nothing to clients any more, until it is told to go on. */
  void stall() {
    stalled = true;
  }

  void goOn() {
    cut = false;
    stalled = false;
  }

  private void probe(Node node) {
    try {
      while (!server.isClosed()) {
        if (node.isReady()) {
          ready.add(node);
        } else {
          ready.remove(node);
        }
        Thread.sleep(PROBE_INTERVAL);
      }
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private void accept() {
    try {
      while (true) {
        Socket client = server.accept();
        Thread.ofVirtual().start(() -> serve(client));
      }
    } catch (IOException closed) {
      // The end.
    }
  }

  private void serve(Socket client) {
    sockets.add(client);
    try (client;
        Socket node = connect()) {
      Thread back = Thread.ofVirtual().start(() -> copy(node, client, true));
      copy(client, node, false);
      back.join();
    } catch (IOException nobody) {
      // The client tries again.
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    } finally {
      sockets.remove(client);
    }
  }

  private Socket connect() throws IOException {
    List<Node> choice = new ArrayList<>(cut ? Set.of() : ready);
    Collections.shuffle(choice);
    for (Node node : choice) {
      var socket = new Socket();
      try {
        socket.connect(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), node.webSocketPort),
            CONNECT_TIMEOUT_MILLISECONDS);
        return socket;
      } catch (IOException refused) {
        socket.close();
      }
    }
    throw new IOException("no node is ready");
  }

  /** Until either side ends; then both do. */
  private void copy(Socket from, Socket to, boolean toClient) {
    try (from;
        to) {
      byte[] buffer = new byte[8_192];
      int length = from.getInputStream().read(buffer);
      while (length >= 0) {
        while (toClient && stalled) {
          Thread.sleep(STALL_INTERVAL);
        }
        to.getOutputStream().write(buffer, 0, length);
        length = from.getInputStream().read(buffer);
      }
    } catch (IOException broken) {
      // Closed here, as well.
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
