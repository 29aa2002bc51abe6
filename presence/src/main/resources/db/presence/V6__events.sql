-- Presence events: what changes in watching_times and viewing_times, written down by triggers in the
-- very transaction that changes it. The service publishes these rows to Kafka and deletes them.

CREATE TABLE presence_events (
  -- Of one user in the order of what happened: the user's row is locked by whoever writes one.
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Rows of transactions that had all ended at some time are complete: none with a lower id can come.
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  user_id     text NOT NULL,
  event       text NOT NULL,
  -- When it happened; when it was recorded, for more or fewer connections.
  at          timestamptz NOT NULL,
  -- Of the stay, or the view: together with the user its name.
  since       timestamptz NOT NULL,
  -- All nodes together; 0 at the end.
  connections int NOT NULL,
  resource    text,
  idle        boolean
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE presence_events IS
  'Presence events that are still to be published. Nothing is written here while presence_publishing says so.';

-- One row.
CREATE TABLE presence_publishing (
  enabled boolean NOT NULL,
  -- Who publishes, and for how long nobody else may begin to.
  holder  text NOT NULL,
  until   timestamptz NOT NULL,
  -- Names this database to Kafka. To be changed when a database is brought back from a backup: what was
  -- published since then says nothing about its rows.
  identity uuid NOT NULL DEFAULT gen_random_uuid()
) WITH (fillfactor = 50);
INSERT INTO presence_publishing (enabled, holder, until) VALUES (false, '', now());
COMMENT ON TABLE presence_publishing IS 'Whether presence events are written down, and which process publishes them.';

CREATE FUNCTION presence_connections(nodes jsonb) RETURNS int
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(sum(value::int), 0)::int FROM jsonb_each_text(nodes));

-- What the writers set for their own plans (V4) would compare each row with each other.
CREATE FUNCTION presence_events_of_stays() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET plan_cache_mode = auto
AS $$
BEGIN
  IF NOT (SELECT enabled FROM presence_publishing) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO presence_events (user_id, event, at, since, connections)
    SELECT user_id, 'online', join_at, join_at, presence_connections(nodes)
    FROM added ORDER BY user_id COLLATE "C";
  ELSE
    INSERT INTO presence_events (user_id, event, at, since, connections)
    SELECT changed.user_id,
           CASE WHEN changed.terminate_at IS NOT NULL THEN 'offline'
                WHEN presence_connections(changed.nodes) > presence_connections(before.nodes)
                THEN 'device-added' ELSE 'device-removed' END,
           coalesce(changed.terminate_at, now()), changed.join_at,
           presence_connections(changed.nodes)
    FROM changed JOIN before ON before.id = changed.id
    WHERE (changed.terminate_at IS NOT NULL AND before.terminate_at IS NULL)
       OR (changed.terminate_at IS NULL
           AND presence_connections(changed.nodes) <> presence_connections(before.nodes))
    ORDER BY changed.user_id COLLATE "C";
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER presence_events_added AFTER INSERT ON watching_times
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION presence_events_of_stays();
CREATE TRIGGER presence_events_changed AFTER UPDATE ON watching_times
  REFERENCING OLD TABLE AS before NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION presence_events_of_stays();

CREATE FUNCTION presence_events_of_views() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET plan_cache_mode = auto
AS $$
BEGIN
  IF NOT (SELECT enabled FROM presence_publishing) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO presence_events (user_id, event, at, since, connections, resource, idle)
    SELECT user_id, 'view-began', join_at, join_at, presence_connections(nodes), resource, idle
    FROM added ORDER BY user_id COLLATE "C", resource COLLATE "C", idle;
  ELSE
    INSERT INTO presence_events (user_id, event, at, since, connections, resource, idle)
    SELECT changed.user_id, 'view-ended', changed.terminate_at, changed.join_at, 0,
           changed.resource, changed.idle
    FROM changed JOIN before ON before.id = changed.id
    WHERE changed.terminate_at IS NOT NULL AND before.terminate_at IS NULL
    ORDER BY changed.user_id COLLATE "C", changed.resource COLLATE "C", changed.idle;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER presence_events_added AFTER INSERT ON viewing_times
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION presence_events_of_views();
CREATE TRIGGER presence_events_changed AFTER UPDATE ON viewing_times
  REFERENCING OLD TABLE AS before NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION presence_events_of_views();
