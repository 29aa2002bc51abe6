-- Stays that ended are moved from watching_times to an archive by month, and what is asked about
-- them has one definition each, in SQL: the views and functions presence_*. They are a public
-- interface, as watching_times is; docs/presence.md shows how to use them.

-- Open stays and those that ended lately: what nodes write. It is small and churns.
ALTER TABLE watching_times SET (
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0);
ALTER TABLE gateway_nodes SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

COMMENT ON TABLE watching_times IS
  'Stays that are open or ended lately, one open one per user. Older ones: watching_times_archive; all: presence_stays.';
COMMENT ON COLUMN watching_times.join_at IS 'When the user came online.';
COMMENT ON COLUMN watching_times.terminate_at IS 'When the user went offline; null while online.';
COMMENT ON COLUMN watching_times.nodes IS
  'node#incarnation to connections the user has there; empty at the end.';

-- Stays by length. To find those that went on at an instant it is enough to look, for each class,
-- at those that began no longer before than the longest of the class lasts.
CREATE TABLE presence_length_classes (
  length_class smallint PRIMARY KEY,
  -- Shorter than this, and no shorter than the class before.
  below        interval NOT NULL
);
INSERT INTO presence_length_classes VALUES
  (0, '1 minute'), (1, '4 minutes'), (2, '16 minutes'), (3, '64 minutes'), (4, '256 minutes'),
  (5, '17 hours'), (6, '68 hours'), (7, '272 hours'), (8, '1088 hours'), (9, '4352 hours'),
  (10, '1000 years');
ANALYZE presence_length_classes;
COMMENT ON TABLE presence_length_classes IS
  'Classes of watching_times_archive.length_class: a stay of a class is shorter than below.';

CREATE FUNCTION presence_length_class(length interval) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN width_bucket(length,
  '{1 minute, 4 minutes, 16 minutes, 64 minutes, 256 minutes, 17 hours, 68 hours, 272 hours,
    1088 hours, 4352 hours}'::interval[])::smallint;

-- Stays that ended, by the month (in UTC) they began in. Written once.
CREATE TABLE watching_times_archive (
  id           bigint NOT NULL,
  user_id      text NOT NULL,
  join_at      timestamptz NOT NULL,
  terminate_at timestamptz NOT NULL,
  length_class smallint NOT NULL
    GENERATED ALWAYS AS (presence_length_class(terminate_at - join_at)) STORED
) PARTITION BY RANGE (join_at);

COMMENT ON TABLE watching_times_archive IS
  'Stays that ended a while ago, moved here from watching_times; a partition for each month.';

CREATE INDEX ON watching_times_archive (user_id, join_at) INCLUDE (terminate_at);
CREATE INDEX ON watching_times_archive (length_class, join_at);

-- For months that the service did not expect, as clocks may be wrong.
CREATE TABLE watching_times_other PARTITION OF watching_times_archive DEFAULT;

-- Who was ever seen in the archive.
CREATE TABLE watching_users (
  user_id       text PRIMARY KEY,
  first_seen_at timestamptz NOT NULL,
  last_seen_at  timestamptz NOT NULL
) WITH (fillfactor = 80); -- room for a later last_seen_at on the row's own page
CREATE INDEX ON watching_users (first_seen_at);

COMMENT ON TABLE watching_users IS
  'Users of watching_times_archive: begin of the first stay, end of the last. Lags behind presence_users.';

