package dev.hawser.deploy.standalone;

import dev.hawser.deploy.standalone.doctor.Finding;
import dev.hawser.deploy.standalone.doctor.HostFiles;
import dev.hawser.deploy.standalone.doctor.Rules;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
    name = "doctor",
    description = {
      "Compares the limits and kernel settings of this host with what many connections need.",
      "Exit code 0, or 1 if something has to be changed. deploy/sysctl/README.md has the reasons."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class DoctorCommand implements Callable<Integer> {

  private static final int MAX_CONNECTIONS = 10_000_000;

  @Spec private @Nullable CommandSpec command;

  @Option(
      names = "--connections",
      paramLabel = "N",
      defaultValue = "50000",
      description = "Connections of one node (1 to 10000000; default: ${DEFAULT-VALUE}).")
  private int connections = 50_000;

  @Option(names = "--root", hidden = true, description = "Where proc and sys are, for tests.")
  private Path root = Path.of("/");

  @Override
  public Integer call() {
    CommandSpec spec = Objects.requireNonNull(command);
    if (connections < 1 || connections > MAX_CONNECTIONS) {
      throw new ParameterException(
          spec.commandLine(),
          "--connections is %d, expected 1 to %d".formatted(connections, MAX_CONNECTIONS));
    }
    if (!Files.isDirectory(root.resolve("proc/self"))) {
      throw new IllegalStateException(
          "%s is not there: hawser doctor reads what Linux shows".formatted(root.resolve("proc")));
    }
    List<Finding> findings = Rules.judge(new HostFiles(root).read(), connections);
    PrintWriter out = spec.commandLine().getOut();
    print(findings, out);
    boolean problems = findings.stream().anyMatch(Finding::isProblem);
    out.println();
    out.printf(
        Locale.ROOT,
        problems
            ? "This host is not ready for a node with %,d connections.%n"
            : "Nothing speaks against a node with %,d connections.%n",
        connections);
    out.flush();
    return problems ? 1 : 0;
  }

  private static void print(List<Finding> findings, PrintWriter out) {
    String row = "%-30s  %-32s  %-34s  %s%n";
    out.printf(row, "SETTING", "HERE", "NEEDED", "VERDICT");
    for (Finding finding : findings) {
      out.printf(
          row, finding.setting(), finding.here(), finding.needed(), finding.verdict().text());
      if (!finding.advice().isEmpty()) {
        out.printf("    %s%n", finding.advice());
      }
    }
  }
}
