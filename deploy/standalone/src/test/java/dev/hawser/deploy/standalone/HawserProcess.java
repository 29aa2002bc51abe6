package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The command in a process of its own, as a terminal runs it. */
final class HawserProcess implements AutoCloseable {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  final Process process;
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final Thread reader;

  HawserProcess(Path temporary, String... arguments) throws IOException {
    // A group of its own, as a terminal gives it one, and SIGINT as it is there: whoever started
    // this build in the background had it ignored.
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT", "setsid"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Djava.io.tmpdir=" + temporary);
    command.add("-XX:TieredStopAtLevel=1");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--sun-misc-unsafe-memory-access=allow");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Hawser.class.getName());
    command.addAll(List.of(arguments));
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    reader = Thread.ofVirtual().start(() -> process.inputReader(UTF_8).lines().forEach(lines::add));
  }

  /** Everything it has said. */
  String output() {
    return String.join("\n", lines);
  }

  /** Lines that warn, but of a machine that has too much to do. */
  List<String> warnings() {
    return output()
        .lines()
        .filter(line -> line.contains("WARN") && !line.contains("heartbeat was delayed"))
        .toList();
  }

  /** Waits until it has said this. */
  HawserProcess awaitOutput(String text) throws InterruptedException, TimeoutException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!output().contains(text)) {
      if (System.nanoTime() > deadline || !process.isAlive()) {
        throw new TimeoutException("expected \"%s\", got:%n%s".formatted(text, output()));
      }
      Thread.sleep(50);
    }
    return this;
  }

  /** Gives it these lines and the end of its input. */
  HawserProcess input(String text) throws IOException {
    try (var writer = process.outputWriter(UTF_8)) {
      writer.write(text);
    }
    return this;
  }

  /** Its exit code. */
  int awaitExit() throws InterruptedException, TimeoutException {
    if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      throw new TimeoutException("it does not end:\n" + output());
    }
    reader.join();
    return process.exitValue();
  }

  /** SIGTERM. Not Process.destroy, which closes the pipes, too: its last words would be lost. */
  void terminate() {
    process.toHandle().destroy();
  }

  /** Ctrl-C: SIGINT to the whole group, that is to PostgreSQL's tools as well. */
  void interrupt() throws IOException, InterruptedException {
    int exit = new ProcessBuilder("kill", "-INT", "--", "-" + process.pid()).start().waitFor();
    if (exit != 0) {
      throw new IOException("there is no group of process " + process.pid());
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
