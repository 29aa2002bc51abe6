package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.hawser.protocol.client.v2.ClientProtocol;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.domains.Domain;

/**
 * The codecs against classes generated from client.proto. A message goes record -> ProtobufCodec ->
 * generated class, and from there back by two ways: as Protobuf of the generated class, and as JSON
 * made of the field names in client.proto.
 */
@Domain(RandomMessages.class)
class GeneratedProtobufTest {

  @Property
  void generatedClassesAgreeOnCommands(@ForAll ClientCommand command) throws IOException {
    byte[] encoded = ProtobufCodec.INSTANCE.encode(command);
    Message generated =
        ClientProtocol.Command.parseDelimitedFrom(new ByteArrayInputStream(encoded));

    assertThat(ProtobufCodec.INSTANCE.decodeCommands(delimited(generated)))
        .containsExactly(command);
    assertThat(JsonCodec.INSTANCE.decodeCommands(json(generated))).containsExactly(command);
  }

  @Property
  void generatedClassesAgreeOnServerFrames(@ForAll ServerFrame frame) throws IOException {
    byte[] encoded = ProtobufCodec.INSTANCE.encode(frame);
    Message generated = ClientProtocol.Reply.parseDelimitedFrom(new ByteArrayInputStream(encoded));

    assertThat(ProtobufCodec.INSTANCE.decodeFrames(delimited(generated))).containsExactly(frame);
    assertThat(JsonCodec.INSTANCE.decodeFrames(json(generated))).containsExactly(frame);
  }

  private static byte[] delimited(Message message) throws IOException {
    var bytes = new ByteArrayOutputStream();
    message.writeDelimitedTo(bytes);
    return bytes.toByteArray();
  }

  private static byte[] json(Message message) {
    return object(message).getBytes(UTF_8);
  }

  private static String object(Message message) {
    assertThat(message.getUnknownFields().asMap()).isEmpty();
    return message.getAllFields().entrySet().stream()
        .map(field -> quoted(field.getKey().getName()) + ":" + field(field))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String field(Map.Entry<FieldDescriptor, Object> field) {
    FieldDescriptor descriptor = field.getKey();
    if (descriptor.isMapField()) {
      return ((List<?>) field.getValue())
          .stream()
              .map(entry -> mapEntry((Message) entry))
              .collect(Collectors.joining(",", "{", "}"));
    }
    if (descriptor.isRepeated()) {
      return ((List<?>) field.getValue())
          .stream()
              .map(element -> value(descriptor, element))
              .collect(Collectors.joining(",", "[", "]"));
    }
    return value(descriptor, field.getValue());
  }

  private static String mapEntry(Message entry) {
    FieldDescriptor key = entry.getDescriptorForType().findFieldByNumber(1);
    FieldDescriptor value = entry.getDescriptorForType().findFieldByNumber(2);
    return value(key, entry.getField(key)) + ":" + value(value, entry.getField(value));
  }

  private static String value(FieldDescriptor descriptor, Object value) {
    return switch (descriptor.getType()) {
      case MESSAGE -> object((Message) value);
      case STRING -> quoted((String) value);
      case BYTES -> ((ByteString) value).toStringUtf8();
      case UINT32 -> Integer.toUnsignedString((Integer) value);
      case UINT64 -> Long.toUnsignedString((Long) value);
      default -> value.toString();
    };
  }

  private static String quoted(String text) {
    return text.chars().mapToObj("\\u%04x"::formatted).collect(Collectors.joining("", "\"", "\""));
  }
}
