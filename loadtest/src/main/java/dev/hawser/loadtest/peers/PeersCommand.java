package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.peers.PeersResult.PeerResult;
import dev.hawser.loadtest.report.Progress;
import dev.hawser.loadtest.server.Cluster;
import dev.hawser.loadtest.server.StopSignal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code hawser load peers}: the same clients and the same work for Hawser and for others. */
@Command(
    name = "peers",
    description = {
      "Measures Hawser beside other servers, each by itself, in turns, and writes a table.",
      "docs/load.md tells what is measured. What is not installed is skipped."
    },
    mixinStandardHelpOptions = true)
public final class PeersCommand implements Callable<Integer> {

  private static final double MILLISECONDS_PER_SECOND = 1_000;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--only",
      paramLabel = "PEER",
      split = ",",
      converter = PeerConverter.class,
      completionCandidates = PeerNames.class,
      description = "Some of: ${COMPLETION-CANDIDATES}.")
  private List<Peer> only = new ArrayList<>();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "5",
      description = "Of which the median counts (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(
      names = "--users",
      paramLabel = "N",
      defaultValue = "10000",
      description = "Connections that are counted and held (default: ${DEFAULT-VALUE}).")
  private int users;

  @Option(
      names = "--receivers",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Connections that each message goes to (default: ${DEFAULT-VALUE}).")
  private int receivers;

  @Option(
      names = "--rate",
      paramLabel = "N",
      defaultValue = "50",
      description = "Messages a second, for latency and CPU (default: ${DEFAULT-VALUE}).")
  private double rate;

  @Option(
      names = "--duration",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = "Of these, and of messages as fast as they arrive (default: ${DEFAULT-VALUE}).")
  private double seconds;

  @Option(
      names = "--window",
      paramLabel = "N",
      defaultValue = "8",
      description =
          "Messages on their way while they go as fast as they arrive (default: ${DEFAULT-VALUE}).")
  private int window;

  @Option(
      names = "--payload-bytes",
      paramLabel = "N",
      defaultValue = "100",
      description = "Size of a message, about (default: ${DEFAULT-VALUE}).")
  private int payloadBytes;

  @Option(
      names = "--output",
      paramLabel = "DIR",
      description = "Where result.json and peers.md go (default: load-peers-TIME).")
  private @Nullable Path output;

  private final Progress progress = new Progress();
  private final List<Double> loadAverages = new ArrayList<>();
  private final Map<Peer, List<Map<Measure, Double>>> found = new EnumMap<>(Peer.class);
  private final Map<Peer, Map<String, Long>> errors = new EnumMap<>(Peer.class);
  private final Map<Peer, String> versions = new EnumMap<>(Peer.class);
  private final Map<Peer, String> skipped = new EnumMap<>(Peer.class);

  /** What went wrong in rounds that do not count. */
  private final List<String> failures = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    if (rounds < 1) {
      throw new IllegalArgumentException("--rounds is %d, expected 1 or more".formatted(rounds));
    }
    var settings =
        new PeersSettings(
            users,
            receivers,
            rate,
            Duration.ofMillis(Math.round(seconds * MILLISECONDS_PER_SECOND)),
            window,
            payloadBytes);
    Path directory = output == null ? Path.of("load-peers-" + now()) : output;
    Files.createDirectories(directory);
    String startedAt = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    try (var _ = new StopSignal()) {
      try {
        runAll(settings, directory);
      } catch (InterruptedException interrupted) {
        progress.say("interrupted");
      }
      PeersResult result = result(startedAt, settings);
      result.write(directory);
      System.out.print(result.text());
      System.out.println("\n" + directory.resolve("peers.md"));
    }
    return found.isEmpty() ? 1 : 0;
  }

  /** Round by round, so that what else the machine does meets all of them. */
  private void runAll(PeersSettings settings, Path directory)
      throws IOException, InterruptedException {
    List<Peer> peers = only.isEmpty() ? List.of(Peer.values()) : only.stream().distinct().toList();
    for (int round = 1; round <= rounds; round++) {
      loadAverages.add(loadAverage());
      for (Peer peer : peers) {
        if (skipped.containsKey(peer)) {
          continue;
        }
        Path own = directory.resolve("%s-%d".formatted(peer.text(), round));
        Files.createDirectories(own);
        progress.show("round %d of %d: %s".formatted(round, rounds, peer.title));
        try {
          run(peer, settings, own);
        } catch (NotInstalledException missing) {
          String why = String.valueOf(missing.getMessage());
          skipped.put(peer, why);
          progress.say("%s is skipped: %s".formatted(peer.title, why));
        } catch (RuntimeException failure) {
          // Ctrl-C ends all processes of a terminal, and the end of another may be seen first.
          Thread.sleep(Cluster.SIGNAL_GRACE);
          String what =
              "%s: round %d failed, %s".formatted(peer.title, round, failure.getMessage());
          failures.add(what);
          progress.say(what);
        }
      }
    }
  }

  private void run(Peer peer, PeersSettings settings, Path directory)
      throws IOException, InterruptedException, NotInstalledException {
    try (Server server = peer.start(directory)) {
      versions.put(peer, server.versions());
      var round = new PeerRound(settings, server);
      Map<Measure, Double> measured = round.run();
      found.computeIfAbsent(peer, each -> new ArrayList<>()).add(measured);
      Map<String, Long> wrong = errors.computeIfAbsent(peer, each -> new TreeMap<>());
      round.errors().forEach((kind, number) -> wrong.merge(kind, number, Long::sum));
      progress.say(
          "%s: %s"
              .formatted(
                  peer.title,
                  String.join(
                      ", ",
                      measured.entrySet().stream()
                          .map(
                              each ->
                                  "%s %s"
                                      .formatted(
                                          each.getKey().title, PeersResult.number(each.getValue())))
                          .toList())));
    }
  }

  private PeersResult result(String startedAt, PeersSettings settings) {
    List<PeerResult> results = new ArrayList<>();
    found.forEach(
        (peer, measured) ->
            results.add(
                PeerResult.of(
                    peer.title,
                    versions.getOrDefault(peer, peer.title),
                    measured,
                    errors.getOrDefault(peer, Map.of()))));
    Map<String, String> reasons = new LinkedHashMap<>();
    skipped.forEach((peer, why) -> reasons.put(peer.title, why));
    return new PeersResult(
        startedAt,
        command(),
        Progress.machine(),
        loadAverages,
        settings,
        results,
        reasons,
        failures);
  }

  private String command() {
    return spec == null
        ? ""
        : "bin/hawser "
            + String.join(" ", spec.root().commandLine().getParseResult().originalArgs());
  }

  private static double loadAverage() throws IOException {
    return Double.parseDouble(Files.readString(Path.of("/proc/loadavg")).split(" ", -1)[0]);
  }

  private static String now() {
    return LocalDateTime.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
  }

  private static final class PeerNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Arrays.stream(Peer.values()).map(Peer::text).iterator();
    }
  }

  private static final class PeerConverter implements ITypeConverter<Peer> {
    @Override
    public Peer convert(String text) {
      return Arrays.stream(Peer.values())
          .filter(each -> each.text().equals(text.toLowerCase(Locale.ROOT)))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "%s, expected one of %s"
                          .formatted(text, String.join(", ", new PeerNames()))));
    }
  }
}
