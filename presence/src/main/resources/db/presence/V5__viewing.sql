-- What users look at (a document, a lesson, a stream), as their clients say, and whether they are idle
-- meanwhile; kept as watching_times is, for each user, resource and idleness.

CREATE TABLE viewing_times (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id      text NOT NULL,
  -- Empty: nothing in particular; there are such rows only of clients that say whether they are idle.
  resource     text NOT NULL,
  idle         boolean NOT NULL,
  join_at      timestamptz NOT NULL,
  -- Null while it goes on.
  terminate_at timestamptz,
  -- As in watching_times: node#incarnation -> connections; empty at the end.
  nodes        jsonb NOT NULL,
  last_left_at timestamptz,
  CHECK (terminate_at > join_at),
  CHECK ((terminate_at IS NULL) = (nodes <> '{}'))
) WITH (
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0);

CREATE UNIQUE INDEX viewing_times_open ON viewing_times (user_id, resource, idle)
  WHERE terminate_at IS NULL;
CREATE UNIQUE INDEX viewing_times_past ON viewing_times (user_id, resource, idle, terminate_at)
  WHERE terminate_at IS NOT NULL;
-- Who looks at it now, by page; and who did lately.
CREATE INDEX viewing_times_viewers ON viewing_times (resource, user_id) WHERE terminate_at IS NULL;
CREATE INDEX viewing_times_resource ON viewing_times (resource, join_at);
CREATE INDEX viewing_times_join_at ON viewing_times (join_at);

COMMENT ON TABLE viewing_times IS
  'Views that go on or ended lately, one open one per user, resource and idleness. Older ones: viewing_times_archive; all: viewing_stays.';
COMMENT ON COLUMN viewing_times.resource IS
  'What is looked at, as clients name it; empty for nothing in particular.';
COMMENT ON COLUMN viewing_times.idle IS
  'Whether the client said that nobody is there, as when its page is hidden.';

CREATE TABLE viewing_times_archive (
  id           bigint NOT NULL,
  user_id      text NOT NULL,
  resource     text NOT NULL,
  idle         boolean NOT NULL,
  join_at      timestamptz NOT NULL,
  terminate_at timestamptz NOT NULL,
  length_class smallint NOT NULL
    GENERATED ALWAYS AS (presence_length_class(terminate_at - join_at)) STORED
) PARTITION BY RANGE (join_at);
COMMENT ON TABLE viewing_times_archive IS
  'Views that ended a while ago, moved here from viewing_times; a partition for each month.';

CREATE INDEX ON viewing_times_archive (user_id, join_at);
CREATE INDEX ON viewing_times_archive (resource, length_class, join_at);

-- For months that the service did not expect, as clocks may be wrong.
CREATE TABLE viewing_times_other PARTITION OF viewing_times_archive DEFAULT;

-- Counts of an incarnation that has left are removed here, too, after those of watching_times.
ALTER TABLE gateway_nodes
  ADD COLUMN viewing_removed_to text NOT NULL DEFAULT '',
  ADD COLUMN viewing_removed_at timestamptz;

-- Both archives have the same months.

DROP FUNCTION watching_times_month, watching_times_forget;

CREATE FUNCTION presence_month(of text, month timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  archive text := of || '_archive';
  low     timestamptz := date_trunc('month', month, 'UTC');
  name    text := of || '_' || to_char(low AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF to_regclass(name) IS NULL THEN
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM pg_advisory_xact_lock(4920);
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, archive);
      -- Unlike CREATE TABLE … PARTITION OF it lets the archive be read and written meanwhile.
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I'
        ' FOR VALUES FROM (%L) TO (%L)', archive, name, low, date_add(low, '1 month', 'UTC'));
    END IF;
  END IF;
END $$;
COMMENT ON FUNCTION presence_month IS
  'Creates the partition of an archive (of watching_times or viewing_times) for the month of an instant, if it is not there.';

