package dev.hawser.deploy.standalone.check;

import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValueFactory;
import dev.hawser.deploy.standalone.check.Findings.Figure;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What came out of a check. */
public final class Verdict {

  private final DeliveryCheck.Task task;
  private final Plan plan;
  private final long sent;
  private final long acknowledged;
  private final List<Nemesis.Deed> deeds;
  private final Findings findings;
  private final List<Progress.Note> notes;
  private final Map<String, List<History.Event>> events;
  private final List<History> histories;

  Verdict(
      DeliveryCheck.Task task,
      Plan plan,
      long sent,
      long acknowledged,
      List<Nemesis.Deed> deeds,
      Findings findings,
      List<Progress.Note> notes,
      Map<String, List<History.Event>> events,
      List<History> histories) {
    this.task = task;
    this.plan = plan;
    this.sent = sent;
    this.acknowledged = acknowledged;
    this.deeds = deeds;
    this.findings = findings;
    this.notes = notes;
    this.events = events;
    this.histories = histories;
  }

  /** Whether nothing was found that must not be. */
  public boolean isClean() {
    return findings.isClean();
  }

  /** For people. */
  public String text() {
    var text = new StringBuilder();
    line(text, "events sent", sent);
    line(text, "acknowledged by Kafka", acknowledged);
    for (Figure figure : Figure.values()) {
      line(text, figure.text, findings.of(figure));
    }
    text.append("connections ended, by code: ").append(findings.cuts()).append('\n');
    Map<String, Integer> done = new LinkedHashMap<>();
    deeds.forEach(deed -> done.merge(deed.fault().kind().text, 1, Integer::sum));
    text.append("faults: ").append(done).append("\n\n");
    for (Findings.Fault fault : Findings.Fault.values()) {
      line(text, fault.text, findings.of(fault));
    }
    findings.details().forEach(detail -> text.append("  ").append(detail).append('\n'));
    return text.append(isClean() ? "CLEAN" : "NOT CLEAN")
        .append(", seed ")
        .append(task.seed())
        .append('\n')
        .toString();
  }

  private static void line(StringBuilder text, String what, long count) {
    text.append(String.format(Locale.ROOT, "%,12d  %s%n", count, what));
  }

  /**
   * Writes {@code result.json}; and if something was found, {@code history.txt}: what was sent and
   * what each client got, for whoever looks into it.
   */
  public void write(Path directory) throws IOException {
    Files.writeString(directory.resolve("result.json"), json());
    if (isClean()) {
      return;
    }
    try (var out = new PrintWriter(Files.newBufferedWriter(directory.resolve("history.txt")))) {
      events.forEach(
          (user, all) ->
              all.forEach(
                  event -> out.println(user + " " + Progress.time(event.sentAt()) + " " + event)));
      for (History history : histories) {
        for (History.Entry entry : history.entries()) {
          out.println(history.name + " " + Progress.time(entry.at()) + " " + entry);
        }
        if (history.hasLeft()) {
          out.println(history.name + " left");
        }
      }
    }
  }

  /** For machines: JSON, with what the nemesis did and when. Times are in seconds. */
  private String json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("clean", isClean());
    json.put("seed", task.seed());
    json.put("minutes", task.duration().toMillis() / 60_000.0);
    json.put("recoveryWindow", task.window().toMillis() / 1_000.0);
    json.put("tracks", task.tracks().stream().map(Enum::name).sorted().toList());
    json.put("users", plan.people().size());
    json.put("sent", sent);
    json.put("acknowledged", acknowledged);
    Map<String, Object> figures = new LinkedHashMap<>();
    for (Figure figure : Figure.values()) {
      figures.put(name(figure), findings.of(figure));
    }
    json.put("figures", figures);
    Map<String, Object> faults = new LinkedHashMap<>();
    for (Findings.Fault fault : Findings.Fault.values()) {
      faults.put(name(fault), findings.of(fault));
    }
    json.put("faults", faults);
    json.put("details", findings.details());
    Map<String, Object> cuts = new LinkedHashMap<>();
    findings.cuts().forEach((code, count) -> cuts.put(Integer.toString(code), count));
    json.put("cuts", cuts);
    List<Map<String, Object>> done = new ArrayList<>();
    for (Nemesis.Deed deed : deeds) {
      done.add(
          Map.of(
              "what", deed.fault().text(),
              "planned", deed.fault().at().toMillis() / 1_000.0,
              "from", seconds(deed.from()),
              "to", seconds(deed.to())));
    }
    json.put("nemesis", done);
    json.put(
        "notes",
        notes.stream().map(note -> Progress.time(note.at()) + "  " + note.text()).toList());
    return ConfigValueFactory.fromMap(json)
        .render(ConfigRenderOptions.concise().setFormatted(true));
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static double seconds(long nanos) {
    return Math.round(nanos / 1e6) / 1e3;
  }
}
