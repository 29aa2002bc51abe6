package dev.hawser.loadtest;

import dev.hawser.loadtest.report.Report;
import dev.hawser.loadtest.report.RunResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code hawser load compare}: two results side by side. */
@Command(
    name = "compare",
    description = "Prints two results side by side, and writes a page with both.",
    mixinStandardHelpOptions = true)
final class CompareCommand implements Callable<Integer> {

  @Parameters(index = "0", paramLabel = "A", description = "result.json, or its directory.")
  private Path first = Path.of("");

  @Parameters(index = "1", paramLabel = "B", description = "The other.")
  private Path second = Path.of("");

  @Option(
      names = "--output",
      paramLabel = "FILE",
      defaultValue = "compare.html",
      description = "Where the page goes (default: ${DEFAULT-VALUE}).")
  private Path output = Path.of("compare.html");

  @Override
  public Integer call() throws IOException {
    List<RunResult> results = List.of(RunResult.read(first), RunResult.read(second));
    System.out.print(Report.text(results));
    Files.writeString(output, Report.page(results));
    System.out.println("\n" + output);
    return 0;
  }
}
