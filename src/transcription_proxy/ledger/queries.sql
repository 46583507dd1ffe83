-- Lock order, which prevents deadlocks: balance rows by user, then sessions (money 9).
-- Each statement names the user whose rows it touches, so that they can lie on one node (docs/scale.md). Those that ask
-- about all users are listed in tests/integration/db/test_one_user.py.
-- FOR NO KEY UPDATE excludes other writers as FOR UPDATE does, but not the checks of foreign keys.

-- name: lock_balance
-- Lock a user's balance row. Available credit is computed from this row alone (money 9).
SELECT {Balance} FROM credit_balance WHERE user_id = %(user_id)s
FOR NO KEY UPDATE

-- name: opening_state
-- What decides whether a user's session may open, once the balance is locked.
SELECT
  (SELECT count(*) FROM transcription_sessions
   WHERE user_id = %(user_id)s AND status = 'active' AND ending IS NULL AND lease_until > clock_timestamp()
     AND id IS DISTINCT FROM %(replaces)s) AS live,
  (SELECT coalesce(max(seq), 0) FROM usage_ledger
   WHERE user_id = %(user_id)s AND description IN ('refund', 'dispute')) AS last_clawback

-- name: lock_streams
-- Let one session open at a time, over all hosts, until its commit, so that `count_streams` is exact.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.streams', 0))

-- name: count_streams
-- The live sessions of all users, and those with speaker labels among them, without one that is being replaced.
SELECT count(*) AS taken, count(*) FILTER (WHERE 'diarize' = ANY (addons)) AS diarized FROM transcription_sessions
WHERE status = 'active' AND lease_until > clock_timestamp()
  AND NOT (user_id = %(user_id)s AND id IS NOT DISTINCT FROM %(replaces)s)

-- name: open
-- Add a session with its hold.
WITH opened AS (
  INSERT INTO transcription_sessions
    (user_id, mode, started_at, deepgram_model, engine, language, rate_micro, cost_micro, channels, hold, hold_cap, life,
     opened_seq, lease_until, key_id, addons)
  VALUES (%(user_id)s, 'managed', clock_timestamp(), %(model)s, %(engine)s, %(language)s, %(rate_micro)s,
    %(cost_micro)s, %(channels)s, %(hold)s, %(hold_cap)s, %(life)s, %(opened_seq)s, clock_timestamp() + %(lease)s,
    %(key_id)s, %(addons)s)
  RETURNING id
), reserved AS (
  UPDATE key_spending SET seconds_held = seconds_held + %(hold)s WHERE key_id = %(key_id)s AND user_id = %(user_id)s
)
UPDATE credit_balance SET seconds_held = seconds_held + %(hold)s, updated_at = now()
FROM opened WHERE user_id = %(user_id)s
RETURNING opened.id

