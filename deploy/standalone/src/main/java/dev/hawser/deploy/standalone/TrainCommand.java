package dev.hawser.deploy.standalone;

import dev.hawser.deploy.embedded.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The JVM's own "training run" (JEP 483, 515), by the load generator. */
@Command(
    name = "train",
    description = {
      "Makes nodes start warm: puts load on a cluster of two nodes, one of which is restarted, and"
          + " writes down what a node loads and compiles for it (the JVM's AOT cache).",
      "bin/hawser gives it to nodes until the next build. Takes about three minutes."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class TrainCommand implements Callable<Integer> {

  /** Connects, moves, broken connections and events; enough of each that they are compiled. */
  private static final List<String> LOAD =
      List.of("load", "storm", "--drain", "--nodes=2", "--users=4000", "--rate=1000");

  private static final Pattern FIRST_NODE = Pattern.compile("node-1 +process (\\d+)");

  @Option(
      names = "--output",
      required = true,
      defaultValue = "${sys:hawser.aot-cache}",
      paramLabel = "FILE",
      description = "Where the cache goes (default, by bin/hawser: ${DEFAULT-VALUE}).")
  private Path output = Path.of("hawser.aot");

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path target = output.toAbsolutePath();
    Files.createDirectories(target.getParent());
    Path work = Files.createTempDirectory("hawser-train-");
    List<String> load = new ArrayList<>(LOAD);
    Path results = work.resolve("load");
    load.add("--output=" + results);
    load.add(
        "--node-options=-XX:AOTMode=record -XX:AOTConfiguration=%s/%%p.recorded".formatted(work));
    int exit = Hawser.execute(load.toArray(String[]::new));
    if (exit != 0) {
      return exit;
    }
    System.out.println("\nWriting " + target);
    // Beside it: a node that starts just now must not find half of it.
    Path cache = target.resolveSibling(target.getFileName() + ".new");
    Path log = work.resolve("create.log");
    Files.deleteIfExists(cache);
    int created = create(recorded(work, results.resolve("cluster.log")), cache, log);
    if (created != 0 || !Files.exists(cache)) {
      throw new IllegalStateException("the JVM did not write the cache; see " + log);
    }
    Files.move(cache, target, StandardCopyOption.ATOMIC_MOVE);
    System.out.printf("%,d MiB%n", Files.size(target) >> 20);
    Directories.delete(work);
    return 0;
  }

  /** Each process of the cluster has recorded, PostgreSQL's and Kafka's, too. */
  private static Path recorded(Path work, Path log) throws IOException {
    Matcher first = FIRST_NODE.matcher(Files.readString(log));
    Path recorded = work.resolve(first.find() ? "pid%s.recorded".formatted(first.group(1)) : "");
    if (!Files.isRegularFile(recorded)) {
      throw new IllegalStateException("the first node has recorded nothing; see " + log);
    }
    return recorded;
  }

  private static int create(Path recorded, Path cache, Path log)
      throws IOException, InterruptedException {
    List<String> command =
        ThisJvm.command(
            List.of(
                "-XX:AOTMode=create", "-XX:AOTConfiguration=" + recorded, "-XX:AOTCache=" + cache));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(log.toFile())
        .start()
        .waitFor();
  }
}
