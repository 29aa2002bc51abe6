package dev.hawser.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.hawser.protocol.client.JsonCodec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One JSON object of a call. Its fields are kept as the bytes they came as, since payloads are
 * delivered so. A field that is null counts as absent, except a payload. Unknown fields do no harm.
 */
final class ApiRequest {

  /** UTF-8 only: a guess at the charset would leave the parser without byte offsets. */
  private static final JsonFactory PARSERS =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private static final ApiRequest EMPTY = new ApiRequest(Map.of());

  private final Map<String, byte[]> fields;

  private ApiRequest(Map<String, byte[]> fields) {
    this.fields = fields;
  }

  /**
   * Reads objects that stand one after the other.
   *
   * @throws IllegalArgumentException if there are none, or anything else
   */
  static List<ApiRequest> readAll(byte[] body) {
    var requests = new ArrayList<ApiRequest>();
    try (JsonParser parser = PARSERS.createParser(body)) {
      while (parser.nextToken() != null) {
        byte[] value = value(body, parser);
        if (!JsonCodec.isJson(value) || value[0] != '{') {
          throw new IllegalArgumentException("expected a JSON object");
        }
        requests.add(read(value));
      }
    } catch (IOException broken) {
      // Not as the cause: Jackson's messages quote the body.
      throw new IllegalArgumentException("expected JSON");
    }
    if (requests.isEmpty()) {
      throw new IllegalArgumentException("expected a JSON object");
    }
    return requests;
  }

  /** Reads an object that is known to be one. */
  private static ApiRequest read(byte[] object) {
    var fields = new LinkedHashMap<String, byte[]>();
    try (JsonParser parser = PARSERS.createParser(object)) {
      parser.nextToken();
      for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
        parser.nextToken();
        fields.put(name, value(object, parser));
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return new ApiRequest(fields);
  }

  /** The value that the parser stands before. */
  private static byte[] value(byte[] body, JsonParser parser) throws IOException {
    int start = (int) parser.currentTokenLocation().getByteOffset();
    if (parser.currentToken().isScalarValue()) {
      parser.finishToken();
    } else {
      parser.skipChildren();
    }
    return Arrays.copyOfRange(body, start, (int) parser.currentLocation().getByteOffset());
  }

  /** Names of the fields, in their order. */
  Set<String> names() {
    return fields.keySet();
  }

  /** Whether it is there, and not null. */
  boolean has(String name) {
    return given(name) != null;
  }

  private byte @Nullable [] given(String name) {
    byte[] value = fields.get(name);
    return value == null || value[0] == 'n' ? null : value;
  }

  /** The value as it came; null, the JSON one, included. */
  byte @Nullable [] raw(String name) {
    return fields.get(name);
  }

  /** Empty if absent. */
  String text(String name) {
    byte[] value = given(name);
    return value == null ? "" : text(name, value);
  }

  private static String text(String name, byte[] value) {
    try (JsonParser parser = PARSERS.createParser(value)) {
      if (parser.nextToken() != JsonToken.VALUE_STRING) {
        throw ApiException.bad(name + " is no string");
      }
      String text = parser.getText();
      if (!UTF_8.newEncoder().canEncode(text)) {
        throw ApiException.bad(name + " has half a surrogate pair");
      }
      return text;
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  /** False if absent. */
  boolean flag(String name) {
    byte[] value = given(name);
    if (value == null) {
      return false;
    }
    if (value[0] != 't' && value[0] != 'f') {
      throw ApiException.bad(name + " is neither true nor false");
    }
    return value[0] == 't';
  }

  /** Whether it is there and a number. */
  boolean isNumber(String name) {
    byte[] value = fields.get(name);
    return value != null && (value[0] == '-' || Character.isDigit(value[0]));
  }

  /** 0 if absent. */
  long integer(String name) {
    byte[] value = given(name);
    if (value == null) {
      return 0;
    }
    try (JsonParser parser = PARSERS.createParser(value)) {
      if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
        throw ApiException.bad(name + " is no integer");
      }
      return parser.getLongValue();
    } catch (IOException tooLong) {
      throw ApiException.bad(name + " is out of range");
    }
  }

  /** Without fields if absent. */
  ApiRequest object(String name) {
    byte[] value = given(name);
    return value == null ? EMPTY : object(name, value);
  }

  private static ApiRequest object(String name, byte[] value) {
    if (value[0] != '{') {
      throw ApiException.bad(name + " is no object");
    }
    return read(value);
  }

  /** Empty if absent. */
  Map<String, String> textsByName(String name) {
    var texts = new LinkedHashMap<String, String>();
    object(name).fields.forEach((key, value) -> texts.put(key, text(name + " " + key, value)));
    return texts;
  }

  /** Empty if absent. */
  List<String> texts(String name) {
    return list(name).stream().map(value -> text(name, value)).toList();
  }

  /** Empty if absent; null for what is null. */
  List<@Nullable ApiRequest> objects(String name) {
    var objects = new ArrayList<@Nullable ApiRequest>();
    for (byte[] value : list(name)) {
      objects.add(value[0] == 'n' ? null : object(name, value));
    }
    return objects;
  }

  private List<byte[]> list(String name) {
    byte[] list = given(name);
    if (list == null) {
      return List.of();
    }
    if (list[0] != '[') {
      throw ApiException.bad(name + " is no array");
    }
    var values = new ArrayList<byte[]>();
    try (JsonParser parser = PARSERS.createParser(list)) {
      parser.nextToken();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        values.add(value(list, parser));
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return values;
  }
}