-- name: settle
-- Settle a batch of sessions in one statement, and renew their leases. Locked rows are left out (money 15, 18).
-- `own` is what is left of a session's hold, `free` what its user has available once all sessions have given back, and
-- `key_free` what the limit of its API key leaves then, null without a limit. The planner does not know a batch's size,
-- so rows are looked up by key, and window functions take the place of joins. All of these need the order of user, key
-- and id, so rows are sorted once. OFFSET 0 keeps an expression from being evaluated wherever its name is used.
WITH batch AS MATERIALIZED (
  SELECT DISTINCT ON (id) *
  FROM unnest(
    %(ids)b::uuid[], %(users)b::uuid[], %(numbers)b::bigint[], %(totals)b::bigint[], %(keeps)b::bigint[],
    %(extends)b::boolean[], %(readies)b::boolean[]
  ) AS asked(id, user_id, asked_number, total, keep, extend, ready)
  ORDER BY id, asked_number DESC
), balances AS MATERIALIZED (
  SELECT user_id, seconds_remaining, seconds_held,
    seconds_remaining::bigint - seconds_held - seconds_frozen AS available
  FROM credit_balance WHERE user_id = ANY (ARRAY(SELECT user_id FROM batch))
  ORDER BY user_id
  FOR NO KEY UPDATE SKIP LOCKED
), settleable AS MATERIALIZED (
  SELECT *, (SELECT blocked_at IS NOT NULL FROM users WHERE users.id = user_id) AS blocked
  FROM batch JOIN balances USING (user_id)
), locked AS MATERIALIZED (
  SELECT settleable.*, status, number, seconds_used, hold, hold_cap, ending, reason, key_id,
    status = 'active' AND asked_number > number AS due
  FROM settleable CROSS JOIN LATERAL (
    SELECT status, number, seconds_used, hold, hold_cap, ending, reason, key_id
    FROM transcription_sessions s WHERE s.id = settleable.id AND s.user_id = settleable.user_id
    FOR NO KEY UPDATE SKIP LOCKED
  ) s
), booked AS (
  SELECT *, CASE WHEN due THEN least(greatest(total, seconds_used), seconds_used + hold) - seconds_used ELSE 0 END::integer
    AS delta
  FROM locked OFFSET 0
), given_back AS (
  SELECT *, least(hold - delta, CASE WHEN due THEN greatest(keep - seconds_used - delta, 0) END)::integer AS own
  FROM booked OFFSET 0
), eligible AS (
  SELECT given_back.*, key_held,
    available + sum(hold - delta - own) OVER (PARTITION BY user_id) AS free,
    room + sum(hold - delta - own) OVER (PARTITION BY user_id, key_id) AS key_free
  FROM given_back LEFT JOIN LATERAL (
    SELECT k.seconds_held AS key_held, k.limit_seconds - k.seconds_held -
      CASE WHEN k.daily AND k.day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE k.seconds_used END AS room
    FROM key_spending k
    WHERE k.key_id = given_back.key_id AND k.user_id = given_back.user_id AND k.limit_seconds IS NOT NULL
  ) k ON true OFFSET 0
), wanted AS (
  SELECT *, CASE WHEN due AND extend AND ending IS NULL AND NOT blocked THEN
    greatest(least(hold_cap, greatest((free + own + %(shares)s - 1) / %(shares)s, 1)) - own, 0) ELSE 0 END::integer AS wish
  FROM eligible OFFSET 0
), allowed AS (
  SELECT *, greatest(least(wish, key_free - sum(wish) OVER (PARTITION BY user_id, key_id ORDER BY id) + wish), 0) AS share
  FROM wanted OFFSET 0
), granted AS (
  SELECT *, own + least(share, greatest(free - sum(share) OVER (PARTITION BY user_id ORDER BY key_id, id) + share, 0))::integer
    AS new_hold
  FROM allowed OFFSET 0
), settled AS MATERIALIZED (
  SELECT *, seconds_used + delta AS used,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id ORDER BY key_id, id) AS balance_after,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id) AS remaining,
    seconds_held + sum(new_hold - hold) OVER (PARTITION BY user_id) AS held,
    available - sum(delta + new_hold - hold) OVER (PARTITION BY user_id) AS still_available,
    key_held + sum(new_hold - hold) OVER (PARTITION BY user_id, key_id) AS key_still_held,
    key_free - sum(new_hold - own) OVER (PARTITION BY user_id, key_id) AS key_left
  FROM granted
), renewed AS (
  UPDATE transcription_sessions s
  SET number = asked_number, seconds_used = used, hold = new_hold, lease_until = clock_timestamp() + %(lease)s,
    started_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.started_at END,
    ready_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.ready_at END,
    muted_at = CASE WHEN new_hold = 0 THEN coalesce(s.muted_at, clock_timestamp()) END
  FROM settled WHERE s.id = settled.id AND s.user_id = settled.user_id AND due
), charged AS (
  UPDATE credit_balance b SET seconds_remaining = remaining, seconds_held = held, updated_at = now()
  FROM (SELECT DISTINCT user_id, remaining, held FROM settled) totals
  WHERE b.user_id = totals.user_id AND (b.seconds_remaining, b.seconds_held) <> (remaining, held)
), spent AS (
  UPDATE key_spending k
  SET seconds_used = CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END + used,
    seconds_held = seconds_held + held, day = (now() AT TIME ZONE 'UTC')::date
  FROM (
    SELECT key_id, user_id, sum(delta) AS used, sum(new_hold - hold) AS held FROM settled WHERE key_id IS NOT NULL
    GROUP BY key_id, user_id
  ) totals
  WHERE k.key_id = totals.key_id AND k.user_id = totals.user_id AND (used, held) <> (0, 0)
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT user_id, id, -delta, 'session_usage', balance_after FROM settled WHERE delta > 0
  ORDER BY user_id, key_id, id
)
SELECT id AS session_id, asked_number AS number, used + new_hold AS "grant", used AS seconds_used,
  least(remaining, key_left + key_still_held)::integer AS seconds_remaining,
  (CASE WHEN key_left <= 0 THEN key_still_held ELSE held END - new_hold)::integer AS elsewhere,
  status <> 'active' AND asked_number > number AS gone,
  CASE
    WHEN status <> 'active' THEN coalesce(reason, 'internal')
    WHEN ending IS NOT NULL THEN ending
    WHEN blocked THEN 'ended_by_operator'
    WHEN still_available < 0 THEN 'insufficient_credits'
  END AS ending,
  blocked
