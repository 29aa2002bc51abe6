package dev.hawser.gateway.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Measures what TLS costs on the WebSocket port, with each provider beside none: resident memory of
 * an idle connection, and CPU and rate of full handshakes (no session is resumed), upgrade
 * included. The server has a process of its own, new in each round, and no session behind its
 * connections. Not run by the build (its name does not end with Test); {@code docs/performance.md}
 * has the command and the figures.
 */
class TlsCost {

  private static final int ROUNDS = 3;
  private static final int WARM_UP = 2_000;
  private static final int HANDSHAKES = 3_000;
  private static final int CONNECTIONS = 2_000;
  private static final int THREADS = 4;
  private static final List<String> PROVIDERS = List.of("none", "openssl", "jdk");
  private static final Pattern RESIDENT = Pattern.compile("VmRSS:\\s+(\\d+) kB");

  /** Of /proc/PID/stat, on all Linux machines of today. */
  private static final double TICK_MILLISECONDS = 10;

  private record Cost(double perSecond, double cpuMilliseconds, double residentBytes) {}

  @Test
  void compare(@TempDir Path directory) throws Exception {
    var certificate = new TestCertificate("EC");
    certificate.writeCertificate(directory.resolve("tls.crt"));
    certificate.writeKey(directory.resolve("tls.key"));
    SSLContext trust = TestCertificate.trusting(certificate);
    var costs = new Cost[PROVIDERS.size()][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      for (int provider = 0; provider < PROVIDERS.size(); provider++) {
        costs[provider][round] = measure(PROVIDERS.get(provider), directory, trust);
      }
    }
    System.out.println("| TLS by | handshakes/s | CPU ms of the server | KB resident, idle |");
    for (int provider = 0; provider < PROVIDERS.size(); provider++) {
      Cost[] rounds = costs[provider];
      System.out.printf(
          Locale.ROOT,
          "| %s | %,.0f | %.2f | %.1f |%n",
          PROVIDERS.get(provider),
          median(Arrays.stream(rounds).mapToDouble(Cost::perSecond).toArray()),
          median(Arrays.stream(rounds).mapToDouble(Cost::cpuMilliseconds).toArray()),
          median(Arrays.stream(rounds).mapToDouble(Cost::residentBytes).toArray()) / 1_000);
    }
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private static Cost measure(String provider, Path directory, SSLContext trust) throws Exception {
    Process server =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders",
                "-XX:MinHeapFreeRatio=5",
                "-XX:MaxHeapFreeRatio=10",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                TlsCost.class.getName(),
                provider,
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader output = server.inputReader(UTF_8)) {
      int port = Integer.parseInt(line(output));
      RawClient.Wrapper wrapper = provider.equals("none") ? plain -> plain : tls(trust);
      handshakes(port, wrapper, WARM_UP);
      double cpu = cpuMilliseconds(server);
      long start = System.nanoTime();
      handshakes(port, wrapper, HANDSHAKES);
      double seconds = (System.nanoTime() - start) / 1e9;
      cpu = cpuMilliseconds(server) - cpu;
      long before = residentBytes(server, output);
      List<RawClient> idle = new ArrayList<>();
      for (int i = 0; i < CONNECTIONS; i++) {
        var client = RawClient.dial(port, 0, wrapper);
        client.upgrade("/echo");
        idle.add(client);
      }
      long after = residentBytes(server, output);
      idle.forEach(RawClient::close);
      return new Cost(
          HANDSHAKES / seconds, cpu / HANDSHAKES, (double) (after - before) / CONNECTIONS);
    } finally {
      server.destroyForcibly().waitFor();
    }
  }

  private static RawClient.Wrapper tls(SSLContext trust) {
    return plain -> {
      var socket = (SSLSocket) trust.getSocketFactory().createSocket(plain, "localhost", 0, true);
      socket.startHandshake();
      socket.getSession().invalidate();
      return socket;
    };
  }

  private static void handshakes(int port, RawClient.Wrapper wrapper, int number) throws Exception {
    try (var threads = Executors.newFixedThreadPool(THREADS)) {
      Callable<Void> share =
          () -> {
            for (int i = 0; i < number / THREADS; i++) {
              try (var client = RawClient.dial(port, 0, wrapper)) {
                client.upgrade("/echo");
              }
            }
            return null;
          };
      for (var done : threads.invokeAll(Collections.nCopies(THREADS, share))) {
        done.get();
      }
    }
  }

  private static double cpuMilliseconds(Process process) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(process.pid()), "stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * TICK_MILLISECONDS;
  }

  /** After a full collection. */
  private static long residentBytes(Process server, BufferedReader output) throws Exception {
    Thread.sleep(1_000);
    var input = server.outputWriter(UTF_8);
    input.write("collect\n");
    input.flush();
    line(output);
    Matcher matcher =
        RESIDENT.matcher(Files.readString(Path.of("/proc", Long.toString(server.pid()), "status")));
    if (!matcher.find()) {
      throw new AssertionError("the server has ended");
    }
    return Long.parseLong(matcher.group(1)) * 1_024;
  }

  private static String line(BufferedReader output) throws IOException {
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.startsWith("> ")) {
        return line.substring(2);
      }
    }
    throw new AssertionError("the server has ended");
  }

  /** The server: prints its port, and a line when it has collected its garbage. */
  public static void main(String[] arguments) throws Exception {
    String tls =
        arguments[0].equals("none")
            ? ""
            : """
              websocket.tls { provider = %1$s, certificate = "%2$s/tls.crt", private-key = "%2$s/tls.key" }
              """
                .formatted(arguments[0], arguments[1]);
    try (Edge edge =
        Edge.open(
            Door.NETTY, "websocket.echo-path = /echo, connection.ping-interval = 600s\n" + tls)) {
      System.out.println("> " + edge.port);
      var input = new BufferedReader(new InputStreamReader(System.in, UTF_8));
      while (input.readLine() != null) {
        for (int i = 0; i < 3; i++) {
          System.gc();
          Thread.sleep(300);
        }
        System.out.println("> collected");
      }
    }
  }
}
