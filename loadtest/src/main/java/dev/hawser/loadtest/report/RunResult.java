package dev.hawser.loadtest.report;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What a run found; result.json is this.
 *
 * @param scenario such as push
 * @param startedAt ISO 8601, UTC
 * @param command as it can be repeated
 * @param machine cores, memory, Java
 * @param settings by name
 * @param figures of the measured phase, by name with unit, in the order they are shown
 * @param errors by kind, of the whole run
 * @param marks what happened when, by second
 * @param samples one a second
 */
public record RunResult(
    String scenario,
    String startedAt,
    String command,
    String machine,
    Map<String, String> settings,
    Map<String, Double> figures,
    Map<String, Long> errors,
    List<Mark> marks,
    List<Sample> samples) {

  /** Something that happened. */
  public record Mark(double second, String text) {}

  private static final String FILE = "result.json";
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /** Writes result.json into a directory. */
  public void write(Path directory) throws IOException {
    Files.writeString(directory.resolve(FILE), JSON.writeValueAsString(this));
  }

  /**
   * Reads one.
   *
   * @param path the file, or the directory it is in
   */
  public static RunResult read(Path path) throws IOException {
    Path file = Files.isDirectory(path) ? path.resolve(FILE) : path;
    return JSON.readValue(file.toFile(), RunResult.class);
  }
}
