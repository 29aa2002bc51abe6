package dev.hawser.presence;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Stands between a node and PostgreSQL, and does to its connections what networks do. */
final class TcpProxy implements AutoCloseable {

  private final ServerSocket listener;
  private final int target;
  private final List<Link> links = new CopyOnWriteArrayList<>();
  private volatile String delayed = "";

  /** One connection through the proxy. */
  private final class Link {
    final Socket client;
    final Socket server;
    final CountDownLatch delivered = new CountDownLatch(1);
    final CountDownLatch clientClosed = new CountDownLatch(1);
    final CountDownLatch serverClosed = new CountDownLatch(1);
    volatile boolean cut;
    volatile boolean held;

    Link(Socket client) throws IOException {
      this.client = client;
      this.server = new Socket(InetAddress.getLoopbackAddress(), target);
      Thread.ofVirtual().start(this::toServer);
      Thread.ofVirtual().start(this::toClient);
    }

    private void toServer() {
      var buffer = new byte[1 << 16];
      try {
        while (true) {
          int read = client.getInputStream().read(buffer);
          if (read < 0) {
            clientClosed.countDown();
            if (!cut) {
              server.shutdownOutput();
            }
            return;
          }
          String bytes = new String(buffer, 0, read, ISO_8859_1);
          if (!delayed.isEmpty() && bytes.contains(delayed)) {
            held = true;
            delayed = "";
            delivered.await();
          }
          if (!cut) {
            server.getOutputStream().write(buffer, 0, read);
          }
        }
      } catch (IOException closed) {
        clientClosed.countDown();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    private void toClient() {
      var buffer = new byte[1 << 16];
      try {
        while (true) {
          int read = server.getInputStream().read(buffer);
          if (read < 0) {
            serverClosed.countDown();
            if (!cut) {
              client.close();
            }
            return;
          }
          if (!cut && !held) {
            client.getOutputStream().write(buffer, 0, read);
          }
        }
      } catch (IOException closed) {
        serverClosed.countDown();
      }
    }

    void close() throws IOException {
      client.close();
      server.close();
    }
  }

  TcpProxy(int target) {
    this.target = target;
    try {
      listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    Thread.ofVirtual().start(this::accept);
  }

  private void accept() {
    try {
      while (true) {
        links.add(new Link(listener.accept()));
      }
    } catch (IOException closed) {
      // The test is over.
    }
  }

  int port() {
    return listener.getLocalPort();
  }

  int connections() {
    return links.size();
  }

  /** On the connections there are nothing gets through any more, not even their end. */
  void cut() {
    links.forEach(link -> link.cut = true);
  }

  /** Whether the node has given up all connections that are cut. */
  boolean cutOnesAreClosed() {
    return links.stream().allMatch(link -> !link.cut || link.clientClosed.getCount() == 0);
  }

  /** The next packet with this text, and all behind it, does not arrive until it is delivered. */
  void delay(String text) {
    delayed = text;
  }

  boolean isDelaying() {
    return links.stream().anyMatch(link -> link.held);
  }

  /** Returns when PostgreSQL has worked off what was delayed, which the sender has given up. */
  void deliver() throws InterruptedException {
    for (Link link : links) {
      if (link.held) {
        link.delivered.countDown();
        if (!link.serverClosed.await(20, TimeUnit.SECONDS)) {
          throw new AssertionError("the connection was not given up by its sender");
        }
      }
    }
  }

  @Override
  public void close() {
    try {
      listener.close();
      for (Link link : links) {
        link.close();
      }
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
