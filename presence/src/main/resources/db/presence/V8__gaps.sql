-- A user who leaves one node and comes to another was away in between, also when the other one writes
-- first. So a row that several nodes know of keeps what each of them said, until it is known what follows.

ALTER TABLE watching_times ADD COLUMN begins jsonb, ADD COLUMN past tstzmultirange;
ALTER TABLE viewing_times ADD COLUMN begins jsonb, ADD COLUMN past tstzmultirange;
COMMENT ON COLUMN watching_times.begins IS
  'Of an open stay that several nodes know of: since when each that has the user has had him.';
COMMENT ON COLUMN watching_times.past IS
  'Of such a stay: when nodes had the user that do not any more.';
COMMENT ON COLUMN viewing_times.begins IS 'As in watching_times.';
COMMENT ON COLUMN viewing_times.past IS 'As in watching_times.';

CREATE FUNCTION presence_begins(nodes jsonb, begins jsonb, join_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN coalesce(begins, (SELECT jsonb_object_agg(key, join_at) FROM jsonb_object_keys(nodes) AS key));
COMMENT ON FUNCTION presence_begins IS 'Since when each node of a row has the user.';

CREATE FUNCTION presence_first(begins jsonb) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN (SELECT min(began::timestamptz) FROM jsonb_each_text(begins) AS node (key, began));

-- A node that was killed had the user until some time after it was seen last: who came to another one
-- meanwhile never left.
CREATE FUNCTION presence_there_until(
  begins jsonb, past tstzmultirange, at timestamptz, unsure interval)
RETURNS timestamptz LANGUAGE sql STABLE
RETURN coalesce(
  (SELECT max(began) FROM (
     SELECT began::timestamptz FROM jsonb_each_text(begins) AS node (key, began)
     UNION ALL
     SELECT lower(told) FROM unnest(past) AS told) AS elsewhere (began)
   WHERE began BETWEEN at AND at + unsure), at);

CREATE FUNCTION presence_over(begins jsonb, past tstzmultirange, linger interval)
RETURNS tstzmultirange LANGUAGE sql STABLE
RETURN (
  SELECT coalesce(range_agg(tstzrange(lower(part), upper(part) - linger)), '{}')
  FROM (SELECT range_agg(tstzrange(lower(told), upper(told) + linger)) AS lingering
        FROM unnest(past) AS told) AS told
  CROSS JOIN LATERAL unnest(lingering) AS part
  WHERE upper(part) < coalesce(presence_first(begins), 'infinity'));
COMMENT ON FUNCTION presence_over IS
  'The stays in a past that ended for longer than the linger before any of the nodes that have the user now had him.';

-- Of one who is on a node for days, and at times on others, too, few such times are kept: beyond that
-- the shortest time between two of them is filled.
CREATE FUNCTION presence_kept(past tstzmultirange) RETURNS tstzmultirange
LANGUAGE sql IMMUTABLE
RETURN CASE
  WHEN (SELECT count(*) FROM unnest(past)) <= 8 THEN past
  ELSE past + (
    SELECT gap::tstzmultirange FROM unnest(range_merge(past)::tstzmultirange - past) AS gap
    ORDER BY upper(gap) - lower(gap) LIMIT 1)
END;

-- What becomes of a row that has begins when a node has lost its user: what of it is over and to be
-- inserted apart, and how the row goes on, or ends.
CREATE FUNCTION presence_left(
  begins jsonb, past tstzmultirange, join_at timestamptz,
  key text, at timestamptz, linger interval, silence interval,
  OUT over tstzmultirange, OUT rest jsonb, OUT known tstzmultirange,
  OUT since timestamptz, OUT until timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  began timestamptz := greatest((begins ->> key)::timestamptz, join_at);
  last  tstzrange;
BEGIN
  rest := begins - key;
  known := coalesce(past, '{}') + tstzrange(began, greatest(
    presence_there_until(rest, past, at, linger + silence),
    began + interval '1 microsecond'))::tstzmultirange;
  over := presence_over(rest, known, linger);
  IF rest = '{}' THEN
    SELECT part INTO last FROM unnest(over) AS part ORDER BY part DESC LIMIT 1;
    over := over - last::tstzmultirange;
    since := lower(last);
    until := upper(last);
    rest := NULL;
    known := NULL;
    RETURN;
  END IF;
  known := known - over;
  since := CASE WHEN isempty(over) THEN join_at
           ELSE greatest(join_at, least(presence_first(rest), lower(known))) END;
  IF coalesce(upper(known) <= presence_first(rest), true) AND presence_first(rest) >= since
      AND (SELECT count(*) FROM jsonb_object_keys(rest)) = 1 THEN
    -- As if no other node had ever had him.
    rest := NULL;
    known := NULL;
  END IF;
  known := presence_kept(known);
END $$;

-- A node has lost the user of a row that has begins, and that is locked. What is over now is inserted
-- apart, and the row goes on: whoever waits for it finds it. So is what was before the row, between stays
-- that others had told earlier.
CREATE FUNCTION presence_left_stay(
  of_user text,
  key text, at timestamptz, linger interval, silence interval)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  stay watching_times;
  told record;
BEGIN
  SELECT * INTO stay FROM watching_times
  WHERE user_id = of_user AND terminate_at IS NULL
    AND nodes ? key;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF (stay.begins ->> key)::timestamptz < least(at, stay.join_at) THEN
    INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
    SELECT of_user, lower(part), upper(part), '{}'
    FROM presence_free_of_stays(
      of_user, (stay.begins ->> key)::timestamptz, least(at, stay.join_at)) AS part;
  END IF;
  told := presence_left(stay.begins, stay.past, stay.join_at, key, at, linger, silence);
  UPDATE watching_times
  SET nodes = stay.nodes - key, begins = told.rest, past = told.known,
      join_at = told.since, terminate_at = told.until
  WHERE user_id = of_user AND terminate_at IS NULL;
  INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
  SELECT of_user, lower(part), upper(part), '{}' FROM unnest(told.over) AS part;
END $$;

CREATE FUNCTION presence_left_view(
  of_user text, of_resource text, of_idle boolean,
  key text, at timestamptz, linger interval, silence interval)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  view viewing_times;
  told record;
BEGIN
  SELECT * INTO view FROM viewing_times
  WHERE user_id = of_user AND resource = of_resource AND idle = of_idle AND terminate_at IS NULL
    AND nodes ? key;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF (view.begins ->> key)::timestamptz < least(at, view.join_at) THEN
    INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
    SELECT of_user, of_resource, of_idle, lower(part), upper(part), '{}'
    FROM presence_free_of_views(
      of_user, of_resource, of_idle, (view.begins ->> key)::timestamptz, least(at, view.join_at)) AS part;
  END IF;
  told := presence_left(view.begins, view.past, view.join_at, key, at, linger, silence);
  UPDATE viewing_times
  SET nodes = view.nodes - key, begins = told.rest, past = told.known,
      join_at = told.since, terminate_at = told.until
  WHERE user_id = of_user AND resource = of_resource AND idle = of_idle AND terminate_at IS NULL;
  INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
  SELECT of_user, of_resource, of_idle, lower(part), upper(part), '{}' FROM unnest(told.over) AS part;
END $$;

CREATE FUNCTION presence_free_of_stays(
  of_user text, low timestamptz, high timestamptz)
RETURNS SETOF tstzrange LANGUAGE sql STABLE AS $$
  SELECT unnest(tstzmultirange(tstzrange(low, high))
    - coalesce(range_agg(tstzrange(join_at, terminate_at)), '{}'))
  FROM (
    SELECT join_at, terminate_at FROM watching_times AS stay
    WHERE stay.user_id = of_user AND terminate_at IS NULL
    UNION ALL
    SELECT join_at, terminate_at FROM watching_times AS stay
    WHERE stay.user_id = of_user AND terminate_at > low
    UNION ALL
    SELECT join_at, terminate_at FROM watching_times_archive AS stay
    WHERE stay.user_id = of_user AND join_at < high AND terminate_at > low
      AND low < (SELECT last_seen_at FROM watching_users WHERE user_id = of_user)) AS known
$$;
COMMENT ON FUNCTION presence_free_of_stays IS
  'The parts of a time in which no stay is recorded.';

CREATE FUNCTION presence_free_of_views(
  of_user text, of_resource text, of_idle boolean, low timestamptz, high timestamptz)
RETURNS SETOF tstzrange LANGUAGE sql STABLE AS $$
  SELECT unnest(tstzmultirange(tstzrange(low, high))
    - coalesce(range_agg(tstzrange(join_at, terminate_at)), '{}'))
  FROM (
    SELECT join_at, terminate_at FROM viewing_times AS view
    WHERE view.user_id = of_user AND view.resource = of_resource AND view.idle = of_idle
      AND terminate_at IS NULL
    UNION ALL
    SELECT join_at, terminate_at FROM viewing_times AS view
    WHERE view.user_id = of_user AND view.resource = of_resource AND view.idle = of_idle
      AND terminate_at > low
    UNION ALL
    -- What is in the archive ended a minute ago, or earlier.
    SELECT join_at, terminate_at FROM viewing_times_archive AS view
    WHERE view.user_id = of_user AND view.resource = of_resource AND view.idle = of_idle
      AND join_at < high AND terminate_at > low
      AND low < now() - interval '1 minute') AS known
$$;
COMMENT ON FUNCTION presence_free_of_views IS
  'The parts of a time in which no view is recorded.';

UPDATE watching_times
SET begins = presence_begins(nodes, NULL, join_at),
    past = CASE WHEN last_left_at > join_at THEN tstzrange(join_at, last_left_at)::tstzmultirange END
WHERE terminate_at IS NULL
  AND (last_left_at IS NOT NULL OR (SELECT count(*) FROM jsonb_object_keys(nodes)) > 1);
UPDATE viewing_times
SET begins = presence_begins(nodes, NULL, join_at),
    past = CASE WHEN last_left_at > join_at THEN tstzrange(join_at, last_left_at)::tstzmultirange END
WHERE terminate_at IS NULL
  AND (last_left_at IS NOT NULL OR (SELECT count(*) FROM jsonb_object_keys(nodes)) > 1);
ALTER TABLE watching_times DROP COLUMN last_left_at;
ALTER TABLE viewing_times DROP COLUMN last_left_at;

DROP FUNCTION presence_record, presence_record_viewing;

CREATE FUNCTION presence_record(
  incarnation bigint, epoch bigint, users text[], connections int[], at bigint[], linger bigint)
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key  text := presence_key($1, $2);
  gone jsonb;
  written int;
  began_users text[];
  began_at    timestamptz[];
  late record;
BEGIN
  IF key IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(false);
  gone := jsonb_build_object(key, 0);

  -- Who is gone is never inserted: a row with this key is nobody else's to end. A conflict finds the row
  -- by its index whatever the plan, and one after the other in the order of users.
  WITH written AS (
    INSERT INTO watching_times AS stay (user_id, join_at, nodes)
    SELECT change.user_id, presence_instant(change.at), jsonb_build_object(key, change.connections)
    FROM unnest($3, $4, $5) AS change (user_id, connections, at)
    WHERE change.connections > 0 OR EXISTS (
      SELECT FROM watching_times AS open
      WHERE open.user_id = change.user_id AND open.terminate_at IS NULL AND open.nodes ? key
      OFFSET 0) -- one by one, or else PostgreSQL may read all of them at once
    ORDER BY change.user_id COLLATE "C"
    ON CONFLICT (user_id) WHERE terminate_at IS NULL
    DO UPDATE SET
      nodes = CASE WHEN excluded.nodes = gone THEN stay.nodes - key
              ELSE stay.nodes || excluded.nodes END,
      join_at = CASE WHEN excluded.nodes = gone THEN stay.join_at
                ELSE least(stay.join_at, excluded.join_at) END,
      terminate_at = CASE WHEN excluded.nodes = gone THEN
        greatest(excluded.join_at, stay.join_at + interval '1 microsecond') END,
      begins = CASE WHEN stay.nodes ? key THEN stay.begins
               ELSE presence_begins(stay.nodes, stay.begins, stay.join_at)
                 || jsonb_build_object(key, excluded.join_at) END
    WHERE excluded.nodes <> gone OR stay.begins IS NULL
    RETURNING user_id, join_at, terminate_at)
  SELECT array_agg(user_id) FILTER (WHERE terminate_at IS NULL),
         array_agg(join_at) FILTER (WHERE terminate_at IS NULL), count(*)
  INTO began_users, began_at, written
  FROM written;

  -- Of those whom other nodes have had, too, the rows are locked, and no more.
  IF written < cardinality($3) THEN
    PERFORM presence_left_stay(
      change.user_id, key, presence_instant(change.at), linger * interval '1 millisecond', '0')
    FROM unnest($3, $4, $5) AS change (user_id, connections, at)
    WHERE change.connections = 0 AND EXISTS (
      SELECT FROM watching_times AS open
      WHERE open.user_id = change.user_id AND open.terminate_at IS NULL AND open.nodes ? key
      OFFSET 0);
  END IF;

  -- Now these rows are locked, and nobody else can end a stay of these users. Few need this; a join
  -- with the table could be planned to read all of it. What lies between the stays that others have
  -- told before is inserted when it is known until when this node had the user.
  FOR late IN
    SELECT began.user_id, past.ended
    FROM unnest(began_users, began_at) AS began (user_id, join_at)
    CROSS JOIN LATERAL (
      SELECT terminate_at AS ended FROM watching_times
      WHERE user_id = began.user_id AND terminate_at > began.join_at
      ORDER BY terminate_at DESC LIMIT 1) AS past
  LOOP
    UPDATE watching_times
    SET join_at = late.ended, begins = presence_begins(nodes, begins, join_at)
    WHERE user_id = late.user_id AND terminate_at IS NULL;
  END LOOP;

  -- Told so late that the last stay may be in the archive: archive-after is no less.
  IF (SELECT min(began) FROM unnest(began_at) AS began) < now() - interval '1 minute' THEN
    FOR late IN
      SELECT began.user_id, past.ended
      FROM unnest(began_users, began_at) AS began (user_id, join_at)
      CROSS JOIN LATERAL (
        SELECT last_seen_at AS ended FROM watching_users WHERE user_id = began.user_id
        OFFSET 0) AS past
      WHERE past.ended > began.join_at
    LOOP
      UPDATE watching_times
      SET join_at = greatest(join_at, late.ended), begins = presence_begins(nodes, begins, join_at)
      WHERE user_id = late.user_id AND terminate_at IS NULL;
    END LOOP;
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record IS
  'For nodes: users have so many connections on an incarnation, since these milliseconds after 1970; with 0 they are gone since then. False if its lease has ended.';

CREATE FUNCTION presence_record_viewing(
  incarnation bigint, epoch bigint, users text[], resources text[], idles boolean[],
  connections int[], at bigint[], linger bigint)
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key  text := presence_key($1, $2);
  gone jsonb;
  written int;
  began_users     text[];
  began_resources text[];
  began_idles     boolean[];
  began_at        timestamptz[];
  late record;
BEGIN
  IF key IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(false);
  gone := jsonb_build_object(key, 0);

  WITH written AS (
    INSERT INTO viewing_times AS view (user_id, resource, idle, join_at, nodes)
    SELECT change.user_id, change.resource, change.idle, presence_instant(change.at),
           jsonb_build_object(key, change.connections)
    FROM unnest($3, $4, $5, $6, $7) AS change (user_id, resource, idle, connections, at)
    WHERE change.connections > 0 OR EXISTS (
      SELECT FROM viewing_times AS open
      WHERE open.user_id = change.user_id AND open.resource = change.resource
        AND open.idle = change.idle AND open.terminate_at IS NULL AND open.nodes ? key
      OFFSET 0)
    ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle
    ON CONFLICT (user_id, resource, idle) WHERE terminate_at IS NULL
    DO UPDATE SET
      nodes = CASE WHEN excluded.nodes = gone THEN view.nodes - key
              ELSE view.nodes || excluded.nodes END,
      join_at = CASE WHEN excluded.nodes = gone THEN view.join_at
                ELSE least(view.join_at, excluded.join_at) END,
      terminate_at = CASE WHEN excluded.nodes = gone THEN
        greatest(excluded.join_at, view.join_at + interval '1 microsecond') END,
      begins = CASE WHEN view.nodes ? key THEN view.begins
               ELSE presence_begins(view.nodes, view.begins, view.join_at)
                 || jsonb_build_object(key, excluded.join_at) END
    WHERE excluded.nodes <> gone OR view.begins IS NULL
    RETURNING user_id, resource, idle, join_at, terminate_at)
  SELECT array_agg(user_id) FILTER (WHERE terminate_at IS NULL),
         array_agg(resource) FILTER (WHERE terminate_at IS NULL),
         array_agg(idle) FILTER (WHERE terminate_at IS NULL),
         array_agg(join_at) FILTER (WHERE terminate_at IS NULL), count(*)
  INTO began_users, began_resources, began_idles, began_at, written
  FROM written;

  IF written < cardinality($3) THEN
    PERFORM presence_left_view(
      change.user_id, change.resource, change.idle, key, presence_instant(change.at),
      linger * interval '1 millisecond', '0')
    FROM unnest($3, $4, $5, $6, $7) AS change (user_id, resource, idle, connections, at)
    WHERE change.connections = 0 AND EXISTS (
      SELECT FROM viewing_times AS open
      WHERE open.user_id = change.user_id AND open.resource = change.resource
        AND open.idle = change.idle AND open.terminate_at IS NULL AND open.nodes ? key
      OFFSET 0);
  END IF;

  -- Views do not overlap, whatever the clocks of nodes say.
  FOR late IN
    SELECT began.user_id, began.resource, began.idle, past.ended
    FROM unnest(began_users, began_resources, began_idles, began_at)
      AS began (user_id, resource, idle, join_at)
    CROSS JOIN LATERAL (
      SELECT terminate_at AS ended FROM viewing_times AS view
      WHERE view.user_id = began.user_id AND view.resource = began.resource
        AND view.idle = began.idle AND view.terminate_at > began.join_at
      ORDER BY view.terminate_at DESC LIMIT 1) AS past
  LOOP
    UPDATE viewing_times
    SET join_at = late.ended, begins = presence_begins(nodes, begins, join_at)
    WHERE user_id = late.user_id AND resource = late.resource AND idle = late.idle
      AND terminate_at IS NULL;
  END LOOP;

  IF (SELECT min(began) FROM unnest(began_at) AS began) < now() - interval '1 minute' THEN
    FOR late IN
      SELECT began.user_id, began.resource, began.idle, past.ended
      FROM unnest(began_users, began_resources, began_idles, began_at)
        AS began (user_id, resource, idle, join_at)
      CROSS JOIN LATERAL (
        SELECT terminate_at AS ended FROM viewing_times_archive AS view
        WHERE view.user_id = began.user_id AND view.resource = began.resource
          AND view.idle = began.idle
        ORDER BY view.join_at DESC LIMIT 1) AS past
      WHERE past.ended > began.join_at
    LOOP
      UPDATE viewing_times
      SET join_at = greatest(join_at, late.ended), begins = presence_begins(nodes, begins, join_at)
      WHERE user_id = late.user_id AND resource = late.resource AND idle = late.idle
        AND terminate_at IS NULL;
    END LOOP;
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing IS
  'For nodes: users view resources, idle or not, on so many connections of an incarnation, since these milliseconds after 1970; with 0 no more since then. False if its lease has ended.';

-- What is over and was never written may lie in a stay that turns out to have ended before. Its row is
-- locked first: when it has ended meanwhile, what is free is more.

CREATE OR REPLACE FUNCTION presence_record_ended(
  incarnation bigint, epoch bigint, users text[], begins bigint[], ends bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  told record;
BEGIN
  IF presence_key($1, $2) IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(true);

  FOR told IN
    SELECT change.user_id, presence_instant(change.low) AS low, presence_instant(change.high) AS high
    FROM unnest($3, $4, $5) AS change (user_id, low, high)
    ORDER BY change.user_id COLLATE "C"
  LOOP
    UPDATE watching_times AS stay
    SET begins = presence_begins(stay.nodes, stay.begins, stay.join_at),
        past = presence_kept(coalesce(stay.past, '{}')
          + tstzrange(greatest(told.low, stay.join_at), told.high)::tstzmultirange)
    WHERE stay.user_id = told.user_id AND stay.terminate_at IS NULL
      AND told.high > greatest(told.low, stay.join_at);
  END LOOP;

  INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
  SELECT change.user_id, lower(part), upper(part), '{}'
  FROM (
    SELECT user_id, low, greatest(presence_instant(high), low + interval '1 microsecond') AS high
    FROM unnest($3, $4, $5) AS change (user_id, begin, high)
    CROSS JOIN LATERAL (SELECT presence_instant(begin) AS low)) AS change
  CROSS JOIN LATERAL presence_free_of_stays(change.user_id, change.low, change.high) AS part
  ORDER BY change.user_id COLLATE "C", lower(part);
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION presence_record_viewing_ended(
  incarnation bigint, epoch bigint, users text[], resources text[], idles boolean[],
  begins bigint[], ends bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  told record;
BEGIN
  IF presence_key($1, $2) IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(true);

  FOR told IN
    SELECT change.user_id, change.resource, change.idle,
           presence_instant(change.low) AS low, presence_instant(change.high) AS high
    FROM unnest($3, $4, $5, $6, $7) AS change (user_id, resource, idle, low, high)
    ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle
  LOOP
    UPDATE viewing_times AS view
    SET begins = presence_begins(view.nodes, view.begins, view.join_at),
        past = presence_kept(coalesce(view.past, '{}')
          + tstzrange(greatest(told.low, view.join_at), told.high)::tstzmultirange)
    WHERE view.user_id = told.user_id AND view.resource = told.resource AND view.idle = told.idle
      AND view.terminate_at IS NULL AND told.high > greatest(told.low, view.join_at);
  END LOOP;

  INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
  SELECT change.user_id, change.resource, change.idle, lower(part), upper(part), '{}'
  FROM (
    SELECT user_id, resource, idle, low,
           greatest(presence_instant(high), low + interval '1 microsecond') AS high
    FROM unnest($3, $4, $5, $6, $7) AS change (user_id, resource, idle, begin, high)
    CROSS JOIN LATERAL (SELECT presence_instant(begin) AS low)) AS change
  CROSS JOIN LATERAL presence_free_of_views(
    change.user_id, change.resource, change.idle, change.low, change.high) AS part
  ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle, lower(part);
  RETURN true;
END $$;
