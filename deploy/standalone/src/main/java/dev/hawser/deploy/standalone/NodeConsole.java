package dev.hawser.deploy.standalone;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Help.Ansi;

/** What of a node in a process of its own is shown on the console, and how: after its name. */
final class NodeConsole {

  /** JVM options that make a node log what this class understands: all, with its logger. */
  static final List<String> LOGGING =
      List.of("-Dhawser.log.others=INFO", "-Dhawser.log.logger=%logger - ");

  /** What a node is at decides what matters. */
  enum Phase {
    /** Hawser's warnings do; others warn of nodes that are not there yet. */
    STARTING,
    /** All warnings do, and whatever Hawser says. */
    RUNNING,
    /** What Hawser says does; others warn of nodes that are not there any more. */
    STOPPING
  }

  private static final Pattern LINE =
      Pattern.compile("\\d{4}-\\d\\d-\\d\\d (\\d\\d:\\d\\d:\\d\\d\\.\\d{3}) (\\w+) +(\\S+) - (.*)");

  private static final List<String> COLOURS =
      List.of("cyan", "yellow", "green", "magenta", "blue", "red");

  private final String prefix;
  private boolean showing = true;

  NodeConsole(int number, String name) {
    String colour = COLOURS.get(number % COLOURS.size());
    Ansi ansi = Boolean.getBoolean("hawser.terminal") ? Ansi.AUTO : Ansi.OFF;
    this.prefix = ansi.string("@|%s %s|@ | ".formatted(colour, name));
  }

  /** Shows a line of the node's output if it matters. */
  void show(String line, Phase phase) {
    Matcher logged = LINE.matcher(line);
    if (!logged.matches()) {
      // More of the line before, such as its stack trace; or it is not from the log: it matters.
      if (showing) {
        say(line);
      }
      return;
    }
    String level = logged.group(2);
    boolean ofHawser = logged.group(3).startsWith("dev.hawser.");
    boolean warning = level.equals("WARN") || level.equals("ERROR");
    showing =
        switch (phase) {
          case STARTING -> ofHawser && warning;
          case RUNNING -> ofHawser || warning;
          case STOPPING -> ofHawser;
        };
    if (showing) {
      say("%s %-5s %s".formatted(logged.group(1), level, logged.group(4)));
    }
  }

  void say(String text) {
    System.err.println(prefix + text);
  }
}
