package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.StreamPosition;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A connection that only remembers what its session said. */
final class HeardReceiver implements Receiver {

  private final LinkedBlockingQueue<String> heard = new LinkedBlockingQueue<>();

  private volatile @Nullable StreamPosition position;

  @Override
  public void attached(StreamPosition position, boolean recovered) {
    this.position = position;
    heard.add(recovered ? "recovered" : "attached");
  }

  @Override
  public void push(EncodedPush push) {
    heard.add(new String(push.in(JsonCodec.INSTANCE), UTF_8));
  }

  @Override
  public void passed(long offset) {
    heard.add("passed " + offset);
  }

  @Override
  public void refresh(long expiresAt) {
    heard.add("refresh " + expiresAt);
  }

  @Override
  public void disconnect(DisconnectCode code) {
    heard.add("disconnect " + code.code());
  }

  /** What the session said next. */
  String next() {
    try {
      String next = heard.poll(10, TimeUnit.SECONDS);
      assertThat(next).as("a word of the session").isNotNull();
      return next;
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  /** Where it began, once it was attached. */
  @Nullable StreamPosition position() {
    return position;
  }

  /** What it has said already, if anything. */
  @Nullable String already() {
    return heard.poll();
  }
}
