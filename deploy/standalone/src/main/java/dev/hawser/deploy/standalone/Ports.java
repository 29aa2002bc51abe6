package dev.hawser.deploy.standalone;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The ports of {@code hawser dev}, all moved by the same number. */
final class Ports {

  private static final int MAX_OFFSET = 10_000;

  private int offset;

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  @Option(
      names = "--port-offset",
      paramLabel = "N",
      defaultValue = "0",
      description = "Moves all ports of hawser dev by N (0 to 10000; default: 0).")
  void setOffset(int offset) {
    if (offset < 0 || offset > MAX_OFFSET) {
      String problem = "--port-offset is %d, expected 0 to %d".formatted(offset, MAX_OFFSET);
      throw command == null
          ? new IllegalArgumentException(problem)
          : new ParameterException(command.commandLine(), problem);
    }
    this.offset = offset;
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
