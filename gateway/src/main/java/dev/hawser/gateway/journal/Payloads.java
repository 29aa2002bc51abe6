package dev.hawser.gateway.journal;

import dev.hawser.gateway.journal.JournalDatabase.Stored;
import java.util.List;

/**
 * The bytes of many rows in one parameter, and where each begins (from 1, as SQL counts) and how
 * long it is: the driver has no arrays of such values.
 */
record Payloads(byte[] bytes, Integer[] starts, Integer[] lengths) {

  static Payloads of(List<Stored> rows) {
    int total = rows.stream().mapToInt(row -> row.bytes().length).sum();
    var bytes = new byte[total];
    var starts = new Integer[rows.size()];
    var lengths = new Integer[rows.size()];
    int end = 0;
    for (int i = 0; i < rows.size(); i++) {
      byte[] row = rows.get(i).bytes();
      System.arraycopy(row, 0, bytes, end, row.length);
      starts[i] = end + 1;
      lengths[i] = row.length;
      end += row.length;
    }
    return new Payloads(bytes, starts, lengths);
  }
}