FROM settled

-- name: add_spending
-- Begin to count what the sessions of an API key use.
INSERT INTO key_spending (key_id, user_id, limit_seconds, daily, day)
VALUES (%(key_id)s, %(user_id)s, %(limit_seconds)s, %(daily)s, (now() AT TIME ZONE 'UTC')::date)

-- name: drop_spending
-- Forget what an API key used. Its live sessions end.
DELETE FROM key_spending WHERE key_id = %(key_id)s AND user_id = %(user_id)s

-- name: spending
-- What the sessions of a user's API keys used, and the limits.
SELECT key_id, limit_seconds, daily,
  CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END AS seconds_used
FROM key_spending WHERE user_id = %(user_id)s

-- name: key_left
-- What the limit of an API key leaves; no row without a limit. The user's balance is locked.
SELECT remaining - seconds_held AS available, remaining
FROM (
  SELECT seconds_held,
    limit_seconds - CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END AS remaining
  FROM key_spending WHERE key_id = %(key_id)s AND user_id = %(user_id)s AND limit_seconds IS NOT NULL
) limited

-- name: mark_key_ending
-- Mark all active sessions of an API key to end.
WITH marked AS (
  UPDATE transcription_sessions SET ending = coalesce(ending, %(reason)s)
  WHERE user_id = %(user_id)s AND key_id = %(key_id)s AND status = 'active'
  RETURNING id
)
SELECT pg_notify('session_ending', id::text) FROM marked

-- name: renew_leases
-- Renew leases and book nothing, for sessions whose settle or close fails (money 21). No other table is used.
UPDATE transcription_sessions SET lease_until = clock_timestamp() + %(lease)s
WHERE (id, user_id) IN (
  SELECT s.id, s.user_id FROM unnest(%(ids)b::uuid[], %(users)b::uuid[]) AS asked(id, user_id)
  JOIN transcription_sessions s USING (id, user_id)
  WHERE status = 'active'
  FOR NO KEY UPDATE OF s SKIP LOCKED
)

-- name: lock_for_booking
-- Take the table locks of a settle. Fails within a second where a settle could not be booked.
SET LOCAL lock_timeout = '1s';
LOCK TABLE credit_balance, transcription_sessions, usage_ledger IN ROW EXCLUSIVE MODE;
SET LOCAL lock_timeout TO DEFAULT

-- name: probe_write
-- Write a row of no consequence. A row that another process writes just now is skipped, since that proves as much.
UPDATE write_probe SET written_at = clock_timestamp()
WHERE id IN (SELECT id FROM write_probe FOR UPDATE SKIP LOCKED)

-- name: lock_session
-- Lock a session and its user's balance, and read both as they are then.
WITH balance AS MATERIALIZED (
  SELECT user_id, seconds_remaining, seconds_remaining::bigint - seconds_held - seconds_frozen AS available
  FROM credit_balance WHERE user_id = %(user_id)s
  FOR NO KEY UPDATE
)
SELECT s.user_id, s.status = 'active' AS active, s.number, s.seconds_used, s.hold, s.hold_released, s.reason,
  seconds_remaining, available
FROM transcription_sessions s JOIN balance USING (user_id)
WHERE s.id = %(session_id)s AND s.user_id = %(user_id)s
FOR NO KEY UPDATE OF s

