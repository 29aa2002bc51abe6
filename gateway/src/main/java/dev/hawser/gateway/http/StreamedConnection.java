package dev.hawser.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.connection.ClientConnection;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.Transport;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.PushBody;
import dev.hawser.protocol.client.ServerFrame;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.http.javadsl.model.ws.BinaryMessage;
import org.apache.pekko.http.javadsl.model.ws.Message;
import org.apache.pekko.http.javadsl.model.ws.TextMessage;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.BoundedSourceQueue;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.StreamLimitReachedException;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;
import org.jspecify.annotations.Nullable;

/**
 * One WebSocket of pekko-http as a {@link Transport}. pekko-http cannot send a close code of our
 * own, so the code goes out as a disconnect push before the end of the stream; SDKs act on it
 * alike.
 */
final class StreamedConnection implements Transport {

  private static final int MAX_PENDING_FRAMES = 1_024;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(3);

  private final ConnectionServices services;
  private final ConnectionLoop loop;
  private final Codec codec;
  private final Materializer materializer;
  private final AtomicInteger pendingBytes = new AtomicInteger();

  /** Messages can come in before the loop knows of the stream; they wait for this. */
  private final CompletableFuture<ClientConnection> opened = new CompletableFuture<>();

  private @Nullable BoundedSourceQueue<byte[]> queue;
  private @Nullable UniqueKillSwitch cut;
  private boolean closing;
  private @Nullable Future<?> farewell;

  StreamedConnection(
      ConnectionServices services, ConnectionLoop loop, Codec codec, Materializer materializer) {
    this.services = services;
    this.loop = loop;
    this.codec = codec;
    this.materializer = materializer;
  }

  /** To be run once. */
  Flow<Message, Message, NotUsed> flow() {
    Sink<Message, CompletionStage<Done>> in =
        Flow.of(Message.class).mapAsync(1, this::received).toMat(Sink.ignore(), Keep.right());
    Source<Message, Pair<BoundedSourceQueue<byte[]>, UniqueKillSwitch>> out =
        Source.<byte[]>queue(MAX_PENDING_FRAMES)
            .map(this::message)
            .viaMat(KillSwitches.single(), Keep.both());
    return Flow.fromSinkAndSourceCoupledMat(in, out, this::opened);
  }

  private NotUsed opened(
      CompletionStage<Done> ended, Pair<BoundedSourceQueue<byte[]>, UniqueKillSwitch> outgoing) {
    services.admission().entered(null);
    var unusedToo = ended.whenComplete((done, failure) -> services.admission().left(null));
    boolean opening =
        loop.execute(
            () -> {
              queue = outgoing.first();
              cut = outgoing.second();
              opened.complete(new ClientConnection(services, loop, this, codec));
            });
    if (!opening) {
      outgoing.second().shutdown();
      opened.cancel(false);
    }
    var unused =
        ended
            .handle((done, failure) -> Done.getInstance())
            .thenCombine(opened, (done, connection) -> loop.execute(this::closed));
    return NotUsed.getInstance();
  }

  // What the client does.

  private CompletionStage<Done> received(Message message) {
    CompletionStage<byte[]> whole =
        opened.thenCombine(bytes(message), (connection, frame) -> frame);
    return whole
        .handle(
            (frame, failure) -> {
              var handled = new CompletableFuture<Done>();
              boolean accepted =
                  loop.execute(
                      () -> {
                        try {
                          onFrame(frame, failure);
                        } finally {
                          handled.complete(Done.getInstance());
                        }
                      });
              if (!accepted) {
                handled.complete(Done.getInstance());
              }
              return handled;
            })
        .thenCompose(handled -> handled);
  }

  private void onFrame(byte @Nullable [] frame, @Nullable Throwable failure) {
    ClientConnection connection = opened.getNow(null);
    if (connection == null || closing) {
      return;
    }
    if (frame != null && frame.length <= services.settings().maxFrameBytes()) {
      connection.received(frame);
    } else if (frame != null || cause(failure) instanceof StreamLimitReachedException) {
      connection.close(DisconnectCode.BAD_REQUEST);
    } else {
      // The client went away in the middle of a message.
      closed();
    }
  }

  private static @Nullable Throwable cause(@Nullable Throwable failure) {
    return failure instanceof CompletionException wrapped ? wrapped.getCause() : failure;
  }

  private CompletionStage<byte[]> bytes(Message message) {
    if (message instanceof TextMessage text) {
      return text.isStrict()
          ? CompletableFuture.completedFuture(text.getStrictText().getBytes(UTF_8))
          : bytes(text.getStreamedText().map(ByteString::fromString));
    }
    BinaryMessage binary = message.asBinaryMessage();
    return binary.isStrict()
        ? CompletableFuture.completedFuture(binary.getStrictData().toArrayUnsafe())
        : bytes(binary.getStreamedData().map(part -> part));
  }

  private CompletionStage<byte[]> bytes(Source<ByteString, ?> parts) {
    return parts
        .limitWeighted(services.settings().maxFrameBytes(), part -> (long) part.size())
        .runFold(ByteString.emptyByteString(), ByteString::concat, materializer)
        .thenApply(ByteString::toArrayUnsafe);
  }

  private void closed() {
    closing = true;
    if (farewell != null) {
      var unused = farewell.cancel(false);
      farewell = null;
    }
    ClientConnection connection = opened.getNow(null);
    if (connection != null) {
      connection.closed();
    }
  }

  // What the server does.

  @Override
  public void write(byte[] frame) {
    ClientConnection connection = opened.getNow(null);
    if (queue == null || connection == null || closing) {
      return;
    }
    // Several can be written behind one question whether it is congested.
    if (queue.size() < MAX_PENDING_FRAMES - 1) {
      offer(queue, frame);
    } else {
      connection.close(DisconnectCode.SLOW);
    }
  }

  /** There must be room; so it is taken, unless the stream has ended. */
  private void offer(BoundedSourceQueue<byte[]> queue, byte[] frame) {
    pendingBytes.addAndGet(frame.length);
    if (!queue.offer(frame).isEnqueued()) {
      pendingBytes.addAndGet(-frame.length);
    }
  }

  private Message message(byte[] frame) {
    pendingBytes.addAndGet(-frame.length);
    return codec.isText()
        ? TextMessage.create(new String(frame, UTF_8))
        : BinaryMessage.create(ByteString.fromArrayUnsafe(frame));
  }

  @Override
  public boolean congested() {
    // The last places are for a reply and the disconnect push.
    return pendingBytes.get() > services.settings().maxPendingBytes()
        || (queue != null && queue.size() > MAX_PENDING_FRAMES - 2);
  }

  @Override
  public void close(DisconnectCode code) {
    UniqueKillSwitch cutOff = cut;
    if (queue == null || cutOff == null || closing) {
      return;
    }
    if (code.equals(DisconnectCode.CONNECTION_CLOSED)) {
      closing = true;
      cutOff.shutdown();
      return;
    }
    closing = true;
    offer(queue, codec.encode(new ServerFrame.Push("", new PushBody.Disconnect(code))));
    complete(queue);
    // Drops what the client does not take. Not a failure, which pekko-http would log as its own.
    farewell = loop.after(CLOSE_TIMEOUT, cutOff::shutdown);
  }

  private static void complete(BoundedSourceQueue<byte[]> queue) {
    try {
      queue.complete();
    } catch (IllegalStateException streamHasEnded) {
      // The client went away just now; there is nothing left to complete.
    }
  }
}
