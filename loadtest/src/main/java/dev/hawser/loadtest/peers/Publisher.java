package dev.hawser.loadtest.peers;

/** Publishes messages, each of which goes to everyone. Used by one thread. */
interface Publisher extends AutoCloseable {

  /** The message has the time in it at which it was meant to be sent. */
  void publish(long intended);

  @Override
  void close();

  /** The same content for all servers: about so many bytes, the intended time in it. */
  static String content(long intended, int bytes) {
    String time = "{\"t\":%d,\"p\":\"".formatted(intended);
    return time + "x".repeat(Math.max(0, bytes - time.length() - 2)) + "\"}";
  }
}
