-- name: enqueue
-- A job that is there already stays as it is.
INSERT INTO jobs (kind, key) SELECT * FROM unnest(%(kinds)s::text[], %(keys)s::text[])
ON CONFLICT (kind, key) DO NOTHING

-- name: claim_job
-- One that is due, for as long as a run may take.
UPDATE jobs SET run_at = clock_timestamp() + make_interval(secs => %(lost_after)s), tries = tries + 1
WHERE id = (
  SELECT id FROM jobs WHERE run_at <= clock_timestamp() AND kind = ANY (%(kinds)s)
  ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, key, tries

-- name: finish_job
-- Unless another process has claimed it meanwhile.
DELETE FROM jobs WHERE id = %(id)s AND tries = %(tries)s

-- name: postpone_job
-- For another try, or for its next run.
UPDATE jobs SET run_at = clock_timestamp() + make_interval(secs => %(again)s),
  tries = CASE WHEN %(fresh)s THEN 0 ELSE tries END
WHERE id = %(id)s AND tries = %(tries)s

-- name: notify
-- Messages to those who listen, in order.
SELECT count(pg_notify(channel, payload)) FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS m(channel, payload)

-- name: notify_only
-- The same as all that a transaction does: there is nothing for which it should wait for the disk.
SELECT set_config('synchronous_commit', 'off', true), count(pg_notify(channel, payload))
FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS m(channel, payload)

-- name: connection_limit
-- How many connections our user may have in this database, and the process at the server's end of this one.
SELECT CASE WHEN r.rolsuper THEN server.connections
  ELSE least(
    server.connections - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0), -- PostgreSQL 16
    nullif(r.rolconnlimit, -1),
    nullif(d.datconnlimit, -1)
  ) END AS allowed, pg_backend_pid() AS server_pid
FROM pg_roles r, pg_database d, (SELECT current_setting('max_connections')::int) AS server (connections)
WHERE r.rolname = current_user AND d.datname = current_database()
