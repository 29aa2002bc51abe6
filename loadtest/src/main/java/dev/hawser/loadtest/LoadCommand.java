package dev.hawser.loadtest;

import dev.hawser.loadtest.peers.PeersCommand;
import dev.hawser.loadtest.report.Progress;
import dev.hawser.loadtest.report.Report;
import dev.hawser.loadtest.report.RunResult;
import dev.hawser.loadtest.server.Cluster;
import dev.hawser.loadtest.server.StopSignal;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code hawser load}: runs a scenario, and writes down what it found. */
@Command(
    name = "load",
    description = {
      "Puts load on a cluster of its own, or with --url on one that runs, and writes a report.",
      "docs/load.md tells what the scenarios do and how to read the report."
    },
    mixinStandardHelpOptions = true,
    subcommands = {CompareCommand.class, PeersCommand.class})
public final class LoadCommand implements Callable<Integer> {

  private static final int USERS_OF_WORKER = 10_000;
  private static final double DEFAULT_CONNECT_RATE = 1_000;

  /** Of what nodes let in: nobody is to be refused before it counts. */
  private static final double PART_OF_ADMITTED = 0.5;

  private static final int DEFAULT_PAYLOAD_BYTES = 100;
  private static final Duration DEFAULT_EVERY = Duration.ofSeconds(2);

  @Spec private @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "SCENARIO",
      arity = "0..1",
      converter = ScenarioConverter.class,
      completionCandidates = ScenarioNames.class,
      description = "One of: ${COMPLETION-CANDIDATES}.")
  private @Nullable Scenario scenario;

  @Option(names = "--users", paramLabel = "N", description = "Connections, one for each user.")
  private @Nullable Integer users;

  @Option(
      names = "--rate",
      paramLabel = "N",
      description = "Events, messages or replaced connections a second.")
  private @Nullable Double rate;

  @Option(
      names = "--duration",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description = "Of the measured phase, such as 30s or 2m.")
  private @Nullable Duration duration;

  @Option(
      names = "--connect-rate",
      paramLabel = "N",
      description = "Arrivals a second before it (default: 1000, or half of what --admit allows).")
  private @Nullable Double connectRate;

  @Option(
      names = "--every",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description = "Between broadcasts (default: 2s).")
  private Duration every = DEFAULT_EVERY;

  @Option(
      names = "--payload-bytes",
      paramLabel = "N",
      description = "Size of a message, about (default: 100).")
  private int payloadBytes = DEFAULT_PAYLOAD_BYTES;

  @Option(
      names = "--workers",
      paramLabel = "N",
      description = "Processes that hold the connections (default: one for 10,000).")
  private @Nullable Integer workers;

  @Option(names = "--nodes", paramLabel = "N", description = "Of the cluster that is started.")
  private @Nullable Integer nodes;

  @Option(
      names = "--admit",
      paramLabel = "N",
      description = "Clients a second that each node lets in (default: any number).")
  private int admit;

  @Option(names = "--drain", description = "storm: the node is told to stop (SIGTERM), not killed.")
  private boolean drain;

  @Option(
      names = "--url",
      paramLabel = "URL",
      split = ",",
      description = "Of nodes that run already, ws://host:port/path; clients take them in turns.")
  private List<URI> urls = new ArrayList<>();

  @Option(
      names = "--kafka",
      paramLabel = "HOST:PORT",
      description = "With --url: the cluster's Kafka.")
  private @Nullable String kafka;

  @Option(
      names = "--pids",
      paramLabel = "N",
      split = ",",
      description = "With --url: processes of nodes on this machine, to measure them.")
  private List<Long> pids = new ArrayList<>();

  @Option(
      names = "--node-options",
      paramLabel = "OPTIONS",
      description = "JVM options of the nodes that are started.")
  private String nodeOptions = "";

  @Option(
      names = "--secret",
      paramLabel = "SECRET",
      description = "What tokens are signed with (default: the secret of hawser dev).")
  private String secret = Cluster.SECRET;

  @Option(
      names = "--user-prefix",
      paramLabel = "TEXT",
      description = "User ids are this and a number (default: load-).")
  private String prefix = "load-";

  @Option(
      names = "--output",
      paramLabel = "DIR",
      description = "Where result.json and report.html go (default: load-SCENARIO-TIME).")
  private @Nullable Path output;

  @Override
  public Integer call() throws IOException {
    Scenario chosen = scenario;
    if (chosen == null) {
      if (spec != null) {
        spec.commandLine().usage(System.err);
        for (Scenario each : Scenario.values()) {
          System.err.printf("  %-14s %s%n", each.text(), each.description);
        }
      }
      return 2;
    }
    LoadSettings settings = settings(chosen);
    Files.createDirectories(settings.output());
    var run = new LoadRun(settings, command(chosen), new Progress());
    try (var _ = new StopSignal()) {
      RunResult result = run.run();
      result.write(settings.output());
      Path page = settings.output().resolve("report.html");
      Files.writeString(page, Report.page(List.of(result)));
      System.out.print(Report.text(List.of(result)));
      System.out.println("\n" + page);
    }
    return 0;
  }

  private LoadSettings settings(Scenario chosen) {
    int number = users == null ? chosen.users : users;
    int ofCluster = nodes == null ? chosen.nodes : nodes;
    return new LoadSettings(
        chosen,
        number,
        rate == null ? chosen.rate : rate,
        duration == null ? Duration.ofSeconds(chosen.seconds) : duration,
        connectRate == null ? connectRate(ofCluster) : connectRate,
        every,
        payloadBytes,
        workers == null ? Math.ceilDiv(number, USERS_OF_WORKER) : workers,
        ofCluster,
        admit,
        drain,
        urls,
        kafka,
        pids,
        nodeOptions,
        secret,
        prefix,
        output == null ? Path.of("load-%s-%s".formatted(chosen.text(), now())) : output);
  }

  private double connectRate(int ofCluster) {
    return admit > 0
        ? Math.min(DEFAULT_CONNECT_RATE, PART_OF_ADMITTED * admit * ofCluster)
        : DEFAULT_CONNECT_RATE;
  }

  private static String now() {
    return LocalDateTime.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
  }

  /** Without the secret. */
  private String command(Scenario chosen) {
    var words = new ArrayList<>(List.of("bin/hawser", "load", chosen.text()));
    if (spec != null) {
      for (var option : spec.commandLine().getParseResult().matchedOptions()) {
        String name = option.longestName();
        if (!name.equals("--secret") && !name.equals("--output")) {
          words.add(name);
          boolean flag = option.arity().max() == 0;
          if (!flag) {
            words.add(String.join(",", option.originalStringValues()));
          }
        }
      }
    }
    return String.join(" ", words);
  }

  private static final class ScenarioNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Arrays.stream(Scenario.values()).map(Scenario::text).iterator();
    }
  }

  private static final class ScenarioConverter implements ITypeConverter<Scenario> {
    @Override
    public Scenario convert(String text) {
      return Arrays.stream(Scenario.values())
          .filter(each -> each.text().equals(text))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "%s, expected one of %s"
                          .formatted(text, String.join(", ", new ScenarioNames()))));
    }
  }

  private static final class TimeConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      try {
        return Duration.parse("PT" + text.toUpperCase(Locale.ROOT));
      } catch (DateTimeParseException unreadable) {
        throw new TypeConversionException(text + ", expected a time such as 0.5s, 30s or 2m");
      }
    }
  }
}
