package dev.hawser.deploy.standalone;

import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The ports of {@code hawser dev}, all moved by the same number. */
final class Ports {

  private static final int MAX_OFFSET = 10_000;

  @Option(
      names = "--port-offset",
      paramLabel = "N",
      defaultValue = "0",
      converter = OffsetConverter.class,
      description = "Moves all ports of hawser dev by N (0 to 10000; default: 0).")
  private int offset;

  private static final class OffsetConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      try {
        int offset = Integer.parseInt(text);
        if (offset >= 0 && offset <= MAX_OFFSET) {
          return offset;
        }
      } catch (NumberFormatException unreadable) {
        // Said below.
      }
      throw new TypeConversionException("%s, expected 0 to %d".formatted(text, MAX_OFFSET));
    }
  }

  static Ports movedBy(int offset) {
    var ports = new Ports();
    ports.offset = offset;
    return ports;
  }

  int offset() {
    return offset;
  }

  int webSocket() {
    return 8_000 + offset;
  }

  int http() {
    return 8_080 + offset;
  }

  int management() {
    return 7_626 + offset;
  }

  int cluster() {
    return 7_355 + offset;
  }

  int postgreSql() {
    return 54_320 + offset;
  }

  int kafka() {
    return 9_092 + offset;
  }

  int kafkaController() {
    return 9_093 + offset;
  }

  /** What each is for, by port. */
  Map<Integer, String> purposes() {
    var purposes = new LinkedHashMap<Integer, String>();
    purposes.put(webSocket(), "client WebSockets");
    purposes.put(http(), "HTTP");
    purposes.put(management(), "management");
    purposes.put(cluster(), "cluster");
    purposes.put(postgreSql(), "PostgreSQL");
    purposes.put(kafka(), "Kafka");
    purposes.put(kafkaController(), "Kafka controller");
    return purposes;
  }
}
