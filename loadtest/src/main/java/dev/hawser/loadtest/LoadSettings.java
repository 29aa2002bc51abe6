package dev.hawser.loadtest;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One run.
 *
 * @param users connections, one per user, 1 to 1,000,000
 * @param rate a second: events, messages, or connections that are replaced
 * @param duration of the measured phase, at most an hour
 * @param connectRate arrivals a second before it
 * @param every between broadcasts
 * @param payloadBytes about, 40 to 60,000
 * @param workers processes that hold the connections; each may have 20,000 descriptors
 * @param nodes of the cluster that is started
 * @param admit clients that each node lets in a second, of a cluster that is started; 0 for any
 *     number
 * @param drain in storm: the node is told to stop, not killed
 * @param urls of a cluster that runs already; empty to start one
 * @param kafka its Kafka, {@code host:port}; null if none is needed
 * @param pids of its nodes, to measure them; may be empty
 * @param nodeOptions JVM options of nodes that are started
 * @param secret what tokens are signed with
 * @param prefix user ids are this and a number
 * @param output directory of result.json and report.html
 */
record LoadSettings(
    Scenario scenario,
    int users,
    double rate,
    Duration duration,
    double connectRate,
    Duration every,
    int payloadBytes,
    int workers,
    int nodes,
    int admit,
    boolean drain,
    List<URI> urls,
    @Nullable String kafka,
    List<Long> pids,
    String nodeOptions,
    String secret,
    String prefix,
    Path output) {

  private static final int MAX_USERS = 1_000_000;
  private static final int MAX_USERS_OF_WORKER = 19_500;
  private static final int MAX_NODES = 9;
  private static final int MAX_ADMIT = 100_000;
  private static final int MIN_PAYLOAD = 40;
  private static final int MAX_PAYLOAD = 60_000;
  private static final Duration MAX_DURATION = Duration.ofHours(1);

  /**
   * @throws IllegalArgumentException if a value is out of its range, or two do not go together
   */
  LoadSettings {
    require("--users", users, 1, MAX_USERS);
    require("--workers", workers, 1, 1_000);
    require("--nodes", nodes, 1, MAX_NODES);
    require("--admit", admit, 0, MAX_ADMIT);
    require("--payload-bytes", payloadBytes, MIN_PAYLOAD, MAX_PAYLOAD);
    if (users > (long) workers * MAX_USERS_OF_WORKER) {
      throw new IllegalArgumentException(
          "--workers is %d, expected at least %d for --users %d: a worker holds up to %d"
              .formatted(
                  workers, Math.ceilDiv(users, MAX_USERS_OF_WORKER), users, MAX_USERS_OF_WORKER));
    }
    if (workers > users) {
      throw new IllegalArgumentException(
          "--workers is %d, expected at most --users, %d".formatted(workers, users));
    }
    if (!(connectRate > 0)) {
      throw new IllegalArgumentException(
          "--connect-rate is %s, expected more than 0".formatted(connectRate));
    }
    if (!(rate >= 0)) {
      throw new IllegalArgumentException("--rate is %s, expected 0 or more".formatted(rate));
    }
    if (duration.isNegative() || duration.isZero() || duration.compareTo(MAX_DURATION) > 0) {
      throw new IllegalArgumentException(
          "--duration is %s, expected more than 0s, up to %s".formatted(duration, MAX_DURATION));
    }
    if (every.isNegative() || every.isZero()) {
      throw new IllegalArgumentException("--every is %s, expected more than 0s".formatted(every));
    }
    if (!urls.isEmpty() && scenario.needsKafka() && kafka == null) {
      throw new IllegalArgumentException(
          "--kafka is missing, expected host:port: %s needs it beside --url"
              .formatted(scenario.text()));
    }
    if (admit > 0 && !urls.isEmpty()) {
      throw new IllegalArgumentException(
          "--admit is %d beside --url, expected nodes that are started here".formatted(admit));
    }
    if (scenario == Scenario.STORM && urls.isEmpty() && nodes < 2) {
      throw new IllegalArgumentException(
          "--nodes is 1, expected 2 or more: one goes away in storm");
    }
    if (scenario == Scenario.STORM && !urls.isEmpty() && pids.isEmpty()) {
      throw new IllegalArgumentException(
          "--pids is missing, expected the nodes' processes: storm ends the last of them");
    }
    for (URI url : urls) {
      if (!"ws".equals(url.getScheme()) || url.getHost() == null || url.getPort() < 0) {
        throw new IllegalArgumentException(
            "--url is %s, expected ws://host:port/path".formatted(url));
      }
    }
    if (!prefix.matches("[A-Za-z0-9_-]+")) {
      throw new IllegalArgumentException(
          "--user-prefix is %s, expected letters, digits, - and _".formatted(prefix));
    }
    urls = List.copyOf(urls);
    pids = List.copyOf(pids);
  }

  private static void require(String key, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s is %d, expected %d to %d".formatted(key, value, least, most));
    }
  }

  /** What nodes that are started get, the limit of clients included. */
  String optionsOfNodes() {
    return admit == 0
        ? nodeOptions
        : "-Dhawser.admission.max-handshakes-per-second=%d %s".formatted(admit, nodeOptions);
  }

  /** What the report says about it. */
  Map<String, String> description() {
    var description = new LinkedHashMap<String, String>();
    description.put("users", Integer.toString(users));
    if (rate > 0) {
      description.put("rate", "%.0f/s".formatted(rate));
    }
    description.put("duration", duration.toSeconds() + " s");
    description.put("connect-rate", "%.0f/s".formatted(connectRate));
    if (scenario.broadcasts()) {
      description.put("every", duration(every));
    }
    description.put("payload-bytes", Integer.toString(payloadBytes));
    description.put("workers", Integer.toString(workers));
    if (urls.isEmpty()) {
      description.put("nodes", Integer.toString(nodes));
      if (admit > 0) {
        description.put("admit", "%d/s".formatted(admit));
      }
      description.put("node-options", nodeOptions);
    } else {
      description.put("url", String.join(" ", urls.stream().map(URI::toString).toList()));
    }
    if (scenario == Scenario.STORM) {
      description.put("end-of-node", drain ? "SIGTERM" : "SIGKILL");
    }
    return description;
  }

  private static String duration(Duration duration) {
    return "%.1f s".formatted(duration.toMillis() / 1_000.0);
  }
}
