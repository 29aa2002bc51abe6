package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@link Worker}, seen from the coordinator. Thread-safe. */
public final class WorkerProcess implements AutoCloseable {

  private static final List<String> OPTIONS =
      List.of(
          "-Xmx512m",
          "-XX:+UseSerialGC",
          "-XX:+UseCompactObjectHeaders",
          "--enable-native-access=ALL-UNNAMED",
          "--sun-misc-unsafe-memory-access=allow");

  private final Process process;
  private final PrintWriter orders;
  private final Thread reader;
  private Counts counts = new Counts();
  private int connected;

  /** Starts one; it does nothing before it is told to. */
  public WorkerProcess(WorkerPlan plan) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(OPTIONS);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Worker.class.getName()));
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    orders = new PrintWriter(process.outputWriter(UTF_8), true);
    orders.println(plan.toLine());
    reader = Thread.ofPlatform().daemon().name("worker-" + process.pid()).start(this::read);
  }

  public void connect() {
    orders.println(Worker.CONNECT);
  }

  public void run() {
    orders.println(Worker.RUN);
  }

  public void rest() {
    orders.println(Worker.REST);
  }

  /** Closes all; they can connect again. */
  public void leave() {
    orders.println(Worker.LEAVE);
  }

  /** Asks for what has happened, rather than to wait until it says so by itself. */
  public void report() {
    orders.println(Worker.REPORT);
  }

  public synchronized int connected() {
    return connected;
  }

  /** What has happened since the last call, as far as it has said. */
  public synchronized Counts takeCounts() {
    Counts taken = counts;
    counts = new Counts();
    return taken;
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** Closes its connections, ends the process, and waits for that. */
  @Override
  public void close() {
    orders.close();
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      reader.join();
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private void read() {
    try (BufferedReader lines = process.inputReader(UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        int tab = line.indexOf('\t');
        Counts told = Counts.parse(line.substring(tab + 1));
        synchronized (this) {
          connected = Integer.parseInt(line.substring(0, tab));
          counts.add(told);
        }
      }
    } catch (IOException broken) {
      throw new UncheckedIOException("lost worker " + process.pid(), broken);
    }
  }
}
