package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.NotSerializableException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.serialization.SerializerWithStringManifest;
import org.jspecify.annotations.Nullable;

/**
 * The form of what sessions and edges of different nodes say to each other: fields in order,
 * numbers big-endian, text and bytes behind their length (4 bytes). One letter tells the kind; a
 * new form gets a new letter, so that nodes of two versions understand each other during a rolling
 * update.
 */
public final class SessionSerializer extends SerializerWithStringManifest {

  /** Unique in the cluster, and never to be changed. */
  private static final int IDENTIFIER = 4_919;

  private final ActorRefResolver references;

  /** Called by Pekko. */
  public SessionSerializer(ExtendedActorSystem system) {
    this.references = ActorRefResolver.get(Adapter.toTyped(system));
  }

  @Override
  public int identifier() {
    return IDENTIFIER;
  }

  @Override
  public String manifest(Object message) {
    return switch (message) {
      case Session.Attach attach -> "A";
      case Session.Detach detach -> "D";
      case Session.Push push -> "P";
      case Session.Locate locate -> "L";
      case Session.Acknowledge acknowledge -> "K";
      case Mailbox.Kept kept -> "mk";
      case Mailbox.Acknowledged acknowledged -> "ma";
      case MailboxState state -> "mb";
      case Session.Publish publish -> "U";
      case Session.Published published -> "u";
      case Session.Disconnect disconnect -> "X";
      case Session.Refresh refresh -> "E";
      case Edge.Attached attached -> "a";
      case Edge.Deliver deliver -> "d";
      case Edge.Nothing nothing -> "o";
      case Edge.Disconnect disconnect -> "x";
      case Edge.Refresh refresh -> "e";
      case Edge.Describe describe -> "N";
      case NodeInfo node -> "n";
      case Edge.Released released -> "r";
      case Edge.Status status -> "S";
      default -> throw new IllegalArgumentException("never leaves its node: " + message.getClass());
    };
  }

