-- A million stays over 60 days: some users come very often, most seldom; more by day than by night;
-- most stays take minutes, some hours; most users came in the first days.
SELECT setseed(0.5);
SET work_mem = '256MB';
SET maintenance_work_mem = '256MB';
-- The archive's indexes are made at once, and not entry by entry.
CREATE TEMPORARY TABLE definitions AS
SELECT indexrelid::regclass AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS statement
FROM pg_index WHERE indrelid IN ('watching_times_archive'::regclass, 'viewing_times_archive'::regclass);
SELECT presence_month(name, now() - month * interval '1 month')
FROM generate_series(0, 2) AS month, unnest('{watching_times, viewing_times}'::text[]) AS name;
DO $$
BEGIN
  EXECUTE (SELECT string_agg('DROP INDEX ' || name, ';') FROM definitions);
END $$;
WITH stays AS MATERIALIZED (
SELECT 'user-' || number AS user_id, least(starts, now() - interval '1 second') AS join_at,
       CASE WHEN NOT open THEN greatest(ends, starts + interval '1 millisecond') END AS terminate_at,
       CASE WHEN open THEN jsonb_build_object('10.0.0.' || number % 3 + 1 || ':7355#' || number % 3 + 1, 1 + number % 2) ELSE '{}' END AS nodes
FROM (
  SELECT number, open,
    now() - (60 * 86400 - (start_s - 11000 * sin(2 * pi() * start_s / 86400))) * interval '1 second' AS starts,
    now() - (60 * 86400 - (end_s - 11000 * sin(2 * pi() * end_s / 86400))) * interval '1 second' AS ends
  FROM (
    SELECT number, start_s, least(start_s + length_s, slot_end) AS end_s,
           stay = stays - 1 AND number % 5 = 0 AS open
    FROM (
      SELECT number, stay, stays, first_s + slot * (stay + random() * 0.7) AS start_s,
             first_s + slot * (stay + 1) AS slot_end,
             -ln(1 - random()) * CASE WHEN random() < 0.02 THEN 18000 ELSE 900 END AS length_s
      FROM (
        SELECT number, ceil(5230 / number ^ 0.6)::int AS stays, first_s,
               (60 * 86400 - first_s) / ceil(5230 / number ^ 0.6) AS slot
        FROM (SELECT number, 50 * 86400 * random() ^ 3 AS first_s FROM generate_series(1, 50000) AS number)
      ) AS users, generate_series(0, stays - 1) AS stay
    ) AS slots
  ) AS stays
) AS warped
),
recent AS (
  INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
  SELECT user_id, join_at, terminate_at, nodes FROM stays
  WHERE terminate_at IS NULL OR terminate_at > now() - interval '1 hour' ORDER BY join_at),
seen AS (
  INSERT INTO watching_users
  SELECT user_id, min(join_at), max(terminate_at) FROM stays
  WHERE terminate_at < now() - interval '1 hour' GROUP BY user_id)
INSERT INTO watching_times_archive (id, user_id, join_at, terminate_at)
SELECT -row_number() OVER (ORDER BY join_at), user_id, join_at, terminate_at FROM stays
WHERE terminate_at <= now() - interval '1 hour' ORDER BY join_at;
-- Everybody looks at one of 2,000 lessons meanwhile, some of them at the same one; one in seven is idle.
INSERT INTO viewing_times_archive (id, user_id, resource, idle, join_at, terminate_at)
SELECT id, user_id, 'lesson-' || ceil(2000 * random() ^ 2), id % 7 = 0, join_at, terminate_at
FROM watching_times_archive;
INSERT INTO viewing_times (user_id, resource, idle, join_at, terminate_at, nodes)
SELECT user_id, 'lesson-' || ceil(2000 * random() ^ 2), id % 7 = 0, join_at, terminate_at, nodes
FROM watching_times;
DO $$
BEGIN
  EXECUTE (SELECT string_agg(statement, ';') FROM definitions);
END $$;
