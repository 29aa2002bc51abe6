package dev.hawser.loadtest.report;

import dev.hawser.loadtest.report.Chart.Point;
import dev.hawser.loadtest.report.Chart.Series;
import dev.hawser.loadtest.report.Sample.NodeSample;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;

/** One result, or two side by side, for people: as text, and as one page that needs no network. */
public final class Report {

  private static final List<String> NAMES = List.of("A", "B");
  private static final double MEBIBYTE = 1024 * 1024;

  private static final String STYLE =
      """
      :root { color-scheme: light dark; --line: #8884; }
      body { font: 15px/1.5 system-ui, sans-serif; max-width: 1280px; margin: 2rem auto; padding: 0 1rem; }
      h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
      code { font-size: .9em; } p { margin: .3rem 0; }
      table { border-collapse: collapse; } td, th { padding: .2rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
      td.n { text-align: right; font-variant-numeric: tabular-nums; }
      .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 560px), 1fr)); gap: 1.5rem; }
      figure { margin: 0; } figcaption { font-weight: 600; }
      svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; opacity: .75; }
      polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
      .grid { stroke: var(--line); } .mark { stroke: currentColor; opacity: .5; stroke-dasharray: 3 4; }
      .legend span { margin-right: 1rem; font-size: 13px; }
      .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: .35rem; }
      """;

  private Report() {}

  /** Lines of figures. */
  public static String text(List<RunResult> results) {
    var text = new StringBuilder();
    for (int i = 0; i < results.size(); i++) {
      RunResult result = results.get(i);
      text.append(
          "%s%s%n  %s, %s%n"
              .formatted(
                  results.size() == 1 ? "" : NAMES.get(i) + ": ",
                  result.command(),
                  result.startedAt(),
                  result.machine()));
    }
    text.append('\n');
    for (String name : figureNames(results)) {
      text.append(String.format(Locale.ROOT, "  %-46s", name));
      figures(name, results)
          .forEach(cell -> text.append(String.format(Locale.ROOT, " %14s", cell)));
      text.append('\n');
    }
    for (int i = 0; i < results.size(); i++) {
      if (!results.get(i).errors().isEmpty()) {
        text.append(
            "  errors%s: %s%n"
                .formatted(
                    results.size() == 1 ? "" : " of " + NAMES.get(i), results.get(i).errors()));
      }
    }
    return text.toString();
  }

