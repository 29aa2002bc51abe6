package dev.hawser.protocol.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.domains.Domain;
import net.jqwik.api.domains.DomainContext;

@Domain(RandomMessages.class)
@Domain(DomainContext.Global.class)
class RoundTripTest {

  @Provide
  Arbitrary<Codec> codecs() {
    return Arbitraries.of(JsonCodec.INSTANCE, ProtobufCodec.INSTANCE);
  }

  @Property
  void commandsComeBackAsTheyWereSentManyInAFrame(
      @ForAll("codecs") Codec codec, @ForAll @Size(min = 1, max = 5) List<ClientCommand> commands) {
    byte[] frame = codec.encode(commands.toArray(ClientCommand[]::new));

    assertThat(codec.decodeCommands(frame)).isEqualTo(commands);
  }

  @Property
  void serverFramesComeBackAsTheyWereSentManyInAFrame(
      @ForAll("codecs") Codec codec, @ForAll @Size(min = 1, max = 5) List<ServerFrame> frames) {
    assertThat(codec.decodeFrames(codec.encode(frames))).isEqualTo(frames);
  }

  @Property
  void messagesEncodedOneByOneJoinToTheSameFrame(
      @ForAll("codecs") Codec codec, @ForAll @Size(min = 1, max = 5) List<ServerFrame> frames) {
    List<byte[]> encoded = frames.stream().map(codec::encode).toList();

    assertThat(codec.join(encoded)).isEqualTo(codec.encode(frames));
  }

  @Property(tries = 200)
  void protobufCarriesAnyBytes(@ForAll byte[] bytes) {
    var frame = new ServerFrame.Push("raw", new PushBody.Message(new Payload(bytes)));
    byte[] encoded = ProtobufCodec.INSTANCE.encode(frame);

    assertThat(ProtobufCodec.INSTANCE.decodeFrames(encoded)).containsExactly(frame);
  }
}
