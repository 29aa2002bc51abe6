package dev.hawser.protocol.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.domains.Domain;
import net.jqwik.api.domains.DomainContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Domain(RandomMessages.class)
@Domain(DomainContext.Global.class)
class GarbageTest {

  private static final JsonCodec JSON = JsonCodec.INSTANCE;
  private static final ProtobufCodec PROTOBUF = ProtobufCodec.INSTANCE;

  @Property
  void randomBytesAreDecodedOrMalformed(@ForAll byte[] bytes) {
    decodeOrMalformed(bytes);
  }

  @Property
  void cutFramesAreDecodedOrMalformed(
      @ForAll ClientCommand command, @ForAll ServerFrame frame, @ForAll long seed) {
    var random = new Random(seed);
    for (byte[] whole :
        new byte[][] {
          JSON.encode(command), JSON.encode(frame), PROTOBUF.encode(command), PROTOBUF.encode(frame)
        }) {
      decodeOrMalformed(Arrays.copyOf(whole, random.nextInt(whole.length)));
    }
  }

  @Property
  void mutatedFramesAreDecodedOrMalformed(
      @ForAll ClientCommand command, @ForAll ServerFrame frame, @ForAll long seed) {
    var random = new Random(seed);
    for (byte[] whole :
        new byte[][] {
          JSON.encode(command), JSON.encode(frame), PROTOBUF.encode(command), PROTOBUF.encode(frame)
        }) {
      byte[] mutated = whole.clone();
      for (int left = 1 + random.nextInt(3); left > 0; left--) {
        mutated[random.nextInt(mutated.length)] = (byte) random.nextInt();
      }
      decodeOrMalformed(mutated);
    }
  }

  @Property
  void aCutSingleProtobufMessageIsMalformed(@ForAll ClientCommand command) {
    byte[] whole = PROTOBUF.encode(command);
    for (int length = 0; length < whole.length; length++) {
      assertMalformed(PROTOBUF, Arrays.copyOf(whole, length));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " \n ",
        "{",
        "[]",
        "1",
        "null",
        "{}x",
        "\uFEFF{}",
        "{\"id\":-1}",
        "{\"id\":4294967296,\"rpc\":{}}",
        "{\"id\":1.0,\"rpc\":{}}",
        "{\"id\":\"1\",\"rpc\":{}}",
        "{\"id\":1,\"rpc\":[]}",
        "{\"id\":1,\"rpc\":{\"method\":7}}",
        "{\"id\":1,\"rpc\":{\"method\":\"\\ud800\"}}",
        "{\"id\":1,\"rpc\":{\"data\":01}}",
        "{\"id\":1,\"rpc\":{\"data\":1,\"data\":2}}",
        "{\"id\":1,\"id\":1,\"rpc\":{}}",
        "{\"id\":1,\"connect\":{\"headers\":{\"a\":\"\",\"a\":\"\"}}}",
        "{\"id\":1,\"subscribe\":{}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"c\",\"offset\":18446744073709551616}}",
        "{\"id\":1,\"ping\":{}}",
        "{\"id\":1}"
      })
  void aJsonFrameAgainstTheRulesIsMalformed(String frame) {
    assertMalformed(JSON, frame.getBytes(UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", // empty
        "05 08 01", // shorter than declared
        "ff ff ff ff 07", // 2 GiB declared
        "ff ff ff ff 0f", // a negative length declared
        "80 80 80 80 80 80 80 80 80 80 01", // an endless length
        "07 08 01 6a ff ff ff 7f", // rpc declares 256 MiB
        "08 08 01 6a 04 0a ff ff 7f", // payload declares 2 MiB
        "03 0a 01 31", // id of the wrong type
        "02 08 01", // an id alone
        "02 6a 01", // rpc without its content
        "01 00", // tag zero
        "01 1c", // a stray end of group
        "06 08 01 6a 02 12 ff", // method is cut
        "07 08 01 6a 03 12 01 ff", // method is not UTF-8
      })
  void aProtobufFrameAgainstTheRulesIsMalformed(String frame) {
    assertMalformed(PROTOBUF, HexFormat.ofDelimiter(" ").parseHex(frame.strip()));
  }

  @Test
  void stringsInJsonAreUtf8AlsoWhereTheyAreSkipped() {
    for (String bytes : new String[] {"c0 80", "ed a0 80", "f8 88 80 80", "f4 90 80 80", "e2 82"}) {
      byte[] bad = HexFormat.ofDelimiter(" ").parseHex(bytes);
      assertMalformed(JSON, concat("{\"unknown\":\"".getBytes(UTF_8), bad, "\"}".getBytes(UTF_8)));
    }
  }

  @Test
  void nestingWithoutEndIsMalformed() {
    byte[] arrays = "[".repeat(60_000).getBytes(UTF_8);
    assertMalformed(JSON, concat("{\"id\":1,\"rpc\":{\"data\":".getBytes(UTF_8), arrays));

    // Field 1000 as the start of a group within a group, and so on.
    byte[] groups = new byte[60_000];
    for (int i = 0; i < groups.length; i += 2) {
      groups[i] = (byte) 0xc3;
      groups[i + 1] = 0x3e;
    }
    assertMalformed(PROTOBUF, concat(new byte[] {(byte) 0xe0, (byte) 0xd4, 0x03}, groups));
  }

  @Test
  void aNumberWithoutEndIsMalformed() {
    byte[] digits = "9".repeat(60_000).getBytes(UTF_8);
    assertMalformed(JSON, concat("{\"id\":".getBytes(UTF_8), digits, "}".getBytes(UTF_8)));
  }

  @Test
  void theMessageTellsThePlaceAndNeverTheContent() {
    var frame =
        """
        {"id":1,"connect":{"token":"secret-1"}}
        {"id":2,"sub_refresh":{"channel":"secret-2","token":["secret-3"]}}""";
    assertThatExceptionOfType(MalformedFrameException.class)
        .isThrownBy(() -> JSON.decodeCommands(frame.getBytes(UTF_8)))
        .withMessage("message 2, field token, near byte 93: must be a string")
        .withNoCause();

    assertThatExceptionOfType(MalformedFrameException.class)
        .isThrownBy(() -> JSON.decodeCommands("{\"id\":1,\"rpc\":{secret".getBytes(UTF_8)))
        .withMessageNotContaining("secret")
        .withNoCause();
  }

  private static void decodeOrMalformed(byte[] frame) {
    for (Codec codec : new Codec[] {JSON, PROTOBUF}) {
      try {
        assertThat(codec.decodeCommands(frame)).isNotEmpty();
      } catch (MalformedFrameException malformed) {
        assertThat(malformed).hasNoCause();
      }
      try {
        assertThat(codec.decodeFrames(frame)).isNotEmpty();
      } catch (MalformedFrameException malformed) {
        assertThat(malformed).hasNoCause();
      }
    }
  }

  private static void assertMalformed(Codec codec, byte[] frame) {
    assertThatExceptionOfType(MalformedFrameException.class)
        .isThrownBy(() -> codec.decodeCommands(frame));
  }

  private static byte[] concat(byte[]... parts) {
    var all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }
}
