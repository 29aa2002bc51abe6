-- What nodes write, once more: one function for all changes of a batch, so one commit and one pass over
-- the users in their order; and one for stays that are over before anything of them was written.

DROP FUNCTION presence_record_here, presence_record_gone,
  presence_record_viewing_here, presence_record_viewing_gone;

-- Rows are found by user, and their ids only name them: an index that nothing reads would be written at
-- each begin and each end.
ALTER TABLE watching_times DROP CONSTRAINT watching_times_pkey;
ALTER TABLE viewing_times DROP CONSTRAINT viewing_times_pkey;

-- Holds the lease until the transaction ends. Null if it has ended, or the statement came late.
CREATE FUNCTION presence_key(incarnation bigint, epoch bigint) RETURNS text
LANGUAGE sql AS $$
  SELECT lease.node || '#' || lease.incarnation FROM gateway_nodes AS lease
  WHERE lease.incarnation = $1 AND lease.epoch <= $2 AND lease.left_at IS NULL
  FOR KEY SHARE
$$;

CREATE FUNCTION presence_instant(milliseconds bigint) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN 'epoch'::timestamptz + milliseconds * interval '1 millisecond';

-- Whoever begins stays shares this lock, whoever inserts stays that are over has it alone: neither could
-- see what the other is about to commit. Any number, the same for all.
CREATE FUNCTION presence_stays_lock(alone boolean) RETURNS void
LANGUAGE sql
RETURN CASE WHEN alone THEN pg_advisory_xact_lock(4921) ELSE pg_advisory_xact_lock_shared(4921) END;

CREATE FUNCTION presence_record(
  incarnation bigint, epoch bigint, users text[], connections int[], at bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key  text := presence_key($1, $2);
  gone jsonb;
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
      terminate_at = CASE WHEN excluded.nodes = gone AND stay.nodes - key = '{}' THEN
        greatest(excluded.join_at, stay.last_left_at, stay.join_at + interval '1 microsecond') END,
      last_left_at = CASE WHEN excluded.nodes <> gone THEN stay.last_left_at
                     WHEN stay.nodes - key <> '{}' THEN
                       greatest(excluded.join_at, stay.last_left_at) END
    RETURNING user_id, join_at, terminate_at)
  SELECT array_agg(written.user_id), array_agg(written.join_at) INTO began_users, began_at
  FROM written WHERE written.terminate_at IS NULL;

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
  connections int[], at bigint[])
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  key  text := presence_key($1, $2);
  gone jsonb;
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
      terminate_at = CASE WHEN excluded.nodes = gone AND view.nodes - key = '{}' THEN
        greatest(excluded.join_at, view.last_left_at, view.join_at + interval '1 microsecond') END,
      last_left_at = CASE WHEN excluded.nodes <> gone THEN view.last_left_at
                     WHEN view.nodes - key <> '{}' THEN
                       greatest(excluded.join_at, view.last_left_at) END
    RETURNING user_id, resource, idle, join_at, terminate_at)
  SELECT array_agg(written.user_id), array_agg(written.resource), array_agg(written.idle),
         array_agg(written.join_at)
  INTO began_users, began_resources, began_idles, began_at
  FROM written WHERE written.terminate_at IS NULL;

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

-- What is over before anything of it was written is not begun, or it would become one with a stay that
-- goes on elsewhere, and the gap in between be lost. Of it only what no stay has is inserted: so it
-- may be written twice, and by several nodes.

