package dev.hawser.deploy.standalone.check;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The network between clients and nodes: takes each client to any node that says it is ready (TCP),
 * and can be cut, or stall. What is on its way when it is cut is lost.
 */
final class Proxy implements AutoCloseable {

  private static final Duration PROBE_INTERVAL = Duration.ofMillis(500);
  private static final int CONNECT_TIMEOUT_MILLISECONDS = 1_000;
  private static final int BACKLOG = 1_024;
  private static final int BUFFER = 8_192;

  private final ServerSocket server;
  private final Set<NodeUnderTest> ready = ConcurrentHashMap.newKeySet();

  /** The sockets of clients. */
  private final Set<Socket> clients = ConcurrentHashMap.newKeySet();

  private final Object flow = new Object();
  private boolean stalled;
  private volatile boolean closed;

  Proxy(List<NodeUnderTest> nodes) throws IOException {
    this.server = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
    for (NodeUnderTest node : nodes) {
      Thread.ofVirtual().start(() -> probe(node));
    }
    Thread.ofVirtual().start(this::accept);
  }

  String url() {
    return "ws://127.0.0.1:%d/connection/websocket".formatted(server.getLocalPort());
  }

  /** Cuts some connections: a part of all, 0 to 1. */
  int cut(double part, Random random) {
    int cut = 0;
    for (Socket client : clients) {
      if (random.nextDouble() < part) {
        close(client);
        cut++;
      }
    }
    return cut;
  }

  /** Cuts all connections and takes no others, until it is opened. */
  void shut() {
    closed = true;
    clients.forEach(Proxy::close);
  }

  void open() {
    closed = false;
  }

  /** Nothing moves, in either direction; nobody is told. */
  void stall() {
    synchronized (flow) {
      stalled = true;
    }
  }

  /** Everything moves again that was not cut. */
  void flow() {
    synchronized (flow) {
      stalled = false;
      flow.notifyAll();
    }
  }

  private void probe(NodeUnderTest node) {
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
    } catch (IOException end) {
      // Closed.
    }
  }

  private void serve(Socket client) {
    clients.add(client);
    try (client;
        Socket node = connect()) {
      Thread back = Thread.ofVirtual().start(() -> copy(node, client));
      copy(client, node);
      back.join();
    } catch (IOException nobody) {
      // The client tries again.
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    } finally {
      clients.remove(client);
    }
  }

  private Socket connect() throws IOException {
    List<NodeUnderTest> choice = new ArrayList<>(closed ? Set.of() : ready);
    Collections.shuffle(choice);
    for (NodeUnderTest node : choice) {
      var socket = new Socket();
      try {
        socket.connect(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), node.webSocketPort()),
            CONNECT_TIMEOUT_MILLISECONDS);
        return socket;
      } catch (IOException refused) {
        socket.close();
      }
    }
    throw new IOException("no node is ready");
  }

  /** Until either side ends; then both do. */
  private void copy(Socket from, Socket to) {
    try (from;
        to;
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream()) {
      byte[] buffer = new byte[BUFFER];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        awaitFlow();
        out.write(buffer, 0, read);
      }
    } catch (IOException broken) {
      // Closed here, as well.
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitFlow() throws InterruptedException {
    synchronized (flow) {
      while (stalled) {
        flow.wait();
      }
    }
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException gone) {
      // That is what was wanted.
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    shut();
    flow();
  }
}