-- name: close
-- End a locked session: book the difference to what was settled, of either sign, and release the hold (money 17).
WITH ended AS (
  UPDATE transcription_sessions
  SET status = %(status)s, reason = %(reason)s, number = %(number)s, seconds_used = %(billed)s, hold = 0,
    hold_released = NULL, ended_at = clock_timestamp(), audio_seconds = %(audio_seconds)s, upstream_seconds = %(upstream_seconds)s,
    upstream_request_id = %(request_id)s, sent_seconds = %(sent_seconds)s, upstream_connections = %(connections)s,
    ready_at = CASE WHEN %(ready)s THEN coalesce(ready_at, started_at) END
  WHERE id = %(session_id)s AND user_id = %(user_id)s
  RETURNING key_id
), spent AS (
  UPDATE key_spending k
  SET seconds_used = greatest(
      CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END + %(delta)s, 0
    ),
    seconds_held = seconds_held - %(hold)s, day = (now() AT TIME ZONE 'UTC')::date
  FROM ended WHERE k.key_id = ended.key_id AND k.user_id = %(user_id)s
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT %(user_id)s, %(session_id)s, -%(delta)s::integer, 'session_usage', %(balance_after)s
  WHERE %(delta)s <> 0
)
UPDATE credit_balance
SET seconds_remaining = %(balance_after)s, seconds_held = seconds_held - %(hold)s, updated_at = now()
WHERE user_id = %(user_id)s

-- name: ensure_balance
-- Add the balance row of a user who has none.
INSERT INTO credit_balance (user_id) SELECT id FROM users WHERE id = %(user_id)s
ON CONFLICT (user_id) DO NOTHING

-- name: credit
-- Add a ledger entry, and change the locked balance with it.
WITH entered AS (
  INSERT INTO usage_ledger (user_id, seconds, description, balance_after, reason, actor, purchase_id)
  VALUES (%(user_id)s, %(seconds)s, %(description)s, %(balance_after)s, %(reason)s, %(actor)s, %(purchase_id)s)
)
UPDATE credit_balance SET seconds_remaining = %(balance_after)s, updated_at = now() WHERE user_id = %(user_id)s

-- name: freeze
-- Set disputed seconds aside, or free them with a negative number. This writes no ledger entry (money 29).
UPDATE credit_balance SET seconds_frozen = seconds_frozen + %(seconds)s, updated_at = now() WHERE user_id = %(user_id)s

-- name: mark_ending
-- Mark a session to end: its relay learns of it by NOTIFY, or with the next settle. The first reason stays.
WITH marked AS (
  UPDATE transcription_sessions SET ending = coalesce(ending, %(reason)s)
  WHERE id = %(session_id)s AND user_id = %(user_id)s AND status = 'active'
  RETURNING id
)
SELECT pg_notify('session_ending', id::text) FROM marked

-- name: mark_muted_ending
-- Mark the session that has been muted for the longest time, and for `seconds` at least, to end. Return its id. An opening
-- that lacks a stream with diarization is only helped by the end of one with it.
WITH lacking AS (
  SELECT %(diarized)s AND count(*) >= %(max_diarized)s AS diarized FROM transcription_sessions
  WHERE status = 'active' AND lease_until > clock_timestamp() AND 'diarize' = ANY (addons)
), marked AS (
  UPDATE transcription_sessions SET ending = %(reason)s
  WHERE (id, user_id) = (
    SELECT id, user_id FROM transcription_sessions
    WHERE status = 'active' AND ending IS NULL AND muted_at < clock_timestamp() - make_interval(secs => %(seconds)s)
      AND ('diarize' = ANY (addons) OR NOT (SELECT diarized FROM lacking))
    ORDER BY muted_at LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
  )
  RETURNING id
)
SELECT id, pg_notify('session_ending', id::text) FROM marked

-- name: mark_user_ending
-- Mark all active sessions of a user to end.
WITH marked AS (
  UPDATE transcription_sessions SET ending = coalesce(ending, %(reason)s)
  WHERE user_id = %(user_id)s AND status = 'active'
  RETURNING id
)
SELECT pg_notify('session_ending', id::text) FROM marked

