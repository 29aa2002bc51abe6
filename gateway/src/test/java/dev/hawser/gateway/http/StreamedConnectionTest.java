package dev.hawser.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.ConnectionLoop;
import dev.hawser.gateway.connection.PlayedServices;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.http.javadsl.model.ws.Message;
import org.apache.pekko.http.javadsl.model.ws.TextMessage;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.SinkQueueWithCancel;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The stream of one connection, without a socket. */
class StreamedConnectionTest {

  private final ActorSystem<Void> system =
      ActorSystem.create(
          Behaviors.empty(),
          "streams",
          ConfigFactory.parseString("pekko.actor.provider = local")
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());
  private final Materializer materializer = SystemMaterializer.get(system).materializer();
  private final PlayedServices played = new PlayedServices("auth.anonymous = on");
  private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
  private final ConnectionLoop loop = new ConnectionLoop(thread, played.services.settings());

  @AfterEach
  void end() throws Exception {
    thread.shutdownNow();
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static Message connect() {
    return TextMessage.create(
        new String(JsonCodec.INSTANCE.encode(new ClientCommand.Connect(1, "")), UTF_8));
  }

  private CompletionStage<Message> firstAnswer(Source<Message, ?> client) {
    var connection =
        new StreamedConnection(played.services, loop, JsonCodec.INSTANCE, materializer);
    return client.via(connection.flow()).runWith(Sink.head(), system);
  }

  @Test
  void aMessageThatIsThereBeforeTheStreamHasStartedIsNotLost() throws Exception {
    List<CompletionStage<Message>> answers = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      answers.add(firstAnswer(Source.single(connect()).concat(Source.maybe())));
    }
    for (var answer : answers) {
      assertThat(
              answer
                  .toCompletableFuture()
                  .get(20, TimeUnit.SECONDS)
                  .asTextMessage()
                  .getStrictText())
          .contains("\"connect\":");
    }
  }

  @Test
  void aStreamThatStartsWhenTheServerHasStoppedEndsAtOnce() throws Exception {
    thread.shutdownNow();
    var connection =
        new StreamedConnection(played.services, loop, JsonCodec.INSTANCE, materializer);
    var answers =
        Source.single(connect())
            .concat(Source.<Message>maybe())
            .via(connection.flow())
            .runWith(Sink.seq(), system)
            .toCompletableFuture()
            .get(20, TimeUnit.SECONDS);

    assertThat(answers).isEmpty();
  }

  @Test
  void whoCannotBeGivenAllMessagesOfABroadcastIsToldThatItIsSlow() throws Exception {
    var connection =
        new StreamedConnection(played.services, loop, JsonCodec.INSTANCE, materializer);
    var client =
        Source.single(connect())
            .concat(Source.<Message>maybe())
            .via(connection.flow())
            .runWith(Sink.queue(), system);
    assertThat(text(client)).contains("\"connect\":");
    List<Payload> messages =
        IntStream.range(0, 3_000).mapToObj(i -> new Payload(("" + i).getBytes(UTF_8))).toList();
    var broadcast = new Broadcast(messages);
    loop.broadcast(
            (transport, codec) -> broadcast.frames(codec).forEach(transport::write),
            broadcast.messages())
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS);

    int received = 0;
    String next = text(client);
    for (; next.contains("\"message\":"); next = text(client)) {
      assertThat(next).isEqualTo("{\"push\":{\"message\":{\"data\":%d}}}".formatted(received));
      received++;
    }
    assertThat(received).isBetween(1_000, 1_100);
    assertThat(next).contains("\"disconnect\":{\"code\":3008");
    assertThat(text(client)).isEmpty();
    assertThat(played.closed()).containsExactly(3008);
  }

  /** The next message to the client; empty at the end. */
  private static String text(SinkQueueWithCancel<Message> client) throws Exception {
    return client
        .pull()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS)
        .map(message -> message.asTextMessage().getStrictText())
        .orElse("");
  }

  @Test
  void aFarewellToAStreamThatHasJustEndedDoesNoHarm() throws Exception {
    // Ends while connections are told to go; which comes first differs.
    for (int i = 0; i < 200; i++) {
      var connection =
          new StreamedConnection(played.services, loop, JsonCodec.INSTANCE, materializer);
      var ended = Source.single(connect()).via(connection.flow()).runWith(Sink.ignore(), system);
      var closed =
          java.util.concurrent.CompletableFuture.runAsync(
              () -> connection.close(DisconnectCode.SHUTDOWN), thread);

      closed.get(10, TimeUnit.SECONDS);
      ended.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }
}
