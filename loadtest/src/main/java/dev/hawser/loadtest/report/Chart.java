package dev.hawser.loadtest.report;

import java.util.List;
import java.util.Locale;

/**
 * A line chart over seconds, as SVG.
 *
 * @param title what is drawn, with its unit
 * @param logarithmic whether the values span orders of magnitude; then zeros are left out
 * @param series what is drawn
 * @param marks vertical lines
 */
record Chart(String title, boolean logarithmic, List<Series> series, List<RunResult.Mark> marks) {

  /** One line: a value for each second. */
  record Series(String name, List<Point> points) {}

  record Point(double second, double value) {}

  private static final List<String> COLOURS =
      List.of(
          "#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f");

  private static final int WIDTH = 600;
  private static final int HEIGHT = 240;
  private static final int LEFT = 64;
  private static final int RIGHT = 10;
  private static final int TOP = 12;
  private static final int BOTTOM = 24;
  private static final int STEPS = 4;

  boolean isEmpty() {
    return series.stream().allMatch(line -> line.points.stream().allMatch(p -> p.value == 0));
  }

  String figure() {
    double lastSecond = 1;
    double most = 0;
    double least = Double.MAX_VALUE;
    for (Series line : series) {
      for (Point point : line.points) {
        lastSecond = Math.max(lastSecond, point.second);
        most = Math.max(most, point.value);
        if (point.value > 0) {
          least = Math.min(least, point.value);
        }
      }
    }
    double low = logarithmic ? Math.floor(Math.log10(least)) : 0;
    double high = logarithmic ? Math.max(low + 1, Math.ceil(Math.log10(most))) : nice(most);
    var svg = new StringBuilder();
    svg.append("<figure><figcaption>%s</figcaption>".formatted(Report.escape(title)));
    svg.append("<svg viewBox=\"0 0 %d %d\" role=\"img\">".formatted(WIDTH, HEIGHT));
    int steps = logarithmic ? (int) (high - low) : STEPS;
    for (int i = 0; i <= steps; i++) {
      double at = low + (high - low) * i / steps;
      double y = y(at, low, high);
      svg.append(
          String.format(
              Locale.ROOT,
              "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
              LEFT,
              WIDTH - RIGHT,
              y,
              y));
      svg.append(
          String.format(
              Locale.ROOT,
              "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
              LEFT - 6,
              y + 4,
              Report.number(logarithmic ? Math.pow(10, at) : at)));
    }
    for (int i = 0; i <= STEPS; i++) {
      double second = lastSecond * i / STEPS;
      svg.append(
          String.format(
              Locale.ROOT,
              "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f s</text>",
              x(second, lastSecond),
              HEIGHT - 6,
              second));
    }
    for (RunResult.Mark mark : marks) {
      double x = x(Math.max(0, mark.second()), lastSecond);
      svg.append(
          String.format(
              Locale.ROOT,
              "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"><title>%s</title></line>",
              x,
              x,
              TOP,
              HEIGHT - BOTTOM,
              Report.escape(mark.text())));
    }
    for (int i = 0; i < series.size(); i++) {
      svg.append(line(series.get(i), COLOURS.get(i % COLOURS.size()), lastSecond, low, high));
    }
    svg.append("</svg><div class=\"legend\">");
    for (int i = 0; i < series.size(); i++) {
      svg.append(
          "<span><i style=\"background:%s\"></i>%s</span>"
              .formatted(COLOURS.get(i % COLOURS.size()), Report.escape(series.get(i).name)));
    }
    return svg.append("</div></figure>\n").toString();
  }

  private String line(Series line, String colour, double lastSecond, double low, double high) {
    var points = new StringBuilder();
    for (Point point : line.points) {
      if (logarithmic && point.value <= 0) {
        continue;
      }
      double value = logarithmic ? Math.log10(point.value) : point.value;
      points.append(
          String.format(
              Locale.ROOT, "%.1f,%.1f ", x(point.second, lastSecond), y(value, low, high)));
    }
    return "<polyline points=\"%s\" stroke=\"%s\"><title>%s</title></polyline>"
        .formatted(points.toString().strip(), colour, Report.escape(line.name));
  }

  private static double x(double second, double last) {
    return LEFT + (WIDTH - LEFT - RIGHT) * second / last;
  }

  private static double y(double value, double low, double high) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));
  }

  /** The next of 1, 2, 4, 5 and 10 times a power of ten. */
  private static double nice(double most) {
    if (most <= 0) {
      return 1;
    }
    double power = Math.pow(10, Math.floor(Math.log10(most)));
    for (double step : List.of(1.0, 2.0, 4.0, 5.0)) {
      if (most <= step * power) {
        return step * power;
      }
    }
    return 10 * power;
  }
}