-- name: cut_leases
-- Shorten leases that end further ahead than a lease is long, which only another clock can have written (money 21).
UPDATE transcription_sessions SET lease_until = clock_timestamp() + %(lease)s
WHERE (id, user_id) IN (
  SELECT id, user_id FROM transcription_sessions
  WHERE status = 'active' AND lease_until > clock_timestamp() + %(lease)s
  FOR NO KEY UPDATE SKIP LOCKED
)

-- name: clock
-- The clock by which leases expire, in seconds since 1970.
SELECT extract(epoch FROM clock_timestamp())::float8

-- name: end_abandoned
-- End up to `batch` sessions whose lease had expired at a past moment, or with `life` those of a dead process (money 21).
WITH abandoned AS (
  SELECT id, user_id FROM transcription_sessions
  WHERE status = 'active' AND CASE WHEN %(life)s::uuid IS NULL THEN lease_until < least(clock_timestamp(), to_timestamp(%(by)s)) ELSE life = %(life)s END
  LIMIT %(batch)s
), balances AS MATERIALIZED (
  SELECT user_id FROM credit_balance WHERE user_id IN (SELECT user_id FROM abandoned)
  ORDER BY user_id
  FOR NO KEY UPDATE SKIP LOCKED
), locked AS MATERIALIZED (
  SELECT s.id, user_id, s.hold, s.key_id FROM abandoned JOIN transcription_sessions s USING (id, user_id) JOIN balances USING (user_id)
  WHERE s.status = 'active' AND CASE WHEN %(life)s::uuid IS NULL THEN s.lease_until < least(clock_timestamp(), to_timestamp(%(by)s)) ELSE s.life = %(life)s END
  FOR NO KEY UPDATE OF s SKIP LOCKED
), released AS (
  UPDATE credit_balance b SET seconds_held = seconds_held - freed, updated_at = now()
  FROM (SELECT user_id, sum(hold) AS freed FROM locked GROUP BY user_id) holds WHERE b.user_id = holds.user_id
), unreserved AS (
  UPDATE key_spending k SET seconds_held = seconds_held - freed
  FROM (SELECT key_id, user_id, sum(hold) AS freed FROM locked GROUP BY key_id, user_id) holds
  WHERE k.key_id = holds.key_id AND k.user_id = holds.user_id
)
UPDATE transcription_sessions s
SET status = 'terminated', reason = %(reason)s, hold = 0, hold_released = locked.hold, ended_at = clock_timestamp(),
  audio_seconds = round(seconds_used * 1000000.0 / nullif(rate_micro * channels, 0), 1)
FROM locked WHERE s.id = locked.id AND s.user_id = locked.user_id
RETURNING s.id AS session_id, s.user_id, s.seconds_used, locked.hold AS released

-- name: life_is_over
-- Whether a dead process has no active session left.
SELECT NOT EXISTS (SELECT FROM transcription_sessions WHERE status = 'active' AND life = %(life)s)

-- name: balance
-- A user's balance, without a lock.
SELECT {Balance} FROM credit_balance WHERE user_id = %(user_id)s

-- name: last_grant
-- The newest seconds that were bought or given. Its conditions are those of the index usage_ledger_grants.
SELECT seconds FROM usage_ledger
WHERE user_id = %(user_id)s AND seconds > 0 AND description IN ('credit_purchase', 'manual_adjustment', 'trial')
ORDER BY seq DESC LIMIT 1

-- name: timezones
-- The time zones that usage_days accepts. PostgreSQL itself would accept any word with a number in it.
SELECT name FROM pg_timezone_names