CREATE FUNCTION presence_forget(of text, retention interval) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  old text;
BEGIN
  PERFORM set_config('lock_timeout', '1s', true);
  FOR old IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = (of || '_archive')::regclass AND relname ~ ('^' || of || '_\d{4}_\d{2}$')
      AND date_add(to_date(right(relname, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC',
                   '1 month', 'UTC') <= now() - retention
    ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %I', old);
    RETURN NEXT old;
  END LOOP;
  EXECUTE format('DELETE FROM %I WHERE terminate_at < $1', of || '_other') USING now() - retention;
END $$;
COMMENT ON FUNCTION presence_forget IS
  'Drops the months of an archive that ended before the retention, and says which.';

SELECT presence_month('viewing_times', now()), presence_month('viewing_times', now() + interval '1 month');

-- Nodes write as they write watching_times (V4), and for the same reasons; rows are locked in the order
-- of users, resources and idleness.

CREATE FUNCTION presence_record_viewing_here(
  incarnation bigint, epoch bigint, users text[], resources text[], idles boolean[],
  connections int[], since bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key text;
  written_ids bigint[];
  late record;
BEGIN
  SELECT lease.node || '#' || lease.incarnation INTO key FROM gateway_nodes AS lease
  WHERE lease.incarnation = $1 AND lease.epoch <= $2 AND lease.left_at IS NULL
  FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;

  WITH written AS (
    INSERT INTO viewing_times AS view (user_id, resource, idle, join_at, nodes)
    SELECT change.user_id, change.resource, change.idle,
           'epoch'::timestamptz + change.at * interval '1 millisecond',
           jsonb_build_object(key, change.connections)
    FROM unnest($3, $4, $5, $6, $7) AS change (user_id, resource, idle, connections, at)
    ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle
    ON CONFLICT (user_id, resource, idle) WHERE terminate_at IS NULL
    DO UPDATE SET nodes = view.nodes || excluded.nodes,
                  join_at = least(view.join_at, excluded.join_at)
    RETURNING id)
  SELECT array_agg(written.id) INTO written_ids FROM written;

  -- Views do not overlap, whatever the clocks of nodes say.
  FOR late IN
    SELECT written.id, past.ended
    FROM unnest(written_ids) AS written (id)
    JOIN viewing_times AS view ON view.id = written.id
    CROSS JOIN LATERAL (
      SELECT terminate_at AS ended FROM viewing_times
      WHERE user_id = view.user_id AND resource = view.resource AND viewing_times.idle = view.idle
        AND terminate_at > view.join_at
      ORDER BY terminate_at DESC LIMIT 1) AS past
  LOOP
    UPDATE viewing_times SET join_at = late.ended WHERE id = late.id;
  END LOOP;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing_here IS
  'For nodes: users view resources, idle or not, on so many connections (above 0) of an incarnation, since these milliseconds after 1970. False if its lease has ended.';

CREATE FUNCTION presence_record_viewing_gone(
  incarnation bigint, epoch bigint, users text[], resources text[], idles boolean[], since bigint[])
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

  INSERT INTO viewing_times AS view (user_id, resource, idle, join_at, nodes)
  SELECT change.user_id, change.resource, change.idle,
         'epoch'::timestamptz + change.at * interval '1 millisecond', jsonb_build_object(key, 1)
  FROM unnest($3, $4, $5, $6) AS change (user_id, resource, idle, at)
  CROSS JOIN LATERAL (
    SELECT FROM viewing_times
    WHERE user_id = change.user_id AND resource = change.resource
      AND viewing_times.idle = change.idle
      AND terminate_at IS NULL AND nodes ? key OFFSET 0) AS open
  ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle
  ON CONFLICT (user_id, resource, idle) WHERE terminate_at IS NULL
  DO UPDATE SET
    nodes = view.nodes - key,
    terminate_at = CASE WHEN view.nodes - key = '{}' THEN
      greatest(excluded.join_at, view.last_left_at, view.join_at + interval '1 microsecond') END,
    last_left_at = CASE WHEN view.nodes - key <> '{}' THEN
      greatest(excluded.join_at, view.last_left_at) END;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing_gone IS
  'For nodes: users do not view resources on an incarnation any more, since these milliseconds after 1970. False if its lease has ended.';

-- What is asked.

CREATE VIEW viewing_stays AS
SELECT id, user_id, resource, idle, join_at, terminate_at, nodes FROM viewing_times
UNION ALL
SELECT id, user_id, resource, idle, join_at, terminate_at, '{}'::jsonb FROM viewing_times_archive;
COMMENT ON VIEW viewing_stays IS
  'All views: from join_at, inclusive, to terminate_at, exclusive; null while it goes on. Those of one user, resource and idleness do not overlap.';

CREATE VIEW presence_viewing AS
SELECT resource, user_id, min(join_at) AS since, bool_and(idle) AS idle
FROM viewing_times WHERE terminate_at IS NULL AND resource <> ''
GROUP BY resource, user_id;
COMMENT ON VIEW presence_viewing IS
  'Who looks at what now, and since when; idle if all the user''s clients there are.';

CREATE FUNCTION presence_views_between(
  resource text, low timestamptz, high timestamptz)
RETURNS TABLE (id bigint, user_id text, idle boolean, join_at timestamptz, terminate_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT id, user_id, idle, join_at, terminate_at FROM viewing_times
  WHERE viewing_times.resource = $1 AND join_at < $3
    AND (terminate_at IS NULL OR terminate_at > $2)
  UNION ALL
  SELECT view.id, view.user_id, view.idle, view.join_at, view.terminate_at
  FROM presence_length_classes AS class, LATERAL (
    SELECT id, user_id, idle, join_at, terminate_at FROM viewing_times_archive
    WHERE viewing_times_archive.resource = $1 AND length_class = class.length_class
      AND terminate_at > $2 AND join_at > $2 - class.below AND join_at < $3
    OFFSET 0) AS view
$$;
COMMENT ON FUNCTION presence_views_between IS
  'Views of a resource that have a moment in common with the time from low, inclusive, to high, exclusive.';

CREATE FUNCTION presence_seconds(spans tstzmultirange) RETURNS float8
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)
        FROM unnest(spans) AS span)::float8;

CREATE FUNCTION presence_resource_times(
  resource text, low timestamptz, high timestamptz, until timestamptz DEFAULT now())
RETURNS TABLE (user_id text, seconds float8, idle_seconds float8)
LANGUAGE sql STABLE AS $$
  SELECT user_id, presence_seconds(active), presence_seconds(idle - active)
  FROM (
    SELECT user_id,
           coalesce(range_agg(span) FILTER (WHERE NOT idle), '{}') AS active,
           coalesce(range_agg(span) FILTER (WHERE idle), '{}') AS idle
    FROM (
      SELECT user_id, idle,
             tstzrange(greatest(join_at, $2), least(coalesce(terminate_at, $4), $3)) AS span
      FROM presence_views_between($1, $2, $3)
      WHERE coalesce(terminate_at, $4) > greatest(join_at, $2)) AS views
    GROUP BY user_id) AS users
$$;
COMMENT ON FUNCTION presence_resource_times IS
  'Seconds that each user looked at a resource between two instants: active, and idle on all clients. What goes on counts up to until.';

CREATE FUNCTION presence_viewing_of(
  "user" text, low timestamptz, high timestamptz, zone text, until timestamptz DEFAULT now())
RETURNS TABLE (resource text, day date, seconds float8, idle_seconds float8)
LANGUAGE sql STABLE AS $$
  SELECT resource, day::date, presence_seconds(active), presence_seconds(idle - active)
  FROM (
    SELECT resource, day,
           coalesce(range_agg(span) FILTER (WHERE NOT idle), '{}') AS active,
           coalesce(range_agg(span) FILTER (WHERE idle), '{}') AS idle
    FROM (
      SELECT resource, idle, day,
             tstzrange(greatest(low, day AT TIME ZONE $4),
                       least(high, (day + interval '1 day') AT TIME ZONE $4)) AS span
      FROM (
        SELECT resource, idle, greatest(join_at, $2) AS low,
               least(coalesce(terminate_at, $5), $3) AS high
        FROM viewing_stays
        WHERE user_id = $1 AND join_at < $3 AND (terminate_at IS NULL OR terminate_at > $2)) AS views,
      generate_series(date_trunc('day', low AT TIME ZONE $4),
        (high - interval '1 microsecond') AT TIME ZONE $4, '1 day') AS day
      WHERE high > low) AS parts
    GROUP BY resource, day) AS days
$$;
COMMENT ON FUNCTION presence_viewing_of IS
  'Seconds that a user looked at each resource on each day of a time zone, between two instants: active, and idle on all clients.';
