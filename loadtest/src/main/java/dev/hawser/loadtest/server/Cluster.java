package dev.hawser.loadtest.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A {@code hawser dev} as a child process, every node of it in a process of its own, on ports that
 * are free. It is known from what it prints only.
 */
public final class Cluster implements AutoCloseable {

  /** What tokens are signed with: of hawser dev, and known to everybody. */
  public static final String SECRET = "hawser-dev-secret-never-in-production";

  /** Ctrl-C ends all processes of a terminal, and the end of another may be seen first. */
  public static final Duration SIGNAL_GRACE = Duration.ofMillis(300);

  private static final String MAIN = "dev.hawser.deploy.standalone.Hawser";

  /** PostgreSQL, Kafka and the first node; each further one takes its share of the processors. */
  private static final Duration START_TIMEOUT = Duration.ofMinutes(3);

  private static final Duration START_TIMEOUT_OF_NODE = Duration.ofMinutes(1);

  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(60);
  private static final Pattern STARTED = Pattern.compile(" *node-(\\d) +process (\\d+)");
  private static final Pattern RESTARTED =
      Pattern.compile("node-(\\d) \\| started again as process (\\d+)");
  private static final String READY = "Try in a second terminal";

  private static final int WEB_SOCKET = 8_000;
  private static final int HTTP = 8_080;
  private static final int KAFKA = 9_092;

  /** Of hawser dev, and known to everybody, too. */
  private static final String API_KEY = "dev";

  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(30);

  /** Those that hawser dev opens, of the first node; the others' are next to them. */
  private static final List<Integer> PORTS =
      List.of(WEB_SOCKET, HTTP, 7_626, 7_355, 54_320, KAFKA, 9_093);

  /** Above, none of the ports is one that the kernel gives to clients. */
  private static final int MIN_OFFSET = 6_800;

  private static final int MAX_OFFSET = 9_900;

  private final int offset;
  private final int nodes;
  private final Path directory;
  private final Process process;
  private final Thread reader;
  private final CountDownLatch ready = new CountDownLatch(1);
  private final List<String> lines = new ArrayList<>();

  /** By number of the node. */
  private final Map<Integer, Long> processes = new TreeMap<>();

  /**
   * Starts one, and returns at once.
   *
   * @param directory where logs go; it must be there
   */
  public Cluster(int nodes, String nodeOptions, Path directory) throws IOException {
    this.nodes = nodes;
    this.directory = directory;
    this.offset = freeOffset(nodes);
    String options =
        "-XX:TieredStopAtLevel=4 -Xlog:gc:file=%s:uptime %s"
            .formatted(directory.resolve("gc-%p.log"), nodeOptions)
            .strip();
    String script = System.getProperty("hawser.command");
    List<String> command = new ArrayList<>();
    if (script == null) {
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(
          List.of(
              "--enable-native-access=ALL-UNNAMED",
              "--sun-misc-unsafe-memory-access=allow",
              "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir")));
      command.addAll(List.of(options.split(" +")));
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
    } else {
      command.add(script);
    }
    command.addAll(List.of("dev", "--separate", "--nodes=" + nodes, "--port-offset=" + offset));
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("HAWSER_JAVA_OPTS", options);
    builder.environment().put("HAWSER_BUILD", "off");
    process = builder.start();
    reader = Thread.ofPlatform().daemon().name("cluster").start(this::read);
  }

  public void awaitReady() throws InterruptedException {
    Duration limit = START_TIMEOUT.plus(START_TIMEOUT_OF_NODE.multipliedBy(nodes));
    boolean inTime = ready.await(limit.toSeconds(), TimeUnit.SECONDS);
    if (!inTime || !process.isAlive()) {
      Thread.sleep(SIGNAL_GRACE);
      throw new IllegalStateException("the cluster did not start:\n" + output());
    }
  }

  public List<URI> urls() {
    return IntStream.range(0, nodes)
        .mapToObj(
            node ->
                URI.create(
                    "ws://127.0.0.1:%d/connection/websocket".formatted(WEB_SOCKET + offset + node)))
        .toList();
  }

  public String kafka() {
    return "127.0.0.1:" + (KAFKA + offset);
  }

  /**
   * How many users are online as PostgreSQL has it: the first node is asked, over HTTP.
   *
   * @throws IOException if it does not answer that
   */
  public long online() throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:%d/api/online?limit=1".formatted(HTTP + offset)))
            .header("X-API-Key", API_KEY)
            .timeout(ANSWER_TIMEOUT)
            .build();
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
      JsonNode count = new ObjectMapper().readTree(answer.body()).path("count");
      if (answer.statusCode() != HttpURLConnection.HTTP_OK || !count.isNumber()) {
        throw new IOException("%d %s".formatted(answer.statusCode(), answer.body()));
      }
      return count.asLong();
    }
  }

  /** Its nodes as they are now, by number; one that was started again has another process. */
  public Map<Integer, Long> processes() {
    synchronized (lines) {
      return new TreeMap<>(processes);
    }
  }

  public Path collectorLog(long pid) {
    return directory.resolve("gc-%d.log".formatted(pid));
  }

  @Override
  public void close() {
    // Not Process.destroy, which closes its output, too.
    process.toHandle().destroy();
    try {
      if (!process.waitFor(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
      reader.join();
      Files.write(directory.resolve("cluster.log"), lines);
    } catch (InterruptedException interrupted) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    } catch (IOException unwritable) {
      throw new UncheckedIOException("cannot write " + directory, unwritable);
    }
  }

  private String output() {
    synchronized (lines) {
      return String.join("\n", lines);
    }
  }

  private void read() {
    try (BufferedReader output = process.inputReader(UTF_8)) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        @Nullable Matcher node = null;
        for (Pattern pattern : List.of(STARTED, RESTARTED)) {
          Matcher matcher = pattern.matcher(line);
          if (matcher.find()) {
            node = matcher;
          }
        }
        synchronized (lines) {
          lines.add(line);
          if (node != null) {
            processes.put(Integer.parseInt(node.group(1)), Long.parseLong(node.group(2)));
          }
        }
        if (line.contains(READY)) {
          ready.countDown();
        }
      }
    } catch (IOException broken) {
      throw new UncheckedIOException("lost the cluster", broken);
    } finally {
      ready.countDown();
    }
  }

  /** A port that is free now, and that the kernel does not give to clients. */
  public static int freePort() {
    while (true) {
      int port = WEB_SOCKET + ThreadLocalRandom.current().nextInt(MIN_OFFSET, MAX_OFFSET);
      if (isFree(port)) {
        return port;
      }
    }
  }

  private static int freeOffset(int nodes) {
    while (true) {
      int offset = ThreadLocalRandom.current().nextInt(MIN_OFFSET, MAX_OFFSET);
      boolean free =
          PORTS.stream()
              .flatMap(port -> IntStream.range(0, nodes).mapToObj(node -> port + offset + node))
              .allMatch(Cluster::isFree);
      if (free) {
        return offset;
      }
    }
  }

  private static boolean isFree(int port) {
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      return true;
    } catch (IOException taken) {
      return false;
    }
  }
}