-- name: usage_days
-- The sums of a user's last days in a time zone, oldest first, days without entries included. Entries are looked up by
-- hour and user, as in the index usage_ledger_hour.
WITH today AS (
  SELECT (clock_timestamp() AT TIME ZONE %(tz)s)::date AS today
), bounds AS (
  SELECT (today - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s AS first,
    (today + 1)::timestamp AT TIME ZONE %(tz)s AS end
  FROM today
), entries AS (
  SELECT (recorded_at AT TIME ZONE %(tz)s)::date AS day,
    CASE WHEN description = 'session_usage' THEN -seconds ELSE 0 END AS used,
    CASE WHEN description IN ('credit_purchase', 'refund', 'dispute') THEN seconds ELSE 0 END AS purchased,
    CASE WHEN description IN ('manual_adjustment', 'trial') THEN seconds ELSE 0 END AS adjusted
  FROM usage_ledger, bounds
  WHERE user_id = %(user_id)s AND recorded_at >= first AND date_bin('1 hour', recorded_at, 'epoch') = ANY (ARRAY(
    SELECT generate_series(date_bin('1 hour', first, 'epoch'), bounds.end, '1 hour') FROM bounds
  ))
)
SELECT day AS date, coalesce(sum(used), 0)::bigint AS seconds_used, coalesce(sum(purchased), 0)::bigint AS seconds_purchased,
  coalesce(sum(adjusted), 0)::bigint AS seconds_adjusted
FROM (SELECT today - ago AS day FROM today, generate_series(0, %(days)s::integer - 1) AS ago) days
LEFT JOIN entries USING (day)
GROUP BY day ORDER BY day

-- name: count_sessions
-- Sessions that became ready in the last days, up to today in a time zone.
SELECT count(*) FROM transcription_sessions
WHERE user_id = %(user_id)s AND ready_at IS NOT NULL
  AND started_at >= ((clock_timestamp() AT TIME ZONE %(tz)s)::date - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s

-- name: sessions
-- A user's sessions that became ready, newest first; with `before_at`, those that follow that row in this order.
SELECT s.id, s.user_id, u.email, s.started_at, s.ended_at, s.seconds_used,
  s.audio_seconds::float8, s.deepgram_model AS model, s.engine, s.status, coalesce(s.reason, s.ending) AS reason
FROM transcription_sessions s JOIN users u ON u.id = s.user_id
WHERE s.user_id = %(user_id)s AND s.ready_at IS NOT NULL
  AND (NOT %(live)s OR s.status = 'active' AND s.lease_until > clock_timestamp())
  AND (%(before_at)s::timestamptz IS NULL OR (s.started_at, s.id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY s.started_at DESC, s.id DESC
LIMIT %(limit)s

-- name: upstream_sessions
-- Sessions of an upstream engine since a moment, and those with certain ids, with their connections. An older session has
-- only its last connection.
SELECT id, user_id, started_at, ended_at, coalesce(audio_seconds, 0) AS audio_seconds, channels, addons,
  CASE WHEN upstream_connections = '[]' AND upstream_request_id IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
    'request_id', upstream_request_id, 'socket_ms', NULL, 'sent_ms', round(sent_seconds * 1000),
    'reported_ms', round(upstream_seconds * 1000)
  )) ELSE upstream_connections END AS connections
FROM transcription_sessions
WHERE engine = %(engine)s AND (started_at >= %(since)s OR id = ANY (%(ids)s))
ORDER BY started_at, id

-- name: sessions_of_all
-- Sessions of all users that became ready, newest first.
SELECT s.id, s.user_id, u.email, s.started_at, s.ended_at, s.seconds_used,
  s.audio_seconds::float8, s.deepgram_model AS model, s.engine, s.status, coalesce(s.reason, s.ending) AS reason
FROM transcription_sessions s JOIN users u ON u.id = s.user_id
WHERE s.ready_at IS NOT NULL AND (NOT %(live)s OR s.status = 'active' AND s.lease_until > clock_timestamp())
  AND (%(before_at)s::timestamptz IS NULL OR (s.started_at, s.id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY s.started_at DESC, s.id DESC
LIMIT %(limit)s

-- name: live_ids
-- Up to two live sessions whose id begins with `prefix`. Two are enough to know that the prefix is ambiguous.
SELECT id, user_id FROM transcription_sessions
WHERE status = 'active' AND starts_with(id::text, %(prefix)s)
ORDER BY started_at DESC LIMIT 2

-- name: live_count
-- The number of live sessions of all users.
SELECT count(*) FROM transcription_sessions WHERE status = 'active' AND lease_until > clock_timestamp()

-- name: audit_entries
-- The number of ledger entries.
SELECT count(*) FROM usage_ledger

-- name: audit_balances
-- A balance is the sum of its entries, and the last entry's balance_after (money 26).
WITH sums AS (
  SELECT user_id, sum(seconds) AS total, max(seq) AS seq FROM usage_ledger GROUP BY user_id
)
SELECT u.id AS subject, 'balance ' || coalesce(seconds_remaining, 0) || ', sum of rows ' || coalesce(total, 0)
  || ', last balance_after ' || coalesce(balance_after, 0) AS detail
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN sums ON sums.user_id = u.id
  LEFT JOIN usage_ledger l ON l.user_id = u.id AND l.seq = sums.seq
WHERE coalesce(seconds_remaining, 0) <> coalesce(total, 0) OR coalesce(total, 0) <> coalesce(balance_after, 0)

-- name: audit_chain
-- An entry's balance_after is the one before plus its seconds.
SELECT user_id AS subject, 'row ' || seq || ': balance_after ' || balance_after || ' after ' || before || ' and ' || seconds AS detail
FROM (
  SELECT user_id, seq, seconds, balance_after,
    lag(balance_after, 1, 0) OVER (PARTITION BY user_id ORDER BY seq) AS before
  FROM usage_ledger
) rows
WHERE balance_after <> before + seconds

-- name: audit_holds
-- seconds_held is the sum of the holds of active sessions.
SELECT u.id AS subject, 'held ' || coalesce(seconds_held, 0) || ', holds ' || coalesce(holds, 0) AS detail
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN (
  SELECT user_id, sum(hold) AS holds FROM transcription_sessions WHERE status = 'active' GROUP BY user_id
) active ON active.user_id = u.id
WHERE coalesce(seconds_held, 0) <> coalesce(holds, 0)

-- name: audit_key_spending
-- API keys whose counts are not those of their sessions. A day's count is only checked for what is held.
SELECT k.user_id AS subject, format(
    'the API key %s holds %s and used %s, its sessions hold %s and used %s', key_id, k.seconds_held, k.seconds_used, held, used
  ) AS detail
FROM key_spending k CROSS JOIN LATERAL (
  SELECT coalesce(sum(hold) FILTER (WHERE status = 'active'), 0) AS held, coalesce(sum(seconds_used), 0) AS used
  FROM transcription_sessions s WHERE s.user_id = k.user_id AND s.key_id = k.key_id
) sessions
WHERE k.seconds_held <> held OR (NOT daily AND k.seconds_used <> used)

-- name: audit_ended_holds
-- An ended session has no hold.
SELECT id AS subject, 'ended with a hold of ' || hold AS detail FROM transcription_sessions WHERE status <> 'active' AND hold <> 0

-- name: audit_leases
-- Active sessions that the reaper should have ended.
SELECT id AS subject, 'its lease ran out at ' || lease_until AS detail FROM transcription_sessions
WHERE status = 'active' AND lease_until < clock_timestamp() - interval '90 seconds'

-- name: audit_sessions
-- A session's seconds_used is minus the sum of its entries, which belong to its user.
SELECT coalesce(s.id, rows.session_id) AS subject,
  'seconds_used ' || coalesce(seconds_used, 0) || ', rows ' || coalesce(total, 0) AS detail
FROM transcription_sessions s FULL JOIN (
  SELECT session_id, user_id, sum(seconds) AS total FROM usage_ledger WHERE session_id IS NOT NULL
  GROUP BY session_id, user_id
) rows ON rows.session_id = s.id AND rows.user_id = s.user_id
WHERE coalesce(seconds_used, 0) <> -coalesce(total, 0) OR s.id IS NULL

-- name: audit_overdrafts
-- An entry for usage leaves a balance below 0 only after a claw-back since the session's start (money 24). `opened_seq` is
-- the last claw-back before that (in sessions from before version 0.3, the last entry).
SELECT l.session_id AS subject, 'row ' || l.seq || ' leaves ' || l.balance_after || ' and no claw-back explains it' AS detail
FROM usage_ledger l LEFT JOIN transcription_sessions s ON s.id = l.session_id AND s.user_id = l.user_id
WHERE l.description = 'session_usage' AND l.balance_after < 0 AND NOT EXISTS (
  SELECT FROM usage_ledger back
  WHERE back.user_id = l.user_id AND back.description IN ('refund', 'dispute') AND back.seconds < 0
    AND back.seq > s.opened_seq AND back.seq < l.seq
)
