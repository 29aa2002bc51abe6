package dev.hawser.presence;

/**
 * What a node holds while it is alive.
 *
 * @param number 0 to 1023, nobody else's meanwhile; the node's part of connection ids
 * @param node {@code host:port} in the cluster
 * @param incarnation this start of the process, never used again
 */
public record NodeLease(int number, String node, long incarnation) {

  /** The node's key in {@code watching_times.nodes}, such as {@code 10.0.0.7:7355#5381}. */
  public String key() {
    return node + "#" + incarnation;
  }
}