  /** The page. */
  public static String page(List<RunResult> results) {
    String title =
        String.join(" and ", results.stream().map(result -> "load " + result.scenario()).toList());
    var page = new StringBuilder();
    page.append("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">")
        .append("<meta name=\"viewport\" content=\"width=device-width\">")
        .append("<title>%s</title><style>%s</style>".formatted(escape(title), STYLE))
        .append("<h1>%s</h1>".formatted(escape(title)));
    for (int i = 0; i < results.size(); i++) {
      RunResult result = results.get(i);
      page.append(
          "<p>%s<code>%s</code><br>%s, %s</p>"
              .formatted(
                  results.size() == 1 ? "" : "<b>" + NAMES.get(i) + "</b> ",
                  escape(result.command()),
                  escape(result.startedAt()),
                  escape(result.machine())));
    }
    page.append("<h2>Over time</h2><div class=\"charts\">");
    for (Chart chart : charts(results)) {
      if (!chart.isEmpty()) {
        page.append(chart.figure());
      }
    }
    page.append("</div><h2>Figures</h2><table>");
    if (results.size() == 2) {
      page.append("<tr><th><th>A<th>B<th>B / A");
    }
    for (String name : figureNames(results)) {
      page.append("<tr><td>%s".formatted(escape(name)));
      figures(name, results).forEach(cell -> page.append("<td class=\"n\">" + escape(cell)));
    }
    page.append("</table>");
    for (int i = 0; i < results.size(); i++) {
      RunResult result = results.get(i);
      String of = results.size() == 1 ? "" : " of " + NAMES.get(i);
      page.append(table("Settings" + of, result.settings()));
      page.append(table("Errors" + of, result.errors()));
    }
    return page.append("</html>\n").toString();
  }

  private static String table(String title, Map<String, ?> rows) {
    if (rows.isEmpty()) {
      return "";
    }
    var table = new StringBuilder("<h2>%s</h2><table>".formatted(title));
    rows.forEach(
        (name, value) ->
            table.append(
                "<tr><td>%s<td class=\"n\">%s"
                    .formatted(escape(name), escape(String.valueOf(value)))));
    return table.append("</table>").toString();
  }

  private static Set<String> figureNames(List<RunResult> results) {
    Set<String> names = new LinkedHashSet<>();
    results.forEach(result -> names.addAll(result.figures().keySet()));
    return names;
  }

  /** A value for each result and, of two, their ratio. */
  private static List<String> figures(String name, List<RunResult> results) {
    List<String> cells = new ArrayList<>();
    for (RunResult result : results) {
      Double value = result.figures().get(name);
      cells.add(value == null ? "-" : number(value));
    }
    if (results.size() == 2) {
      double first = results.get(0).figures().getOrDefault(name, 0.0);
      double second = results.get(1).figures().getOrDefault(name, 0.0);
      cells.add(
          first == 0 || second == 0 ? "-" : String.format(Locale.ROOT, "%.2f", second / first));
    }
    return cells;
  }

  private static List<Chart> charts(List<RunResult> results) {
    List<RunResult.Mark> marks = results.size() == 1 ? results.getFirst().marks() : List.of();
    List<Chart> charts = new ArrayList<>();
    charts.add(
        new Chart("connections", false, lines(results, "connected", Sample::connected), marks));
    charts.add(
        new Chart(
            "rates, a second",
            false,
            join(
                lines(results, "received", Sample::received),
                lines(results, "sent", Sample::sent),
                lines(results, "connected", Sample::opened),
                lines(results, "errors", Sample::errors)),
            marks));
    charts.add(
        new Chart(
            "latency of messages, ms",
            true,
            join(
                lines(results, "p50", Sample::p50),
                lines(results, "p99", Sample::p99),
                lines(results, "p99.9", Sample::p999),
                lines(results, "max", Sample::max)),
            marks));
    charts.add(
        new Chart(
            "latency of connects, ms", true, lines(results, "p99", Sample::connectP99), marks));
    charts.add(
        new Chart("CPU, % of a core", false, ofNodes(results, NodeSample::cpuPercent), marks));
    charts.add(
        new Chart(
            "resident memory, MiB",
            false,
            ofNodes(results, node -> node.residentBytes() / MEBIBYTE),
            marks));
    charts.add(
        new Chart("resident memory per connection, KiB", true, perConnection(results), marks));
    charts.add(
        new Chart(
            "pauses of the collector, ms in a second",
            false,
            ofNodes(results, NodeSample::pauseMilliseconds),
            marks));
    return charts;
  }

  private static List<Series> lines(
      List<RunResult> results, String name, ToDoubleFunction<Sample> value) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      lines.add(
          new Series(
              named(results, i, name),
              results.get(i).samples().stream()
                  .map(sample -> new Point(sample.second(), value.applyAsDouble(sample)))
                  .toList()));
    }
    return lines;
  }

  private static List<Series> ofNodes(List<RunResult> results, ToDoubleFunction<NodeSample> value) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      Set<String> nodes = new TreeSet<>();
      List<Sample> samples = results.get(i).samples();
      samples.forEach(sample -> sample.nodes().forEach(node -> nodes.add(node.name())));
      for (String name : nodes) {
        List<Point> points = new ArrayList<>();
        for (Sample sample : samples) {
          sample.nodes().stream()
              .filter(node -> node.name().equals(name))
              .forEach(node -> points.add(new Point(sample.second(), value.applyAsDouble(node))));
        }
        lines.add(new Series(named(results, i, name), points));
      }
    }
    return lines;
  }

  /** All of a node's memory, divided by its share of the connections. */
  private static List<Series> perConnection(List<RunResult> results) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      List<RunResult> alone = List.of(results.get(i));
      List<Sample> samples = results.get(i).samples();
      for (Series memory : ofNodes(alone, NodeSample::residentBytes)) {
        List<Point> points = new ArrayList<>();
        for (Point point : memory.points()) {
          samples.stream()
              .filter(sample -> sample.second() == point.second() && sample.connected() > 0)
              .forEach(
                  sample ->
                      points.add(
                          new Point(
                              point.second(),
                              point.value() / 1024 * sample.nodes().size() / sample.connected())));
        }
        lines.add(new Series(named(results, i, memory.name()), points));
      }
    }
    return lines;
  }

  private static String named(List<RunResult> results, int which, String name) {
    return results.size() == 1 ? name : NAMES.get(which) + " " + name;
  }

  @SafeVarargs
  private static List<Series> join(List<Series>... lines) {
    List<Series> all = new ArrayList<>();
    for (List<Series> each : lines) {
      all.addAll(each);
    }
    return all;
  }

  static String number(double value) {
    double size = Math.abs(value);
    String pattern =
        value == Math.rint(value) || size >= 100 ? "%,.0f" : size >= 1 ? "%.1f" : "%.3f";
    return String.format(Locale.ROOT, pattern, value);
  }

  static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
