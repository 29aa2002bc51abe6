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

-- Of one who is here for days, and at times elsewhere, few such times are kept; those in between are filled.
CREATE FUNCTION presence_past(past tstzmultirange, more tstzrange) RETURNS tstzmultirange
LANGUAGE sql IMMUTABLE
RETURN (
  SELECT CASE WHEN (SELECT count(*) FROM unnest(known)) > 8 THEN range_merge(known)::tstzmultirange
         ELSE known END
  FROM (SELECT coalesce(past, '{}') + more::tstzmultirange AS known) AS told);

-- A node that was killed had the user until some time after it was seen last: who came to another one
-- meanwhile never left.
CREATE FUNCTION presence_there_until(
  begins jsonb, past tstzmultirange, at timestamptz, unsure interval)
RETURNS timestamptz LANGUAGE sql STABLE
RETURN coalesce(
  (SELECT min(began) FROM (
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

-- A node has lost the user of a row that has begins, and that is locked.
CREATE FUNCTION presence_left_stay(
  of_user text, key text, at timestamptz, linger interval, silence interval)
RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
  stay  watching_times;
  rest  jsonb;
  began timestamptz;
  known tstzmultirange;
  over  tstzmultirange;
  first tstzrange;
BEGIN
  SELECT * INTO stay FROM watching_times
  WHERE user_id = of_user AND terminate_at IS NULL AND nodes ? key;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  rest := stay.begins - key;
  began := greatest((stay.begins ->> key)::timestamptz, stay.join_at);
  known := presence_past(stay.past, tstzrange(began, greatest(
    presence_there_until(rest, stay.past, at, linger + silence),
    began + interval '1 microsecond')));
  over := presence_over(rest, known, linger);
  IF isempty(over) THEN
    UPDATE watching_times SET nodes = stay.nodes - key, begins = rest, past = known
    WHERE user_id = of_user AND terminate_at IS NULL;
    RETURN;
  END IF;

  SELECT part INTO first FROM unnest(over) AS part ORDER BY part LIMIT 1;
  UPDATE watching_times
  SET nodes = '{}', begins = NULL, past = NULL,
      terminate_at = greatest(upper(first), stay.join_at + interval '1 microsecond')
  WHERE user_id = of_user AND terminate_at IS NULL;
  INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
  SELECT of_user, lower(part), upper(part), '{}' FROM unnest(over) AS part WHERE part <> first;
  IF rest <> '{}' THEN
    known := known - over;
    INSERT INTO watching_times (user_id, join_at, nodes, begins, past)
    VALUES (of_user, least(presence_first(rest), lower(known)), stay.nodes - key, rest, known);
  END IF;
END $$;

CREATE FUNCTION presence_left_view(
  of_user text, of_resource text, of_idle boolean,
  key text, at timestamptz, linger interval, silence interval)
RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
  view  viewing_times;
  rest  jsonb;
  began timestamptz;
  known tstzmultirange;
  over  tstzmultirange;
  first tstzrange;
BEGIN
  SELECT * INTO view FROM viewing_times
  WHERE user_id = of_user AND resource = of_resource AND idle = of_idle AND terminate_at IS NULL
    AND nodes ? key;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  rest := view.begins - key;
  began := greatest((view.begins ->> key)::timestamptz, view.join_at);
  known := presence_past(view.past, tstzrange(began, greatest(
    presence_there_until(rest, view.past, at, linger + silence),
    began + interval '1 microsecond')));
  over := presence_over(rest, known, linger);
  IF isempty(over) THEN
    UPDATE viewing_times SET nodes = view.nodes - key, begins = rest, past = known
    WHERE user_id = of_user AND resource = of_resource AND idle = of_idle AND terminate_at IS NULL;
    RETURN;
  END IF;

  SELECT part INTO first FROM unnest(over) AS part ORDER BY part LIMIT 1;
  UPDATE viewing_times
  SET nodes = '{}', begins = NULL, past = NULL,
      terminate_at = greatest(upper(first), view.join_at + interval '1 microsecond')
  WHERE user_id = of_user AND resource = of_resource AND idle = of_idle AND terminate_at IS NULL;
  INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
  SELECT of_user, of_resource, of_idle, lower(part), upper(part), '{}'
  FROM unnest(over) AS part WHERE part <> first;
  IF rest <> '{}' THEN
    known := known - over;
    INSERT INTO viewing_times (user_id, resource, idle, join_at, nodes, begins, past)
    VALUES (of_user, of_resource, of_idle, least(presence_first(rest), lower(known)),
            view.nodes - key, rest, known);
  END IF;
END $$;

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

  IF written < cardinality($3) THEN
    PERFORM presence_left_stay(
      change.user_id, key, presence_instant(change.at), linger * interval '1 millisecond', '0')
    FROM (SELECT * FROM unnest($3, $4, $5) AS change (user_id, connections, at)
          WHERE change.connections = 0 ORDER BY change.user_id COLLATE "C") AS change;
  END IF;

  -- Now these rows are locked, and nobody else can end a stay of these users. Few need this; a join
  -- with the table could be planned to read all of it.
  FOR late IN
    SELECT began.user_id, past.ended
    FROM unnest(began_users, began_at) AS began (user_id, join_at)
    CROSS JOIN LATERAL (
      SELECT terminate_at AS ended FROM watching_times
      WHERE user_id = began.user_id AND terminate_at > began.join_at
      ORDER BY terminate_at DESC LIMIT 1) AS past
  LOOP
    UPDATE watching_times SET join_at = late.ended
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
      UPDATE watching_times SET join_at = greatest(join_at, late.ended)
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
    FROM (SELECT * FROM unnest($3, $4, $5, $6, $7)
            AS change (user_id, resource, idle, connections, at)
          WHERE change.connections = 0
          ORDER BY change.user_id COLLATE "C", change.resource COLLATE "C", change.idle) AS change;
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
    UPDATE viewing_times SET join_at = late.ended
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
      UPDATE viewing_times SET join_at = greatest(join_at, late.ended)
      WHERE user_id = late.user_id AND resource = late.resource AND idle = late.idle
        AND terminate_at IS NULL;
    END LOOP;
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing IS
  'For nodes: users view resources, idle or not, on so many connections of an incarnation, since these milliseconds after 1970; with 0 no more since then. False if its lease has ended.';

-- What is over and was never written may lie in a stay that turns out to have ended before.

CREATE OR REPLACE FUNCTION presence_record_ended(
  incarnation bigint, epoch bigint, users text[], begins bigint[], ends bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
  IF presence_key($1, $2) IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(true);

  INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
  SELECT told.user_id, lower(part), upper(part), '{}'
  FROM (
    SELECT user_id, low, greatest(presence_instant(high), low + interval '1 microsecond') AS high
    FROM unnest($3, $4, $5) AS told (user_id, begin, high)
    CROSS JOIN LATERAL (SELECT presence_instant(begin) AS low)) AS told
  CROSS JOIN LATERAL (
    SELECT range_agg(tstzrange(join_at, terminate_at)) AS spans FROM (
      SELECT join_at, terminate_at FROM watching_times AS stay
      WHERE stay.user_id = told.user_id AND terminate_at IS NULL
      UNION ALL
      SELECT join_at, terminate_at FROM watching_times AS stay
      WHERE stay.user_id = told.user_id AND terminate_at > told.low
      UNION ALL
      SELECT join_at, terminate_at FROM watching_times_archive AS stay
      WHERE stay.user_id = told.user_id AND join_at < told.high AND terminate_at > told.low
        AND told.low < (SELECT last_seen_at FROM watching_users AS past
                        WHERE past.user_id = told.user_id)) AS stays) AS known
  CROSS JOIN LATERAL unnest(
    tstzmultirange(tstzrange(told.low, told.high)) - coalesce(known.spans, '{}')) AS part
  ORDER BY told.user_id COLLATE "C", lower(part);

  WITH open AS MATERIALIZED (
    SELECT stay.user_id, tstzrange(
             greatest(presence_instant(told.begin), stay.join_at), presence_instant(told.high)) AS told
    FROM unnest($3, $4, $5) AS told (user_id, begin, high)
    JOIN watching_times AS stay ON stay.user_id = told.user_id
      AND stay.terminate_at IS NULL AND stay.join_at < presence_instant(told.high)
    ORDER BY stay.user_id COLLATE "C"
    FOR UPDATE OF stay)
  UPDATE watching_times AS stay
  SET begins = presence_begins(stay.nodes, stay.begins, stay.join_at),
      past = presence_past(stay.past, open.told)
  FROM open WHERE stay.user_id = open.user_id AND stay.terminate_at IS NULL;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_ended IS
  'For nodes: users were online between these milliseconds after 1970, as far as it is not recorded yet. Each user once. False if the lease has ended.';

CREATE OR REPLACE FUNCTION presence_record_viewing_ended(
  incarnation bigint, epoch bigint, users text[], resources text[], idles boolean[],
  begins bigint[], ends bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
  IF presence_key($1, $2) IS NULL THEN
    RETURN false;
  END IF;
  PERFORM presence_stays_lock(true);

  INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
  SELECT told.user_id, told.resource, told.idle, lower(part), upper(part), '{}'
  FROM (
    SELECT user_id, resource, idle, low,
           greatest(presence_instant(high), low + interval '1 microsecond') AS high
    FROM unnest($3, $4, $5, $6, $7) AS told (user_id, resource, idle, begin, high)
    CROSS JOIN LATERAL (SELECT presence_instant(begin) AS low)) AS told
  CROSS JOIN LATERAL (
    SELECT range_agg(tstzrange(join_at, terminate_at)) AS spans FROM (
      SELECT join_at, terminate_at FROM viewing_times AS view
      WHERE view.user_id = told.user_id AND view.resource = told.resource
        AND view.idle = told.idle AND terminate_at IS NULL
      UNION ALL
      SELECT join_at, terminate_at FROM viewing_times AS view
      WHERE view.user_id = told.user_id AND view.resource = told.resource
        AND view.idle = told.idle AND terminate_at > told.low
      UNION ALL
      -- What is in the archive ended a minute ago, or earlier.
      SELECT join_at, terminate_at FROM viewing_times_archive AS view
      WHERE view.user_id = told.user_id AND view.resource = told.resource
        AND view.idle = told.idle AND join_at < told.high AND terminate_at > told.low
        AND told.low < now() - interval '1 minute') AS views) AS known
  CROSS JOIN LATERAL unnest(
    tstzmultirange(tstzrange(told.low, told.high)) - coalesce(known.spans, '{}')) AS part
  ORDER BY told.user_id COLLATE "C", told.resource COLLATE "C", told.idle, lower(part);

  WITH open AS MATERIALIZED (
    SELECT view.user_id, view.resource, view.idle, tstzrange(
             greatest(presence_instant(told.begin), view.join_at), presence_instant(told.high)) AS told
    FROM unnest($3, $4, $5, $6, $7) AS told (user_id, resource, idle, begin, high)
    JOIN viewing_times AS view ON view.user_id = told.user_id AND view.resource = told.resource
      AND view.idle = told.idle AND view.terminate_at IS NULL
      AND view.join_at < presence_instant(told.high)
    ORDER BY view.user_id COLLATE "C", view.resource COLLATE "C", view.idle
    FOR UPDATE OF view)
  UPDATE viewing_times AS view
  SET begins = presence_begins(view.nodes, view.begins, view.join_at),
      past = presence_past(view.past, open.told)
  FROM open WHERE view.user_id = open.user_id AND view.resource = open.resource
    AND view.idle = open.idle AND view.terminate_at IS NULL;
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing_ended IS
  'For nodes: users viewed resources, idle or not, between these milliseconds after 1970, as far as it is not recorded yet. Each view once. False if the lease has ended.';
