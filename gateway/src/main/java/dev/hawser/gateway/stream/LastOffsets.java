package dev.hawser.gateway.stream;

import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;

/**
 * The last offset of every user, durable. It proves that somebody who comes back with an old
 * position has missed nothing, when a node was killed that knew so.
 */
public interface LastOffsets {

  /**
   * Before a node feeds shards, the first time and whenever it gets them.
   *
   * @param starts by shard: all events behind this offset will be kept
   */
  CompletionStage<Done> open(Map<Integer, Long> starts);

  /**
   * Keeps offsets of a shard's users, if they are behind those that are kept already. After any
   * failure the same may be kept again.
   *
   * @param offsets by user
   */
  CompletionStage<Done> keep(Map<String, Long> offsets);

  /**
   * What is known of a user.
   *
   * @param last the offset behind which the user had no event, as far as offsets were kept
   * @param mail whether there may be events in the user's mailbox
   */
  record Past(long last, boolean mail) {}

  /**
   * What is known of a user; fails if PostgreSQL does not tell in time.
   *
   * @param shard of the user; it was opened here
   */
  CompletionStage<Past> of(int shard, String user);
}
