-- What clients need to be told "recovered" after a node was killed: the last offset of every user, up to
-- what is committed in Kafka. Rows of other epochs belong to topics that are no more.
CREATE TABLE stream_offsets (
  user_id     text NOT NULL,
  epoch       text NOT NULL,
  last_offset bigint NOT NULL,
  PRIMARY KEY (user_id, epoch)
) WITH (fillfactor = 80);

-- Since which offset of a shard the table above is complete.
CREATE TABLE stream_shards (
  epoch text NOT NULL,
  shard int NOT NULL,
  since bigint NOT NULL,
  PRIMARY KEY (epoch, shard)
);
