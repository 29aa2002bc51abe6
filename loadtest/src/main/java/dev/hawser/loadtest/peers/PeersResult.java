package dev.hawser.loadtest.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the rounds found; result.json is this, and peers.md its table.
 *
 * @param startedAt ISO 8601, UTC
 * @param command as it can be repeated
 * @param machine cores, system, Java
 * @param loadAverages of the last minute, at the beginning of each round
 * @param settings what was done
 * @param peers in the order they are shown
 * @param skipped why, by name
 * @param failures rounds that do not count, and why: medians are of the others
 */
record PeersResult(
    String startedAt,
    String command,
    String machine,
    List<Double> loadAverages,
    PeersSettings settings,
    List<PeerResult> peers,
    Map<String, String> skipped,
    List<String> failures) {

  /**
   * One peer's.
   *
   * @param name for people
   * @param versions of it, and of what it is built on
   * @param medians of the rounds
   * @param rounds one by one
   * @param errors of connections, by kind, of all rounds
   */
  record PeerResult(
      String name,
      String versions,
      Map<Measure, Double> medians,
      List<Map<Measure, Double>> rounds,
      Map<String, Long> errors) {

    static PeerResult of(
        String name, String versions, List<Map<Measure, Double>> rounds, Map<String, Long> errors) {
      Map<Measure, Double> medians = new EnumMap<>(Measure.class);
      for (Measure measure : Measure.values()) {
        double[] values =
            rounds.stream()
                .mapToDouble(round -> round.getOrDefault(measure, Double.NaN))
                .sorted()
                .toArray();
        medians.put(measure, median(values));
      }
      return new PeerResult(name, versions, medians, List.copyOf(rounds), errors);
    }

    private static double median(double[] sorted) {
      int middle = sorted.length / 2;
      return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    double median(Measure measure) {
      return medians.getOrDefault(measure, Double.NaN);
    }
  }

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /** Writes result.json and peers.md into a directory. */
  void write(Path directory) throws IOException {
    Files.writeString(directory.resolve("result.json"), JSON.writeValueAsString(json()));
    Files.writeString(directory.resolve("peers.md"), markdown());
  }

  /** Medians, and in brackets how many times Hawser's each is. */
  String markdown() {
    var text = new StringBuilder();
    List<List<String>> rows = rows();
    for (int i = 0; i < rows.size(); i++) {
      text.append("| %s |%n".formatted(String.join(" | ", rows.get(i))));
      if (i == 0) {
        text.append("|%s%n".formatted(" --- |".repeat(rows.getFirst().size())));
      }
    }
    return text + "\n" + notes();
  }

  /** The same for a terminal. */
  String text() {
    List<List<String>> rows = rows();
    var text = new StringBuilder();
    for (List<String> row : rows) {
      for (int column = 0; column < row.size(); column++) {
        int at = column;
        int width = rows.stream().mapToInt(each -> each.get(at).length()).max().orElse(1);
        String pattern = column == 0 ? "%%-%ds" : "  %%%ds";
        text.append(pattern.formatted(width).formatted(row.get(column)));
      }
      text.append('\n');
    }
    return text + "\n" + notes();
  }

  private List<List<String>> rows() {
    @Nullable PeerResult hawser =
        peers.stream()
            .filter(peer -> peer.name().equals(Peer.HAWSER.title))
            .findFirst()
            .orElse(null);
    List<List<String>> rows = new ArrayList<>();
    List<String> titles = new ArrayList<>(List.of(startedAt.substring(0, 10)));
    for (Measure measure : Measure.values()) {
      titles.add(measure.title);
    }
    rows.add(titles);
    for (PeerResult peer : peers) {
      List<String> row = new ArrayList<>(List.of(peer.name()));
      for (Measure measure : Measure.values()) {
        double value = peer.median(measure);
        double base = hawser == null || peer.equals(hawser) ? 0 : hawser.median(measure);
        row.add(
            measure == Measure.MISSING || base <= 0
                ? number(value)
                : "%s (%s)".formatted(number(value), number(value / base)));
      }
      rows.add(row);
    }
    return rows;
  }

  private String notes() {
    var notes = new StringBuilder();
    notes.append(
        "`%s`, %s, %s; load average at the beginning of each round %s.%n"
            .formatted(
                command,
                startedAt,
                machine,
                String.join(", ", loadAverages.stream().map(PeersResult::number).toList())));
    notes.append(
        String.format(
            Locale.ROOT,
            "Medians of %d, and in brackets how many times Hawser's. Idle: %,d connections;"
                + " fan-out: 1 to %,d, latency and CPU at %,.0f deliveries/s, deliveries/s with"
                + " %d messages on their way.%n",
            loadAverages.size(),
            settings.users(),
            settings.receivers(),
            settings.rate() * settings.receivers(),
            settings.window()));
    peers.forEach(
        peer ->
            notes.append(
                "%s%s.%n"
                    .formatted(
                        peer.versions(),
                        peer.errors().isEmpty() ? "" : ", errors " + peer.errors())));
    skipped.forEach((name, why) -> notes.append("%s: skipped, %s.%n".formatted(name, why)));
    failures.forEach(failure -> notes.append("%s.%n".formatted(failure)));
    return notes.toString();
  }

  /** Measures by their titles, which have the units in them. */
  private Map<String, Object> json() {
    var json = new LinkedHashMap<String, Object>();
    json.put("startedAt", startedAt);
    json.put("command", command);
    json.put("machine", machine);
    json.put("loadAverages", loadAverages);
    json.put(
        "settings",
        Map.of(
            "users", settings.users(),
            "receivers", settings.receivers(),
            "rate", settings.rate(),
            "window", settings.window(),
            "durationSeconds", settings.duration().toMillis() / 1_000.0,
            "payloadBytes", settings.payloadBytes()));
    json.put(
        "peers",
        peers.stream()
            .map(
                peer -> {
                  var each = new LinkedHashMap<String, Object>();
                  each.put("name", peer.name());
                  each.put("versions", peer.versions());
                  each.put("medians", titled(peer.medians()));
                  each.put("rounds", peer.rounds().stream().map(PeersResult::titled).toList());
                  each.put("errors", peer.errors());
                  return each;
                })
            .toList());
    json.put("skipped", skipped);
    json.put("failures", failures);
    return json;
  }

  private static Map<String, Double> titled(Map<Measure, Double> values) {
    var titled = new LinkedHashMap<String, Double>();
    values.forEach((measure, value) -> titled.put(measure.title, value));
    return titled;
  }

  static String number(double value) {
    String pattern =
        value >= 100 || value == Math.rint(value) ? "%,.0f" : value >= 10 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, pattern, value);
  }
}
