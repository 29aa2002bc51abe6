package dev.hawser.peers;

import java.io.IOException;

/**
 * A WebSocket server on 127.0.0.1. What arrives on a connection to {@link #PUBLISH} goes to all
 * connections to {@link #SUBSCRIBE}, each with the library's own means; those of Socket.IO have a
 * protocol of their own for that.
 */
public interface PeerServer {

  /** Path of those who get messages. */
  String SUBSCRIBE = "/subscribe";

  /** Path of those who send them. */
  String PUBLISH = "/publish";

  /** The address it listens on. */
  String HOST = "127.0.0.1";

  /** Connections that wait to be accepted: as many as may come at once. */
  int BACKLOG = 4_096;

  /** The library and what it is built on, with versions. */
  String versions();

  /** Starts; returns once it listens, or a little earlier. */
  void listen(int port) throws Exception;

  /** Says its versions, listens, and ends when its input ends: with the process that started it. */
  static void run(PeerServer server, String[] arguments) throws Exception {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("expected one argument, the port");
    }
    System.out.println("versions: " + server.versions());
    server.listen(Integer.parseInt(arguments[0]));
    awaitEndOfInput();
    // Threads of the library would go on.
    Runtime.getRuntime().halt(0);
  }

  /** Version of the library that a class is from, as its jar is named: manifests often lack it. */
  static String versionOf(Class<?> type) {
    String jar = type.getProtectionDomain().getCodeSource().getLocation().getPath();
    return jar.replaceFirst(".*/[a-z-]+-([0-9].*)\\.jar", "$1");
  }

  private static void awaitEndOfInput() throws IOException {
    while (System.in.read() >= 0) {
      // Nobody says anything.
    }
  }
}
