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
}
