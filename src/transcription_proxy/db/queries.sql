-- name: enqueue
-- Add jobs. A job with the same kind and key stays as it is.
INSERT INTO jobs (kind, key) SELECT * FROM unnest(%(kinds)s::text[], %(keys)s::text[])
ON CONFLICT (kind, key) DO NOTHING

-- name: claim_job
-- Claim a job that is due, for `lost_after` seconds.
UPDATE jobs SET run_at = clock_timestamp() + make_interval(secs => %(lost_after)s), tries = tries + 1
WHERE id = (
  SELECT id FROM jobs WHERE run_at <= clock_timestamp() AND kind = ANY (%(kinds)s)
  ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, key, tries

-- name: finish_job
-- Delete a job that has run, unless another process has claimed it meanwhile.
DELETE FROM jobs WHERE id = %(id)s AND tries = %(tries)s

-- name: postpone_job
-- Postpone a job to its next try or its next run, unless another process has claimed it meanwhile.
UPDATE jobs SET run_at = clock_timestamp() + make_interval(secs => %(again)s),
  tries = CASE WHEN %(fresh)s THEN 0 ELSE tries END
WHERE id = %(id)s AND tries = %(tries)s

-- name: notify
-- Send notifications, in order.
SELECT count(pg_notify(channel, payload)) FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS m(channel, payload)

-- name: notify_only
-- Send notifications in a transaction that does nothing else, which need not wait for the disk.
SELECT set_config('synchronous_commit', 'off', true), count(pg_notify(channel, payload))
FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS m(channel, payload)

-- name: connection_limit
-- How many connections our user may have in this database, and the server process of this connection.
SELECT CASE WHEN r.rolsuper THEN server.connections
  ELSE least(
    server.connections - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0), -- PostgreSQL 16
    nullif(r.rolconnlimit, -1),
    nullif(d.datconnlimit, -1)
  ) END AS allowed, pg_backend_pid() AS server_pid
FROM pg_roles r, pg_database d, (SELECT current_setting('max_connections')::int) AS server (connections)
WHERE r.rolname = current_user AND d.datname = current_database()

-- name: admit
-- Count a request of `key`, unless `limit` requests were counted in the last `window` seconds. Return the seconds to wait
-- then, otherwise 0. Of two requests at one moment the second waits for the row and sees the first.
INSERT INTO rate_limits AS r (key, admitted, expires_at)
VALUES (%(key)s, ARRAY[clock_timestamp()], clock_timestamp() + make_interval(secs => %(window)s))
ON CONFLICT (key) DO UPDATE SET (admitted, retry_at, expires_at) = (
  SELECT
    CASE WHEN count(*) < %(limit)s THEN array_agg(at ORDER BY at) || clock_timestamp() ELSE array_agg(at ORDER BY at) END,
    CASE WHEN count(*) >= %(limit)s
      THEN (array_agg(at ORDER BY at DESC))[%(limit)s] + make_interval(secs => %(window)s) END,
    clock_timestamp() + make_interval(secs => %(window)s)
  FROM unnest(r.admitted) AS at WHERE at > clock_timestamp() - make_interval(secs => %(window)s)
)
RETURNING CASE WHEN retry_at IS NULL THEN 0 ELSE greatest(extract(epoch FROM retry_at - clock_timestamp()), 0.001) END
  ::float8

-- name: drop_expired_limits
-- Delete counts that no longer matter.
DELETE FROM rate_limits WHERE key IN (
  SELECT key FROM rate_limits WHERE expires_at < clock_timestamp() LIMIT 10000 FOR UPDATE SKIP LOCKED
)

-- name: schema_state
-- The schema that a backup is about, whether it exists and holds our tables, and the server process of this connection.
SELECT name, to_regnamespace(quote_ident(name)) IS NOT NULL, to_regclass(format('%%I.schema_migrations', name)) IS NOT NULL,
  pg_backend_pid()
FROM coalesce(%(schema)s::text, current_schema()::text, 'public') AS name
