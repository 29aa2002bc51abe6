package dev.hawser.loadtest.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.report.Sample.NodeSample;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Watches one process: CPU and resident set from /proc, pauses from its collector's log. */
public final class NodeProbe {

  /** Clock ticks of /proc/PID/stat, the same on all Linux machines of today. */
  private static final double TICK_SECONDS = 0.01;

  private static final Pattern RESIDENT = Pattern.compile("VmRSS:\\s+(\\d+) kB");
  private static final Pattern PAUSE = Pattern.compile("Pause.* (\\d+[.,]\\d+)ms$");
  private static final int KILOBYTE = 1024;

  /** User and system time, counted behind the name, which may have spaces and ends with ')'. */
  private static final int USER_TIME = 11;

  private final String name;
  private final long pid;
  private final @Nullable Path collectorLog;
  private long logRead;
  private double cpuSeconds;
  private long sampledAt;

  public NodeProbe(String name, long pid, @Nullable Path collectorLog) {
    this.name = name;
    this.pid = pid;
    this.collectorLog = collectorLog;
    this.cpuSeconds = cpuSeconds();
    this.sampledAt = System.nanoTime();
    skipLog();
  }

  public String name() {
    return name;
  }

  public long pid() {
    return pid;
  }

  /** What was used since the last sample; zeros once the process has ended. */
  public NodeSample sample() {
    double cpu = cpuSeconds();
    long now = System.nanoTime();
    double percent = 100 * Math.max(0, cpu - cpuSeconds) / ((now - sampledAt) / 1e9);
    cpuSeconds = cpu;
    sampledAt = now;
    return new NodeSample(name, percent, residentBytes(), pausedMilliseconds());
  }

  /** Since it started; 0 once it has ended. */
  public double cpuSeconds() {
    try {
      String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      return (Long.parseLong(fields[USER_TIME]) + Long.parseLong(fields[USER_TIME + 1]))
          * TICK_SECONDS;
    } catch (IOException gone) {
      return 0;
    }
  }

  public long residentBytes() {
    try {
      Matcher matcher =
          RESIDENT.matcher(Files.readString(Path.of("/proc", Long.toString(pid), "status")));
      return matcher.find() ? Long.parseLong(matcher.group(1)) * KILOBYTE : 0;
    } catch (IOException gone) {
      return 0;
    }
  }

  /** Collects its garbage, so that what is resident is needed; false if that cannot be done. */
  public boolean collectGarbage() throws IOException, InterruptedException {
    Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    if (!Files.isExecutable(jcmd)) {
      return false;
    }
    Process collecting =
        new ProcessBuilder(jcmd.toString(), Long.toString(pid), "GC.run")
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    return collecting.waitFor(30, TimeUnit.SECONDS) && collecting.exitValue() == 0;
  }

  private void skipLog() {
    try {
      logRead = collectorLog == null ? 0 : Files.size(collectorLog);
    } catch (IOException none) {
      logRead = 0;
    }
  }

  private double pausedMilliseconds() {
    if (collectorLog == null) {
      return 0;
    }
    try (var file = Files.newByteChannel(collectorLog)) {
      file.position(Math.min(logRead, file.size()));
      var bytes = ByteBuffer.allocate((int) (file.size() - file.position()));
      while (bytes.hasRemaining() && file.read(bytes) >= 0) {
        // Until it is all here.
      }
      String text = new String(bytes.array(), 0, bytes.position(), UTF_8);
      int whole = text.lastIndexOf('\n') + 1;
      logRead += text.substring(0, whole).getBytes(UTF_8).length;
      return text.substring(0, whole)
          .lines()
          .map(PAUSE::matcher)
          .filter(Matcher::find)
          .mapToDouble(pause -> Double.parseDouble(pause.group(1).replace(',', '.')))
          .sum();
    } catch (IOException none) {
      return 0;
    }
  }
}