CREATE FUNCTION watching_times_month(month timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  low  timestamptz := date_trunc('month', month, 'UTC');
  name text := 'watching_times_' || to_char(low AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF to_regclass(name) IS NULL THEN
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM pg_advisory_xact_lock(4920);
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE watching_times_archive INCLUDING ALL)', name);
      -- Unlike CREATE TABLE … PARTITION OF it lets the archive be read and written meanwhile.
      EXECUTE format('ALTER TABLE watching_times_archive ATTACH PARTITION %I'
        ' FOR VALUES FROM (%L) TO (%L)', name, low, date_add(low, '1 month', 'UTC'));
    END IF;
  END IF;
END $$;
COMMENT ON FUNCTION watching_times_month IS
  'Creates the partition of the archive for the month of an instant, if it is not there.';

CREATE FUNCTION watching_times_forget(retention interval) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  old text;
BEGIN
  PERFORM set_config('lock_timeout', '1s', true);
  FOR old IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'watching_times_archive'::regclass AND relname ~ '^watching_times_\d{4}_\d{2}$'
      AND date_add(make_timestamptz(substr(relname, 16, 4)::int, substr(relname, 21, 2)::int,
                                    1, 0, 0, 0, 'UTC'), '1 month', 'UTC') <= now() - retention
    ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %I', old);
    RETURN NEXT old;
  END LOOP;
  DELETE FROM watching_times_other WHERE terminate_at < now() - retention;
END $$;
COMMENT ON FUNCTION watching_times_forget IS
  'Drops the months of the archive that ended before the retention, and says which.';

-- What V1 recorded has its months, too.
DO $$
BEGIN
  PERFORM watching_times_month(month)
  FROM (SELECT coalesce(min(join_at), now()) AS first FROM watching_times) AS recorded,
       generate_series(date_trunc('month', greatest(first, now() - interval '10 years'), 'UTC'),
                       now() + interval '1 month', '1 month', 'UTC') AS month;
END $$;

-- All stays.

CREATE VIEW presence_stays AS
SELECT id, user_id, join_at, terminate_at, nodes FROM watching_times
UNION ALL
SELECT id, user_id, join_at, terminate_at, '{}'::jsonb FROM watching_times_archive;
COMMENT ON VIEW presence_stays IS
  'All stays: from join_at, inclusive, to terminate_at, exclusive; null while the user is online. A user''s stays do not overlap.';

CREATE FUNCTION presence_stays_of(
  "user" text, low timestamptz DEFAULT '-infinity', high timestamptz DEFAULT 'infinity')
RETURNS TABLE (id bigint, join_at timestamptz, terminate_at timestamptz, nodes jsonb)
LANGUAGE sql STABLE AS $$
  SELECT id, join_at, terminate_at, nodes FROM watching_times
  WHERE user_id = $1 AND terminate_at IS NULL AND join_at >= $2 AND join_at < $3
  UNION ALL
  SELECT id, join_at, terminate_at, nodes FROM watching_times
  WHERE user_id = $1 AND terminate_at IS NOT NULL AND join_at >= $2 AND join_at < $3
  UNION ALL
  SELECT id, join_at, terminate_at, '{}'::jsonb FROM watching_times_archive
  WHERE user_id = $1 AND join_at >= $2 AND join_at < $3
$$;
COMMENT ON FUNCTION presence_stays_of IS
  'Stays of a user that began from low, inclusive, to high, exclusive.';

CREATE FUNCTION presence_stays_between(low timestamptz, high timestamptz)
RETURNS TABLE (id bigint, user_id text, join_at timestamptz, terminate_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT id, user_id, join_at, terminate_at FROM watching_times
  WHERE join_at < $2 AND (terminate_at IS NULL OR terminate_at > $1)
  UNION ALL
  SELECT stay.id, stay.user_id, stay.join_at, stay.terminate_at
  FROM presence_length_classes AS class, LATERAL (
    SELECT id, user_id, join_at, terminate_at FROM watching_times_archive
    WHERE length_class = class.length_class AND terminate_at > $1
      AND join_at > $1 - class.below AND join_at < $2
    OFFSET 0) AS stay -- one by one, or else PostgreSQL may read all of them at once, with no index
$$;
COMMENT ON FUNCTION presence_stays_between IS
  'Stays that have a moment in common with the time from low, inclusive, to high, exclusive.';

-- Now.

CREATE VIEW presence_online AS
SELECT user_id, join_at AS since, nodes,
       (SELECT sum(value::int)::int FROM jsonb_each_text(nodes)) AS connections
FROM watching_times WHERE terminate_at IS NULL;
COMMENT ON VIEW presence_online IS
  'Who is online: since when, on which nodes (node#incarnation to connections), with how many connections (tabs and devices) in all.';

CREATE VIEW presence_users AS
SELECT coalesce(lately.user_id, before.user_id) AS user_id,
       least(before.first_seen_at, lately.first_seen_at) AS first_seen_at,
       CASE WHEN lately.online THEN NULL
            ELSE greatest(before.last_seen_at, lately.last_seen_at) END AS last_seen_at
FROM watching_users AS before
FULL JOIN (
  SELECT user_id, min(join_at) AS first_seen_at, max(terminate_at) AS last_seen_at,
         bool_or(terminate_at IS NULL) AS online
  FROM watching_times GROUP BY user_id) AS lately ON lately.user_id = before.user_id;
COMMENT ON VIEW presence_users IS
  'Everybody ever seen: begin of the first stay, end of the last one; that is null while the user is online.';

CREATE FUNCTION presence_of(users text[])
RETURNS TABLE (place bigint, user_id text, since timestamptz, last_seen_at timestamptz, nodes jsonb,
               connections int)
LANGUAGE sql STABLE AS $$
  SELECT asked.place, asked.user_id, online.since,
         CASE WHEN online.since IS NULL THEN coalesce(
           (SELECT max(past.terminate_at) FROM watching_times AS past
            WHERE past.user_id = asked.user_id AND past.terminate_at IS NOT NULL),
           (SELECT before.last_seen_at FROM watching_users AS before
            WHERE before.user_id = asked.user_id)) END,
         coalesce(online.nodes, '{}'), coalesce(online.connections, 0)
  FROM unnest($1) WITH ORDINALITY AS asked (user_id, place)
  LEFT JOIN presence_online AS online ON online.user_id = asked.user_id
$$;
COMMENT ON FUNCTION presence_of IS
  'For each of some users, in their order (place): online since (null if not), or last seen (null if never); nodes and connections as in presence_online.';

-- Then.

CREATE FUNCTION presence_online_at(at timestamptz)
RETURNS TABLE (user_id text, join_at timestamptz, terminate_at timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT user_id, join_at, terminate_at
  FROM presence_stays_between($1, $1 + interval '1 microsecond')
$$;
COMMENT ON FUNCTION presence_online_at IS 'Who was online at an instant, with that stay.';

CREATE FUNCTION presence_viewing_time(
  "user" text, low timestamptz, high timestamptz, zone text, until timestamptz DEFAULT now())
RETURNS TABLE (day date, seconds float8)
LANGUAGE sql STABLE AS $$
  SELECT days.day::date, coalesce(sum(extract(epoch FROM part.length)), 0)::float8
  FROM generate_series(date_trunc('day', $2 AT TIME ZONE $4),
         ($3 - interval '1 microsecond') AT TIME ZONE $4, '1 day') AS days (day)
  LEFT JOIN (
    SELECT day, least(high, (day + interval '1 day') AT TIME ZONE $4)
                - greatest(low, day AT TIME ZONE $4) AS length
    FROM (
      SELECT greatest(join_at, $2) AS low, least(coalesce(terminate_at, $5), $3) AS high
      FROM presence_stays_of($1, '-infinity', $3)
      WHERE terminate_at IS NULL OR terminate_at > $2) AS stay,
    generate_series(date_trunc('day', low AT TIME ZONE $4),
      (high - interval '1 microsecond') AT TIME ZONE $4, '1 day') AS day
    WHERE high > low) AS part ON part.day = days.day
  GROUP BY days.day
$$;
COMMENT ON FUNCTION presence_viewing_time IS
  'Seconds a user was online between two instants, by day of a time zone; every day is there. An open stay counts up to until.';

CREATE FUNCTION presence_viewing_times(
  low timestamptz, high timestamptz, until timestamptz DEFAULT now())
RETURNS TABLE (user_id text, seconds float8)
LANGUAGE sql STABLE AS $$
  SELECT user_id, sum(extract(epoch FROM
           least(coalesce(terminate_at, $3), $2) - greatest(join_at, $1)))::float8
  FROM presence_stays_between($1, $2)
  WHERE coalesce(terminate_at, $3) > greatest(join_at, $1)
  GROUP BY user_id
$$;
COMMENT ON FUNCTION presence_viewing_times IS
  'Seconds that each user was online between two instants, such as a day''s ends. An open stay counts up to until.';

CREATE FUNCTION presence_concurrency(
  low timestamptz, high timestamptz, step text, zone text DEFAULT 'UTC',
  until timestamptz DEFAULT now())
RETURNS TABLE (start timestamptz, peak int)
LANGUAGE sql STABLE AS $$
  WITH stays AS MATERIALIZED (
    SELECT join_at, terminate_at FROM presence_stays_between($1, $2))
  SELECT step, max(online)::int
  FROM (
    -- At one instant the ends come first, then a new step, then the begins.
    SELECT max(step) OVER sweep AS step, sum(change) OVER sweep AS online
    FROM (
      SELECT greatest(join_at, $1) AS at, 1 AS change, NULL::timestamptz AS step FROM stays
      UNION ALL
      SELECT terminate_at, -1, NULL FROM stays WHERE terminate_at < $2
      UNION ALL
      SELECT step, 0, step FROM generate_series(
        date_trunc($3, $1, $4), least($2, $5) - interval '1 microsecond',
        ('1 ' || $3)::interval, $4) AS step
    ) AS changes
    WINDOW sweep AS (ORDER BY at, change ROWS UNBOUNDED PRECEDING)
  ) AS swept
  WHERE step IS NOT NULL
  GROUP BY step
$$;
COMMENT ON FUNCTION presence_concurrency IS
  'The most users online at once, in each minute, hour or day (step) between two instants, by a sweep over begins and ends.';

CREATE FUNCTION presence_retention(
  low date, high date, zone text DEFAULT 'UTC', until timestamptz DEFAULT now())
RETURNS TABLE (day date, users int, after_days int, returned int)
LANGUAGE sql STABLE AS $$
  WITH cohort AS MATERIALIZED (
    SELECT user_id, (first_seen_at AT TIME ZONE $3)::date AS day
    FROM (
      SELECT user_id, first_seen_at FROM watching_users
      UNION ALL
      SELECT user_id, join_at FROM watching_times AS first
      WHERE NOT EXISTS (SELECT FROM watching_users AS before WHERE before.user_id = first.user_id)
        AND NOT EXISTS (SELECT FROM watching_times AS before
                        WHERE before.user_id = first.user_id
                          AND before.terminate_at <= first.join_at)
    ) AS users
    WHERE first_seen_at >= $1::timestamp AT TIME ZONE $3
      AND first_seen_at < $2::timestamp AT TIME ZONE $3),
  returns AS (
    SELECT cohort.day, after_days, count(DISTINCT cohort.user_id) AS returned
    FROM cohort
    CROSS JOIN LATERAL (
      SELECT (join_at AT TIME ZONE $3)::date - cohort.day AS low,
             ((coalesce(terminate_at, $4) - interval '1 microsecond') AT TIME ZONE $3)::date
               - cohort.day AS high
      FROM presence_stays_of(cohort.user_id, cohort.day::timestamp AT TIME ZONE $3,
                             (cohort.day + 31)::timestamp AT TIME ZONE $3)) AS stay
    CROSS JOIN generate_series(greatest(low, 1), least(high, 30)) AS after_days
    GROUP BY cohort.day, after_days)
  SELECT size.day, size.users::int, after_days, coalesce(returns.returned, 0)::int
  FROM (SELECT day, count(*) AS users FROM cohort GROUP BY day) AS size
  CROSS JOIN generate_series(1, least(30, ($4 AT TIME ZONE $3)::date - size.day)) AS after_days
  LEFT JOIN returns USING (day, after_days)
$$;
COMMENT ON FUNCTION presence_retention IS
  'Of the users first seen on a day (from low to before high, in a time zone), how many were online after_days later, 1 to 30, at any time of that day; days to come are not there.';
