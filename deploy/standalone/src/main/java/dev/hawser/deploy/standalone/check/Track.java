package dev.hawser.deploy.standalone.check;

/**
 * What breaks. Faults of one track follow each other; those of different tracks overlap as chance
 * has it.
 */
public enum Track {
  /**
   * Nodes are killed, paused, stopped and restarted. Never two at a time: then there is no cluster.
   */
  NODES,
  /** PostgreSQL and Kafka are away. */
  PARTS,
  /** Between clients and nodes. */
  NETWORK
}