CREATE FUNCTION presence_record_ended(
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
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_ended IS
  'For nodes: users were online between these milliseconds after 1970, as far as it is not recorded yet. False if the lease has ended.';

CREATE FUNCTION presence_record_viewing_ended(
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
  RETURN true;
END $$;
COMMENT ON FUNCTION presence_record_viewing_ended IS
  'For nodes: users viewed resources, idle or not, between these milliseconds after 1970, as far as it is not recorded yet. False if the lease has ended.';

-- Events.

-- Begins of stays can still move: another node may have had the user earlier. Ids do not.
ALTER TABLE presence_events ADD COLUMN stay bigint NOT NULL DEFAULT 0;
ALTER TABLE presence_events ALTER COLUMN stay DROP DEFAULT;
COMMENT ON COLUMN presence_events.stay IS
  'The stay, or the view: its id, which it also has in the archive.';
COMMENT ON COLUMN presence_events.since IS
  'When it began, as far as was known then.';

-- These are there while events are written down: triggers collect rows whatever they do with them.
DROP TRIGGER presence_events_added ON watching_times;
DROP TRIGGER presence_events_changed ON watching_times;
DROP TRIGGER presence_events_added ON viewing_times;
DROP TRIGGER presence_events_changed ON viewing_times;

CREATE OR REPLACE FUNCTION presence_events_of_stays() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET plan_cache_mode = auto
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    -- One that is over already is told as such: whoever counts who is online need not notice.
    INSERT INTO presence_events (user_id, event, at, since, connections, stay)
    SELECT user_id, CASE WHEN terminate_at IS NULL THEN 'online' ELSE 'was-online' END,
           coalesce(terminate_at, join_at), join_at, presence_connections(nodes), id
    FROM added ORDER BY user_id COLLATE "C", join_at;
  ELSE
    INSERT INTO presence_events (user_id, event, at, since, connections, stay)
    SELECT changed.user_id,
           CASE WHEN changed.terminate_at IS NOT NULL THEN 'offline'
                WHEN presence_connections(changed.nodes) > presence_connections(before.nodes)
                THEN 'device-added' ELSE 'device-removed' END,
           coalesce(changed.terminate_at, now()), changed.join_at,
           presence_connections(changed.nodes), changed.id
    FROM changed JOIN before ON before.id = changed.id
    WHERE (changed.terminate_at IS NOT NULL AND before.terminate_at IS NULL)
       OR (changed.terminate_at IS NULL
           AND presence_connections(changed.nodes) <> presence_connections(before.nodes))
    ORDER BY changed.user_id COLLATE "C";
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION presence_events_of_views() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET plan_cache_mode = auto
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO presence_events (user_id, event, at, since, connections, stay, resource, idle)
    SELECT user_id, CASE WHEN terminate_at IS NULL THEN 'view-began' ELSE 'viewed' END,
           coalesce(terminate_at, join_at), join_at, presence_connections(nodes), id, resource, idle
    FROM added ORDER BY user_id COLLATE "C", resource COLLATE "C", idle, join_at;
  ELSE
    INSERT INTO presence_events (user_id, event, at, since, connections, stay, resource, idle)
    SELECT changed.user_id, 'view-ended', changed.terminate_at, changed.join_at, 0, changed.id,
           changed.resource, changed.idle
    FROM changed JOIN before ON before.id = changed.id
    WHERE changed.terminate_at IS NOT NULL AND before.terminate_at IS NULL
    ORDER BY changed.user_id COLLATE "C", changed.resource COLLATE "C", changed.idle;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION presence_events_enable(enable boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  of record;
BEGIN
  PERFORM FROM presence_publishing FOR UPDATE;
  IF (SELECT enabled FROM presence_publishing) = enable THEN
    RETURN;
  END IF;
  -- What is being written is waited for; so short that nodes that wait behind it do not give up.
  PERFORM set_config('lock_timeout', '2s', true);
  FOR of IN
    SELECT * FROM (VALUES ('watching_times', 'presence_events_of_stays'),
                          ('viewing_times', 'presence_events_of_views')) AS of (changes, function)
  LOOP
    IF enable THEN
      EXECUTE format('CREATE TRIGGER presence_events_added AFTER INSERT ON %I'
        ' REFERENCING NEW TABLE AS added'
        ' FOR EACH STATEMENT EXECUTE FUNCTION %I()', of.changes, of.function);
      EXECUTE format('CREATE TRIGGER presence_events_changed AFTER UPDATE ON %I'
        ' REFERENCING OLD TABLE AS before NEW TABLE AS changed'
        ' FOR EACH STATEMENT EXECUTE FUNCTION %I()', of.changes, of.function);
    ELSE
      EXECUTE format('DROP TRIGGER presence_events_added ON %I', of.changes);
      EXECUTE format('DROP TRIGGER presence_events_changed ON %I', of.changes);
    END IF;
  END LOOP;
  UPDATE presence_publishing SET enabled = enable;
  IF NOT enable THEN
    DELETE FROM presence_events;
  END IF;
END $$;
COMMENT ON FUNCTION presence_events_enable IS
  'Whether presence events are written down from now on; what waits is discarded if not.';

-- The node that brings the tables to this version says so anew.
UPDATE presence_publishing SET enabled = false;
