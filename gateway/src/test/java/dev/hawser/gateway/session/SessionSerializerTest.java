package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.io.NotSerializableException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.pekko.Done;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.typed.Cluster;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SessionSerializerTest {

  private static final ActorTestKit KIT =
      ActorTestKit.create(
          "forms",
          ConfigFactory.parseString(
                  "hawser.cluster.port = 0, pekko.remote.artery.canonical.port = 0,"
                      + " pekko.cluster.roles = [gateway]")
              .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
              .withFallback(ConfigFactory.defaultReferenceUnresolved())
              .resolve());

  private static final SessionSerializer SERIALIZER =
      new SessionSerializer((ExtendedActorSystem) Adapter.toClassic(KIT.system()));

  private static final UniqueAddress NODE = Cluster.get(KIT.system()).selfMember().uniqueAddress();
  private static final ActorRef<Edge.Message> EDGE = KIT.<Edge.Message>createTestProbe().ref();
  private static final ActorRef<Done> ASKER = KIT.<Done>createTestProbe().ref();

  private static final PushEvent FULL =
      new PushEvent(
          "用户/ü😀",
          "id-ß",
          "größe",
          "42:client",
          true,
          Map.of("größe", "ü", "", ""),
          new Payload("{\"ä\":1}".getBytes(UTF_8)));

  private static final PushEvent BARE =
      new PushEvent("alice", null, null, null, false, Map.of(), Payload.EMPTY);

  /** An empty text is something else than none. */
  private static final PushEvent EMPTY =
      new PushEvent("alice", "", "", "", true, Map.of(), Payload.EMPTY);

  private static final Acknowledgements DEVICES =
      Acknowledgements.NONE.and("电话", 7).and("", 0).and("tablet", Long.MAX_VALUE);

  @AfterAll
  static void end() {
    KIT.shutdownTestKit();
  }

  private static StreamEvent event(PushEvent pushed) {
    return new StreamEvent(pushed, Long.MAX_VALUE, -7);
  }

  private static Session.Attach attach(StreamPosition since) {
    return new Session.Attach(since, 3, new RemoteOutbox(-9, "电话", EDGE, NODE));
  }

  /** All kinds, with as much and as little in them as there can be. */
  static Stream<Object> messages() {
    var events = List.of(event(FULL), event(BARE), event(EMPTY));
    var mails = events.stream().map(event -> new MailboxState.Mail(event, 5)).toList();
    return Stream.of(
        attach(new StreamPosition(11, "epöch")),
        attach(new StreamPosition(0, "")),
        new Session.Attach(null, 0, new RemoteOutbox(1, "", EDGE, NODE)),
        new Session.Detach(Long.MIN_VALUE),
        new Session.Acknowledge(1, 2),
        new Session.Push(FULL, 12, 13, Feeds.ELSEWHERE, ASKER),
        new Session.Push(BARE, 0, 0, Feeds.ELSEWHERE, ASKER),
        new Session.Push(EMPTY, 0, 0, Feeds.ELSEWHERE, ASKER),
        new Session.Locate(NODE, ASKER),
        new Mailbox.Kept("epöch", events, 1, 2, DEVICES, 3),
        new Mailbox.Kept("", List.of(), 0, 0, Acknowledgements.NONE, 0),
        new Mailbox.Acknowledged("epöch", "电话", 8),
        new MailboxState("epöch", mails, 1, 2, DEVICES, Map.of("电话", 9L, "", -1L)),
        MailboxState.EMPTY,
        new Edge.Attached(1, NODE, new StreamPosition(2, "epöch"), true),
        new Edge.Attached(1, NODE, new StreamPosition(2, ""), false),
        new Edge.Deliver(new long[] {1, -2, Long.MAX_VALUE}, event(FULL), 6),
        new Edge.Deliver(new long[0], event(BARE), 6),
        new Edge.Nothing(new long[] {1, -2}, 3, Long.MAX_VALUE),
        new Edge.Disconnect(4, new DisconnectCode(4_999, "geh heim, 用户")),
        new Edge.Released(5),
        new Edge.Status(NODE, "wss://ä.example/connection/websocket", true, new long[] {0, -1, 9}),
        new Edge.Status(NODE, "", false, new long[0]));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void whatIsReadIsWhatWasWritten(Object message) throws Exception {
    Object read = SERIALIZER.fromBinary(SERIALIZER.toBinary(message), manifest(message));
    // Records with arrays are not equal by themselves; addresses have fields that are filled late.
    assertThat(read)
        .usingRecursiveComparison()
        .withEqualsForType(UniqueAddress::equals, UniqueAddress.class)
        .isEqualTo(message);
  }

  private static String manifest(Object message) {
    return SERIALIZER.manifest(message);
  }

  @Test
  void aMailboxThatDoesNotSayWhoIsBehindIsReadToo() throws Exception {
    var mails = List.of(new MailboxState.Mail(event(FULL), 5));
    var state = new MailboxState("epöch", mails, 1, 2, DEVICES, Map.of());
    byte[] bytes = SERIALIZER.toBinary(state);
    byte[] older = Arrays.copyOf(bytes, bytes.length - Integer.BYTES);
    assertThat(SERIALIZER.fromBinary(older, "ms")).usingRecursiveComparison().isEqualTo(state);
  }

  @Test
  void everyKindHasALetterOfItsOwn() {
    var kinds = messages().map(Object::getClass).distinct().toList();
    var letters = messages().map(SessionSerializerTest::manifest).distinct().toList();
    assertThat(letters).hasSameSizeAs(kinds).hasSize(14);
  }

  @Test
  void whatANodeThatIsStillToBeUpdatedSaysOfItselfIsUnderstood() throws Exception {
    var status = new Edge.Status(NODE, "", true, new long[0]);
    byte[] bytes = SERIALIZER.toBinary(status);
    // An empty list, and before it what older nodes do not say.
    byte[] older = Arrays.copyOf(bytes, bytes.length - 1);
    Arrays.fill(older, older.length - Integer.BYTES, older.length, (byte) 0);
    assertThat(SERIALIZER.fromBinary(older, "s"))
        .usingRecursiveComparison()
        .withEqualsForType(UniqueAddress::equals, UniqueAddress.class)
        .isEqualTo(status);
  }

  @ParameterizedTest
  @MethodSource("messages")
  void whatIsCutIsRefused(Object message) {
    byte[] whole = SERIALIZER.toBinary(message);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> SERIALIZER.fromBinary(cut, manifest(message)))
          .as("%d of %d bytes", length, whole.length)
          .isInstanceOf(NotSerializableException.class);
    }
  }

  /** What is damaged may be read as another message, but nothing else may come of it. */
  @ParameterizedTest
  @MethodSource("messages")
  void whatIsDamagedIsReadOrRefused(Object message) {
    byte[] whole = SERIALIZER.toBinary(message);
    var random = new Random(4_711);
    for (int i = 0; i < 2_000; i++) {
      byte[] damaged = whole.clone();
      for (int places = 1 + random.nextInt(4); places > 0; places--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      }
      readOrRefuse(damaged, manifest(message));
    }
  }

  @ParameterizedTest
  @MethodSource("messages")
  void garbageIsReadOrRefused(Object message) {
    var random = new Random(4_711);
    for (int i = 0; i < 2_000; i++) {
      byte[] garbage = new byte[random.nextInt(200)];
      random.nextBytes(garbage);
      readOrRefuse(garbage, manifest(message));
    }
  }

  private static void readOrRefuse(byte[] bytes, String manifest) {
    try {
      assertThat(SERIALIZER.fromBinary(bytes, manifest)).isNotNull();
    } catch (NotSerializableException refused) {
      assertThat(refused).hasMessageNotContaining(": null");
    } catch (RuntimeException | Error other) {
      throw new AssertionError("%s of %s".formatted(manifest, Arrays.toString(bytes)), other);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"mk", "ms", "mb", "d", "s", "S", "P", "ma", "L"})
  void aLengthThatTheMessageCannotHoldIsRefusedBeforeRoomIsMade(String manifest) {
    for (int length : new int[] {Integer.MAX_VALUE, Integer.MIN_VALUE, -1, 61}) {
      byte[] bytes = ByteBuffer.allocate(64).putInt(length).array();
      assertThatThrownBy(() -> SERIALIZER.fromBinary(bytes, manifest))
          .isInstanceOf(NotSerializableException.class)
          .hasMessageContaining(Integer.toString(length));
    }
  }

  @Test
  void anUnknownKindIsRefused() {
    assertThatThrownBy(() -> SERIALIZER.fromBinary(new byte[8], "Z"))
        .isInstanceOf(NotSerializableException.class)
        .hasMessageContaining("unknown kind Z");
  }

  @Test
  void whatNeverLeavesItsNodeHasNoForm() {
    var local = new Session.Secure(1, ASKER);
    assertThatThrownBy(() -> SERIALIZER.manifest(local))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> SERIALIZER.toBinary(local))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
