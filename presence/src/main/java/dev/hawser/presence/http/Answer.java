package dev.hawser.presence.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.RecordComponent;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a question is answered with: an object for JSON, the same as rows for CSV.
 *
 * @param columns what each row is: its components are the columns
 * @param next the cursor of the next page; null behind the last one
 */
record Answer<R extends Record>(
    Object json, Class<R> columns, List<R> rows, @Nullable String next) {

  /** As RFC 4180 says; what is neither text nor number is JSON in its cell, null is empty. */
  String csv(ObjectMapper mapper) {
    List<String> names =
        Stream.of(columns.getRecordComponents()).map(RecordComponent::getName).toList();
    var csv = new StringBuilder(String.join(",", names)).append("\r\n");
    for (R row : rows) {
      JsonNode values = mapper.valueToTree(row);
      csv.append(
              names.stream().map(name -> cell(values.path(name))).collect(Collectors.joining(",")))
          .append("\r\n");
    }
    return csv.toString();
  }

  private static String cell(JsonNode value) {
    String text = value.isContainerNode() ? value.toString() : value.asText();
    boolean plain = text.chars().noneMatch(c -> c == ',' || c == '"' || c == '\r' || c == '\n');
    return plain ? text : '"' + text.replace("\"", "\"\"") + '"';
  }
}