  @Override
  public byte[] toBinary(Object message) {
    var bytes = new ByteArrayOutputStream(256);
    try (var out = new DataOutputStream(bytes)) {
      switch (message) {
        case Session.Attach attach -> {
          writePosition(out, attach.since());
          out.writeLong(attach.acknowledged());
          RemoteOutbox outbox =
              switch (attach.outbox()) {
                case Attachment here -> here.remote();
                case RemoteOutbox elsewhere -> elsewhere;
              };
          out.writeLong(outbox.id());
          writeText(out, outbox.device());
          writeReference(out, outbox.edge());
          writeNode(out, outbox.node());
        }
        case Session.Detach detach -> out.writeLong(detach.connectionId());
        case Session.Acknowledge acknowledge -> {
          out.writeLong(acknowledge.connectionId());
          out.writeLong(acknowledge.offset());
        }
        case Mailbox.Kept kept -> {
          writeText(out, kept.epoch());
          out.writeInt(kept.events().size());
          for (StreamEvent event : kept.events()) {
            writeEvent(out, event);
          }
          out.writeLong(kept.since());
          out.writeLong(kept.upTo());
          writeAcknowledgements(out, kept.acknowledged());
          out.writeLong(kept.at());
        }
        case Mailbox.Acknowledged acknowledged -> {
          writeText(out, acknowledged.epoch());
          writeText(out, acknowledged.device());
          out.writeLong(acknowledged.offset());
        }
        case MailboxState state -> {
          writeText(out, state.epoch());
          out.writeInt(state.mails().size());
          for (MailboxState.Mail mail : state.mails()) {
            writeEvent(out, mail.event());
            out.writeLong(mail.at());
          }
          out.writeLong(state.since());
          out.writeLong(state.upTo());
          writeAcknowledgements(out, state.acknowledged());
          writeByDevice(out, state.behind());
        }
        case Session.Push push -> {
          writeEvent(out, new StreamEvent(push.event(), push.offset(), push.excluded()));
          writeReference(out, push.replyTo());
        }
        case Session.Locate locate -> {
          writeNode(out, locate.node());
          writeReference(out, locate.replyTo());
        }
        case Session.Publish publish -> {
          writeEvent(out, publish.event());
          writeReference(out, publish.replyTo());
        }
        case Session.Published published -> writePosition(out, published.position());
        case Session.Disconnect disconnect -> {
          writeCode(out, disconnect.code());
          out.writeLong(disconnect.only());
          writeLongs(out, disconnect.except().stream().mapToLong(Long::longValue).toArray());
          writeReference(out, disconnect.replyTo());
        }
        case Session.Refresh refresh -> {
          out.writeLong(refresh.expiresAt());
          out.writeLong(refresh.only());
          writeReference(out, refresh.replyTo());
        }
        case Edge.Attached attached -> {
          out.writeLong(attached.connection());
          writeNode(out, attached.owner());
          writePosition(out, attached.position());
          out.writeBoolean(attached.recovered());
        }
        case Edge.Deliver deliver -> {
          writeLongs(out, deliver.connections());
          writeEvent(out, deliver.event());
          out.writeLong(deliver.previous());
        }
        case Edge.Nothing nothing -> {
          writeLongs(out, nothing.connections());
          out.writeLong(nothing.behind());
          out.writeLong(nothing.upTo());
        }
        case Edge.Disconnect disconnect -> {
          out.writeLong(disconnect.connection());
          writeCode(out, disconnect.code());
        }
        case Edge.Refresh refresh -> {
          out.writeLong(refresh.connection());
          out.writeLong(refresh.expiresAt());
        }
        case Edge.Describe describe -> writeReference(out, describe.replyTo());
        case NodeInfo node -> {
          writeText(out, node.uid());
          writeText(out, node.name());
          writeText(out, node.version());
          out.writeInt(node.connections());
          out.writeInt(node.users());
          out.writeLong(node.uptime());
        }
        case Edge.Released released -> out.writeLong(released.connection());
        case Edge.Status status -> {
          writeNode(out, status.node());
          writeText(out, status.url());
          out.writeBoolean(status.ready());
          writeLongs(out, status.reached());
        }
        default -> throw new IllegalArgumentException("no form for " + message.getClass());
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }

  @Override
  public Object fromBinary(byte[] bytes, String manifest) throws NotSerializableException {
    try (var in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      return switch (manifest) {
        case "A" -> {
          StreamPosition since = readPosition(in);
          long acknowledged = in.readLong();
          long connection = in.readLong();
          String device = readText(in);
          ActorRef<Edge.Message> edge = readReference(in);
          yield new Session.Attach(
              since, acknowledged, new RemoteOutbox(connection, device, edge, readNode(in)));
        }
        case "D" -> new Session.Detach(in.readLong());
        case "K" -> new Session.Acknowledge(in.readLong(), in.readLong());
        case "mk" -> {
          String epoch = readText(in);
          var events = new ArrayList<StreamEvent>();
          for (int count = length(in, 1); count > 0; count--) {
            events.add(readEvent(in));
          }
          yield new Mailbox.Kept(
              epoch, events, in.readLong(), in.readLong(), readAcknowledgements(in), in.readLong());
        }
        case "ma" -> new Mailbox.Acknowledged(readText(in), readText(in), in.readLong());
        // Before it was known how long devices are away.
        case "ms" -> readMailbox(in, false);
        case "mb" -> readMailbox(in, true);
        case "P" -> {
          StreamEvent event = readEvent(in);
          yield new Session.Push(
              event.event(), event.offset(), event.excluded(), Feeds.ELSEWHERE, readReference(in));
        }
        case "L" -> new Session.Locate(readNode(in), readReference(in));
        case "U" -> new Session.Publish(readPushEvent(in), readReference(in));
        case "u" -> new Session.Published(readKnownPosition(in));
        case "X" ->
            new Session.Disconnect(
                readCode(in),
                in.readLong(),
                LongStream.of(readLongs(in)).boxed().toList(),
                readReference(in));
        case "E" -> new Session.Refresh(in.readLong(), in.readLong(), readReference(in));
        case "a" ->
            new Edge.Attached(in.readLong(), readNode(in), readKnownPosition(in), in.readBoolean());
        case "d" -> new Edge.Deliver(readLongs(in), readEvent(in), in.readLong());
        case "o" -> new Edge.Nothing(readLongs(in), in.readLong(), in.readLong());
        case "x" -> new Edge.Disconnect(in.readLong(), readCode(in));
        case "e" -> new Edge.Refresh(in.readLong(), in.readLong());
        case "N" -> new Edge.Describe(readReference(in));
        case "n" ->
            new NodeInfo(
                readText(in),
                readText(in),
                readText(in),
                in.readInt(),
                in.readInt(),
                in.readLong());
        case "r" -> new Edge.Released(in.readLong());
        case "S" -> new Edge.Status(readNode(in), readText(in), in.readBoolean(), readLongs(in));
        // Of a node that is still to be updated: it does not say whether it takes clients.
        case "s" -> new Edge.Status(readNode(in), readText(in), true, readLongs(in));
        default -> throw new NotSerializableException("unknown kind " + manifest);
      };
    } catch (IOException | IllegalArgumentException broken) {
      throw new NotSerializableException(
          "message of kind %s, %d bytes: %s".formatted(manifest, bytes.length, broken));
    }
  }

  private static void writeEvent(DataOutputStream out, StreamEvent event) throws IOException {
    writeEvent(out, event.event());
    out.writeLong(event.offset());
    out.writeLong(event.excluded());
  }

  private static StreamEvent readEvent(DataInputStream in) throws IOException {
    return new StreamEvent(readPushEvent(in), in.readLong(), in.readLong());
  }

  private static void writeEvent(DataOutputStream out, PushEvent pushed) throws IOException {
    writeText(out, pushed.user());
    writeText(out, pushed.id());
    writeText(out, pushed.name());
    writeText(out, pushed.excludedClient());
    out.writeBoolean(pushed.kept());
    out.writeInt(pushed.tags().size());
    for (var tag : pushed.tags().entrySet()) {
      writeText(out, tag.getKey());
      writeText(out, tag.getValue());
    }
    writeBytes(out, pushed.payload().bytes());
  }

  private static PushEvent readPushEvent(DataInputStream in) throws IOException {
    return new PushEvent(
        readText(in),
        readNullableText(in),
        readNullableText(in),
        readNullableText(in),
        in.readBoolean(),
        readTags(in),
        new Payload(readBytes(in)));
  }

  private static Map<String, String> readTags(DataInputStream in) throws IOException {
    int count = length(in, 2 * Integer.BYTES);
    if (count == 0) {
      return Map.of();
    }
    var tags = new HashMap<String, String>();
    for (int i = 0; i < count; i++) {
      tags.put(readText(in), readText(in));
    }
    return tags;
  }

  private static void writeCode(DataOutputStream out, DisconnectCode code) throws IOException {
    out.writeShort(code.code());
    writeText(out, code.reason());
  }

  private static DisconnectCode readCode(DataInputStream in) throws IOException {
    return new DisconnectCode(in.readUnsignedShort(), readText(in));
  }

  private static MailboxState readMailbox(DataInputStream in, boolean saysWhoIsBehind)
      throws IOException {
    String epoch = readText(in);
    var mails = new ArrayList<MailboxState.Mail>();
    for (int count = length(in, 1); count > 0; count--) {
      mails.add(new MailboxState.Mail(readEvent(in), in.readLong()));
    }
    return new MailboxState(
        epoch,
        mails,
        in.readLong(),
        in.readLong(),
        readAcknowledgements(in),
        saysWhoIsBehind ? readByDevice(in) : Map.of());
  }

  private static void writeAcknowledgements(DataOutputStream out, Acknowledgements acknowledged)
      throws IOException {
    writeByDevice(out, acknowledged.byDevice());
  }

  private static Acknowledgements readAcknowledgements(DataInputStream in) throws IOException {
    return new Acknowledgements(readByDevice(in));
  }

  private static void writeByDevice(DataOutputStream out, Map<String, Long> byDevice)
      throws IOException {
    out.writeInt(byDevice.size());
    for (var entry : byDevice.entrySet()) {
      writeText(out, entry.getKey());
      out.writeLong(entry.getValue());
    }
  }

  private static Map<String, Long> readByDevice(DataInputStream in) throws IOException {
    var byDevice = new HashMap<String, Long>();
    for (int count = length(in, 1); count > 0; count--) {
      byDevice.put(readText(in), in.readLong());
    }
    return byDevice;
  }

  private static void writePosition(DataOutputStream out, @Nullable StreamPosition position)
      throws IOException {
    writeText(out, position == null ? null : position.epoch());
    if (position != null) {
      out.writeLong(position.offset());
    }
  }

  private static StreamPosition readKnownPosition(DataInputStream in) throws IOException {
    StreamPosition position = readPosition(in);
    if (position == null) {
      throw new NotSerializableException("expected a position");
    }
    return position;
  }

  private static @Nullable StreamPosition readPosition(DataInputStream in) throws IOException {
    String epoch = readNullableText(in);
    return epoch == null ? null : new StreamPosition(in.readLong(), epoch);
  }

  private static void writeNode(DataOutputStream out, UniqueAddress node) throws IOException {
    writeText(out, node.address().toString());
    out.writeLong(node.longUid());
  }

  private static UniqueAddress readNode(DataInputStream in) throws IOException {
    return new UniqueAddress(AddressFromURIString.parse(readText(in)), in.readLong());
  }

  private void writeReference(DataOutputStream out, ActorRef<?> reference) throws IOException {
    writeText(out, references.toSerializationFormat(reference));
  }

  private <T> ActorRef<T> readReference(DataInputStream in) throws IOException {
    return references.resolveActorRef(readText(in));
  }

  private static void writeLongs(DataOutputStream out, long[] numbers) throws IOException {
    out.writeInt(numbers.length);
    for (long number : numbers) {
      out.writeLong(number);
    }
  }

  private static long[] readLongs(DataInputStream in) throws IOException {
    long[] numbers = new long[length(in, Long.BYTES)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = in.readLong();
    }
    return numbers;
  }

  private static void writeText(DataOutputStream out, @Nullable String text) throws IOException {
    if (text == null) {
      out.writeInt(-1);
    } else {
      writeBytes(out, text.getBytes(UTF_8));
    }
  }

  private static String readText(DataInputStream in) throws IOException {
    return new String(readBytes(in), UTF_8);
  }

  private static @Nullable String readNullableText(DataInputStream in) throws IOException {
    in.mark(Integer.BYTES);
    if (in.readInt() == -1) {
      return null;
    }
    in.reset();
    return readText(in);
  }

  private static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static byte[] readBytes(DataInputStream in) throws IOException {
    byte[] bytes = new byte[length(in, 1)];
    in.readFully(bytes);
    return bytes;
  }

  /** A length that the rest of the message can hold. */
  private static int length(DataInputStream in, int size) throws IOException {
    int length = in.readInt();
    if (length < 0 || (long) length * size > in.available()) {
      throw new IOException("has a length of %d and %d bytes".formatted(length, in.available()));
    }
    return length;
  }
}
