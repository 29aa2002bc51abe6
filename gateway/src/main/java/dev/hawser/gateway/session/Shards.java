package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.apache.pekko.cluster.sharding.typed.ShardingEnvelope;
import org.apache.pekko.cluster.sharding.typed.ShardingMessageExtractor;

/**
 * The shard of a user: the partition that Kafka's default partitioner gives a record whose key is
 * the user id (murmur2, KIP-480).
 */
public final class Shards
    extends ShardingMessageExtractor<ShardingEnvelope<Session.Command>, Session.Command> {

  /** No user id begins so: the rest is the number of a shard. */
  private static final char SHARD_ITSELF = '\0';

  private final int count;

  /** Partitions of the topic. */
  public Shards(int count) {
    this.count = count;
  }

  /** The shard of a user, 0 to {@code count - 1}. */
  public static int of(String user, int count) {
    return (murmur2(user.getBytes(UTF_8)) & 0x7fff_ffff) % count;
  }

  /** The id of an entity that is in this shard, and nobody's session. */
  static String itself(int shard) {
    return SHARD_ITSELF + Integer.toString(shard);
  }

  static boolean isShardItself(String entityId) {
    return entityId.charAt(0) == SHARD_ITSELF;
  }

  @Override
  public String entityId(ShardingEnvelope<Session.Command> envelope) {
    return envelope.entityId();
  }

  @Override
  public String shardId(String entityId) {
    return isShardItself(entityId) ? entityId.substring(1) : Integer.toString(of(entityId, count));
  }

  @Override
  public Session.Command unwrapMessage(ShardingEnvelope<Session.Command> envelope) {
    return envelope.message();
  }

  /** MurmurHash2 by Austin Appleby, 32 bits, with Kafka's seed. */
  private static int murmur2(byte[] bytes) {
    int multiplier = 0x5bd1_e995;
    int hash = 0x9747_b28c ^ bytes.length;
    int whole = bytes.length & ~3;
    for (int i = 0; i < whole; i += 4) {
      int word =
          (bytes[i] & 0xff)
              | ((bytes[i + 1] & 0xff) << 8)
              | ((bytes[i + 2] & 0xff) << 16)
              | ((bytes[i + 3] & 0xff) << 24);
      word *= multiplier;
      word ^= word >>> 24;
      hash = (hash * multiplier) ^ (word * multiplier);
    }
    for (int i = bytes.length - 1; i >= whole; i--) {
      hash ^= (bytes[i] & 0xff) << (8 * (i - whole));
    }
    if (whole < bytes.length) {
      hash *= multiplier;
    }
    hash ^= hash >>> 13;
    hash *= multiplier;
    return hash ^ (hash >>> 15);
  }
}
