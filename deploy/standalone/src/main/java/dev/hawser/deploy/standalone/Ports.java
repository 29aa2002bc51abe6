package dev.hawser.deploy.standalone;

import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/**
 * The ports of {@code hawser dev}, all moved by the same number. Those of nodes are given to the
 * first node; each further node has the next number.
 */
final class Ports {

  /** With more, the WebSocket port of one node would come near the HTTP port of another. */
  static final int MAX_NODES = 9;

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

  int webSocket(int node) {
    return ofNode(8_000, node);
  }

  int http(int node) {
    return ofNode(8_080, node);
  }

  int management(int node) {
    return ofNode(7_626, node);
  }

  int cluster(int node) {
    return ofNode(7_355, node);
  }

  private int ofNode(int first, int node) {
    return first + offset + node - 1;
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
  Map<Integer, String> purposes(int nodes) {
    var purposes = new LinkedHashMap<Integer, String>();
    for (int node = 1; node <= nodes; node++) {
      String ofNode = nodes == 1 ? "" : " of node " + node;
      purposes.put(webSocket(node), "client WebSockets" + ofNode);
      purposes.put(http(node), "HTTP" + ofNode);
      purposes.put(management(node), "management" + ofNode);
      purposes.put(cluster(node), "cluster" + ofNode);
    }
    purposes.put(postgreSql(), "PostgreSQL");
    purposes.put(kafka(), "Kafka");
    purposes.put(kafkaController(), "Kafka controller");
    return purposes;
  }
}
