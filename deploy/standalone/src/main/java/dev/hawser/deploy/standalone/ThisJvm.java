package dev.hawser.deploy.standalone;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The JVM that this process runs on, for child processes. */
final class ThisJvm {

  private ThisJvm() {}

  /**
   * Its program, with the options that this process was given, others behind them, which win, and
   * the class path. A main class is not among them.
   */
  static List<String> command(List<String> options) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    return command;
  }

  /** The same for a node that logs what {@link NodeConsole} reads, and ends with this process. */
  static List<String> node(List<String> options, Path configuration) {
    List<String> all = new ArrayList<>(options);
    all.addAll(NodeConsole.LOGGING);
    List<String> command = command(all);
    command.addAll(
        List.of(
            Hawser.class.getName(),
            "node",
            "--config",
            configuration.toString(),
            "--exit-with-parent"));
    return command;
  }
}
