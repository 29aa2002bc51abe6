-- What nodes write goes through two functions. Each statement in them sees all that was committed
-- before it: also the end of a stay that this one waited for. And their plans do not go by
-- statistics: when these say that nobody is online, PostgreSQL would compare all open stays with
-- each user of a batch; with 100,000 online that takes longer than a statement may.

ALTER TABLE watching_times ADD COLUMN last_left_at timestamptz;
COMMENT ON COLUMN watching_times.last_left_at IS
  'Of an open stay: the latest time at which a node lost the user that does not have the user any more; the stay ends no earlier.';

CREATE FUNCTION presence_record_here(
  incarnation bigint, epoch bigint, users text[], connections int[], since bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key text;
  written_ids bigint[];
  written_users text[];
  begins timestamptz[];
  late record;
BEGIN
  SELECT lease.node || '#' || lease.incarnation INTO key FROM gateway_nodes AS lease
  WHERE lease.incarnation = $1 AND lease.epoch <= $2 AND lease.left_at IS NULL
  FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;

  WITH written AS (
    INSERT INTO watching_times AS stay (user_id, join_at, nodes)
    SELECT change.user_id, 'epoch'::timestamptz + change.at * interval '1 millisecond',
           jsonb_build_object(key, change.connections)
    FROM unnest($3, $4, $5) AS change (user_id, connections, at)
    ORDER BY change.user_id COLLATE "C"
    ON CONFLICT (user_id) WHERE terminate_at IS NULL
    DO UPDATE SET nodes = stay.nodes || excluded.nodes,
                  join_at = least(stay.join_at, excluded.join_at)
    RETURNING id, user_id, join_at)
  SELECT array_agg(written.id), array_agg(written.user_id), array_agg(written.join_at)
  INTO written_ids, written_users, begins
  FROM written;

  -- Now these rows are locked, and nobody else can end a stay of these users. Few need this; a join
  -- with the table could be planned to read all of it.
  FOR late IN
    SELECT written.id, past.ended
    FROM unnest(written_ids, written_users, begins) AS written (id, user_id, join_at)
    CROSS JOIN LATERAL (
      SELECT terminate_at AS ended FROM watching_times
      WHERE user_id = written.user_id AND terminate_at > written.join_at
      ORDER BY terminate_at DESC LIMIT 1) AS past
  LOOP
    UPDATE watching_times SET join_at = late.ended WHERE id = late.id;
  END LOOP;

  -- Told so late that the last stay may be in the archive.
  IF (SELECT min(at) FROM unnest($5) AS at) < extract(epoch FROM now() - interval '1 minute') * 1000 THEN
    FOR late IN
      SELECT written.id, past.ended
      FROM unnest(written_ids, written_users, begins) AS written (id, user_id, join_at)
      CROSS JOIN LATERAL (
        SELECT last_seen_at AS ended FROM watching_users WHERE user_id = written.user_id
        OFFSET 0) AS past
      WHERE past.ended > written.join_at
    LOOP
      UPDATE watching_times SET join_at = greatest(join_at, late.ended) WHERE id = late.id;
    END LOOP;
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_here IS
  'For nodes: users have so many connections (above 0) on an incarnation, since these milliseconds after 1970. False if its lease has ended.';

CREATE FUNCTION presence_record_gone(incarnation bigint, epoch bigint, users text[], since bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key text;
BEGIN
  SELECT lease.node || '#' || lease.incarnation INTO key FROM gateway_nodes AS lease
  WHERE lease.incarnation = $1 AND lease.epoch <= $2 AND lease.left_at IS NULL
  FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;

  -- Never inserts: a row with this key is nobody else's to end. A conflict finds the row by its index
  -- whatever the plan, and one after the other in the order of users.
  INSERT INTO watching_times AS stay (user_id, join_at, nodes)
  SELECT change.user_id, 'epoch'::timestamptz + change.at * interval '1 millisecond',
         jsonb_build_object(key, 1)
  FROM unnest($3, $4) AS change (user_id, at)
  CROSS JOIN LATERAL (
    SELECT FROM watching_times
    WHERE user_id = change.user_id AND terminate_at IS NULL AND nodes ? key OFFSET 0) AS online
  ORDER BY change.user_id COLLATE "C"
  ON CONFLICT (user_id) WHERE terminate_at IS NULL
  DO UPDATE SET
    nodes = stay.nodes - key,
    terminate_at = CASE WHEN stay.nodes - key = '{}' THEN
      greatest(excluded.join_at, stay.last_left_at, stay.join_at + interval '1 microsecond') END,
    last_left_at = CASE WHEN stay.nodes - key <> '{}' THEN
      greatest(excluded.join_at, stay.last_left_at) END;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_gone IS
  'For nodes: users have no connection on an incarnation any more, since these milliseconds after 1970. False if its lease has ended.';
