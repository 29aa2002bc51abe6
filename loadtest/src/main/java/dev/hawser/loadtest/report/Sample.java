package dev.hawser.loadtest.report;

import java.util.List;

/**
 * About one second of a run.
 *
 * @param second since the measurements began
 * @param connected connections at its end
 * @param opened connections established, a second
 * @param received pushes or acknowledgements that arrived, a second
 * @param replayed of these, pushes that were due before their client was connected
 * @param sent what was sent, by clients or for them, a second
 * @param errors a second
 * @param refused of these, connections that a server was too busy for (503)
 * @param connectP99 milliseconds
 * @param p50 of messages that were not replayed, milliseconds; 0 when there were none, as below
 * @param p99 milliseconds
 * @param p999 milliseconds
 * @param max milliseconds
 * @param nodes the servers
 */
public record Sample(
    double second,
    long connected,
    double opened,
    double received,
    double replayed,
    double sent,
    double errors,
    double refused,
    double connectP99,
    double p50,
    double p99,
    double p999,
    double max,
    List<NodeSample> nodes) {

  /**
   * A node's process.
   *
   * @param name such as node-1
   * @param cpuPercent of one core
   * @param residentBytes of memory
   * @param pauseMilliseconds in which the collector stopped it
   */
  public record NodeSample(
      String name, double cpuPercent, long residentBytes, double pauseMilliseconds) {}
}
