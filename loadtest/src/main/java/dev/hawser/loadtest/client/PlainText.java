package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Who is upgraded is connected, and every text frame is a message with its intended send time. */
final class PlainText implements Dialect {

  private static final byte[] TIME = "\"t\":".getBytes(UTF_8);

  private final Connections connections;

  PlainText(Connections connections) {
    this.connections = connections;
  }

  @Override
  public void upgraded(LightClient client) {
    connections.connected(client, NO_PINGS);
  }

  @Override
  public void onText(LightClient client, byte[] text, int length) {
    long sent = Dialect.number(TIME, text, 0, length);
    if (sent != ABSENT) {
      connections.received(client, sent);
    }
  }

  @Override
  public void forget() {
    // There is nothing to remember.
  }
}
