-- Who is online, on which node, since when; and who was, until when. Rows are written by the nodes
-- (PresenceRecorder) and read by anybody: these two tables are a public interface.

-- The life of a node's process. A lease: alive while last_seen_at is renewed.
CREATE TABLE gateway_nodes (
  -- One start of one process, never used again.
  incarnation  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The node's part of the 64-bit connection ids.
  number       smallint NOT NULL CHECK (number BETWEEN 0 AND 1023),
  -- host:port in the cluster.
  node         text NOT NULL,
  started_at   timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  -- Statements of this incarnation that carry an earlier epoch came late, and write nothing.
  epoch        bigint NOT NULL DEFAULT 0,
  -- Stopped, or found dead. From then on it must not write any more.
  left_at      timestamptz,
  -- Its counts are being removed in the order of user ids: up to this one, so far.
  removed_to   text NOT NULL DEFAULT '',
  -- All its counts are removed.
  removed_at   timestamptz
);

CREATE UNIQUE INDEX gateway_nodes_number ON gateway_nodes (number) WHERE left_at IS NULL;

-- One row for each stretch of time that a user was online.
CREATE TABLE watching_times (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id      text NOT NULL,
  join_at      timestamptz NOT NULL,
  -- Null while the user is online.
  terminate_at timestamptz,
  -- {"10.0.0.7:7355#5381": 2}: node#incarnation -> connections the user has there; empty at the end.
  nodes        jsonb NOT NULL,
  CHECK (terminate_at > join_at),
  CHECK ((terminate_at IS NULL) = (nodes <> '{}'))
) WITH (fillfactor = 80); -- room for a changed count on the row's own page: such updates touch no index

-- One open row per user; also finds, and pages through, who is online.
CREATE UNIQUE INDEX watching_times_online ON watching_times (user_id) WHERE terminate_at IS NULL;

-- A user's past.
CREATE UNIQUE INDEX watching_times_past ON watching_times (user_id, terminate_at)
  WHERE terminate_at IS NOT NULL;

-- Everybody's, by time.
CREATE INDEX watching_times_join_at ON watching_times (join_at);
