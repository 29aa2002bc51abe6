package dev.hawser.gateway.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.apache.kafka.common.utils.Utils;
import org.apache.pekko.cluster.sharding.typed.ShardingEnvelope;
import org.junit.jupiter.api.Test;

class ShardsTest {

  private static final int COUNT = 7;

  @Test
  void aUsersShardIsThePartitionThatKafkaGivesTheUsersRecords() {
    var random = new Random(4_711);
    for (int i = 0; i < 5_000; i++) {
      String user = text(random);
      int partitions = 1 + random.nextInt(1_000);
      assertThat(Shards.of(user, partitions))
          .as("shard of %s among %d", user, partitions)
          .isEqualTo(kafka(user, partitions));
    }
  }

  /** All lengths from 0, since the hash takes four bytes at a time; one to four bytes a letter. */
  private static String text(Random random) {
    int[] bounds = {0x80, 0x800, 0xd800, Character.MAX_CODE_POINT + 1};
    int bound = bounds[random.nextInt(bounds.length)];
    return random
        .ints(random.nextInt(40), 0, bound)
        .filter(letter -> letter < Character.MIN_SURROGATE || letter > Character.MAX_SURROGATE)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  private static int kafka(String key, int partitions) {
    return Utils.toPositive(Utils.murmur2(key.getBytes(UTF_8))) % partitions;
  }

  @Test
  void shardingAsksForTheSameShard() {
    assertThat(new Shards(COUNT).shardId("用户")).isEqualTo(Integer.toString(kafka("用户", COUNT)));
  }

  @Test
  void everyShardHasAnEntityOfItsOwnThatIsNoUser() {
    var shards = new Shards(COUNT);
    for (int shard = 0; shard < COUNT; shard++) {
      String itself = Shards.itself(shard);
      assertThat(Shards.isShardItself(itself)).isTrue();
      assertThat(shards.shardId(itself)).isEqualTo(Integer.toString(shard));
      assertThat(Shards.isShardItself(Integer.toString(shard))).isFalse();
    }
  }

  @Test
  void envelopesAreOpened() {
    var shards = new Shards(COUNT);
    Session.Command detach = new Session.Detach(1);
    var envelope = new ShardingEnvelope<>("alice", detach);
    assertThat(shards.entityId(envelope)).isEqualTo("alice");
    assertThat(shards.unwrapMessage(envelope)).isSameAs(detach);
  }
}
