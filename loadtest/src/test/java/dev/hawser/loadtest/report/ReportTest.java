package dev.hawser.loadtest.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.loadtest.report.RunResult.Mark;
import dev.hawser.loadtest.report.Sample.NodeSample;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

/** What is written down, and read again. */
class ReportTest {

  @TempDir private Path directory = Path.of("");

  private static RunResult result(double p99) {
    return new RunResult(
        "push",
        "2026-11-23T23:00:00Z",
        "bin/hawser load push --users 2 <script>",
        "2 cores",
        Map.of("users", "2"),
        Map.of("delivery p99, ms", p99),
        Map.of("cut", 1L),
        List.of(new Mark(1, "measuring")),
        List.of(sample(1, p99), sample(2, 2 * p99)));
  }

  private static Sample sample(double second, double p99) {
    var node = new NodeSample("node-1", 50, 100 * 1024 * 1024, 3);
    return new Sample(second, 2, 1, 10, 0, 10, 0, 0, 1, 1, p99, p99, p99, List.of(node));
  }

  @Test
  void aResultIsReadAsItWasWritten() throws Exception {
    RunResult result = result(5);
    result.write(directory);
    assertThat(RunResult.read(directory)).isEqualTo(result);
    assertThat(RunResult.read(directory.resolve("result.json"))).isEqualTo(result);
  }

  @Test
  void thePageNeedsNothingElseAndItsChartsAreWellFormed() throws Exception {
    String page = Report.page(List.of(result(5)));
    assertThat(page).doesNotContain("http:", "https:", "src=", "href=", "<script");
    var charts = Pattern.compile("<svg.*?</svg>").matcher(page).results().toList();
    assertThat(charts).hasSizeGreaterThanOrEqualTo(7);
    for (var chart : charts) {
      DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .parse(new InputSource(new StringReader(chart.group())));
      assertThat(chart.group()).doesNotContain("NaN", "Infinity").contains("<polyline");
    }
  }

  @Test
  void twoResultsStandSideBySideWithTheirRatio() {
    List<RunResult> both = List.of(result(5), result(10));
    assertThat(Report.text(both)).containsPattern("delivery p99, ms +5 +10 +2.00");
    assertThat(Report.page(both)).contains("A p99", "B p99", "B node-1");
  }
}
