-- The lock order is the same everywhere: balance rows by user, then sessions (money 9).
-- FOR NO KEY UPDATE is as exclusive among us as FOR UPDATE, and lets foreign keys be checked meanwhile.

-- name: lock_balance
-- The row from which alone what is available is computed (money 9).
SELECT seconds_remaining, seconds_held, seconds_frozen
FROM credit_balance WHERE user_id = %(user_id)s
FOR NO KEY UPDATE

-- name: admission
-- What decides about a new session of a user whose balance is locked. The key share keeps the foreign key of the
-- session to come from waiting while the streams are locked.
SELECT u.blocked_at IS NULL AND u.token_version = %(token_version)s
    AND (%(login)s::uuid IS NULL OR EXISTS (SELECT FROM logins WHERE logins.id = %(login)s AND ended_at IS NULL)),
  (SELECT count(*) FROM transcription_sessions s
   WHERE s.user_id = u.id AND s.status = 'active' AND s.ending IS NULL AND s.lease_until > clock_timestamp()
     AND s.id IS DISTINCT FROM %(replaces)s),
  (SELECT coalesce(max(seq), 0) FROM usage_ledger WHERE user_id = u.id)
FROM users u WHERE u.id = %(user_id)s
FOR KEY SHARE OF u

-- name: lock_streams
-- One opening at a time, over all hosts, from here to its commit: the count that follows is exact.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.streams', 0))

-- name: open
-- The new session with its hold, unless all streams are taken. The one it replaces makes room for it.
WITH streams AS (
  SELECT count(*) AS taken FROM transcription_sessions
  WHERE status = 'active' AND lease_until > clock_timestamp()
    AND NOT (user_id = %(user_id)s AND id IS NOT DISTINCT FROM %(replaces)s)
), opened AS (
  INSERT INTO transcription_sessions
    (user_id, mode, started_at, deepgram_model, engine, language, rate_micro, cost_micro, channels, hold, hold_cap, life,
     opened_seq, lease_until)
  SELECT %(user_id)s, 'managed', clock_timestamp(), %(model)s, %(engine)s, %(language)s, %(rate_micro)s, %(cost_micro)s,
    %(channels)s, %(hold)s, %(hold_cap)s, %(life)s, %(opened_seq)s, clock_timestamp() + %(lease)s
  FROM streams WHERE taken < %(max_streams)s
  RETURNING id
)
UPDATE credit_balance SET seconds_held = seconds_held + %(hold)s, updated_at = now()
FROM opened WHERE user_id = %(user_id)s
RETURNING opened.id

-- name: settle
-- Books and renews a batch of sessions in one statement. What is locked is left out of the answer (money 15, 18).
-- `own` is what is left of a session's hold, `free` what its user has available once all of them gave back. The plan
-- knows nothing of a batch's size, so single rows are looked up by key, and nothing is joined that windows can tell.
WITH batch AS MATERIALIZED (
  SELECT DISTINCT ON (id) *, (SELECT s.user_id FROM transcription_sessions s WHERE s.id = asked.id) AS user_id
  FROM unnest(
    %(ids)b::uuid[], %(numbers)b::bigint[], %(totals)b::bigint[], %(keeps)b::bigint[], %(extends)b::boolean[],
    %(readies)b::boolean[]
  ) AS asked(id, asked_number, total, keep, extend, ready)
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
  SELECT settleable.*, status, number, seconds_used, hold, hold_cap, ending, reason,
    status = 'active' AND asked_number > number AS due
  FROM settleable CROSS JOIN LATERAL (
    SELECT status, number, seconds_used, hold, hold_cap, ending, reason
    FROM transcription_sessions s WHERE s.id = settleable.id
    FOR NO KEY UPDATE SKIP LOCKED
  ) s
), booked AS (
  SELECT *, CASE WHEN due THEN least(greatest(total, seconds_used), seconds_used + hold) - seconds_used ELSE 0 END::integer
    AS delta
  FROM locked
), given_back AS (
  SELECT *, least(hold - delta, CASE WHEN due THEN greatest(keep - seconds_used - delta, 0) END)::integer AS own
  FROM booked
), eligible AS (
  SELECT *, available + sum(hold - delta - own) OVER (PARTITION BY user_id) AS free FROM given_back
), wanted AS (
  SELECT *, CASE WHEN due AND extend AND ending IS NULL AND NOT blocked THEN
    greatest(least(hold_cap, greatest((free + own + %(shares)s - 1) / %(shares)s, 1)) - own, 0) ELSE 0 END::integer AS wish
  FROM eligible
), granted AS (
  SELECT *, own + least(wish, greatest(free - sum(wish) OVER (PARTITION BY user_id ORDER BY id) + wish, 0))::integer
    AS new_hold
  FROM wanted
), settled AS MATERIALIZED (
  SELECT *, seconds_used + delta AS used,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id ORDER BY id) AS balance_after,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id) AS remaining,
    seconds_held + sum(new_hold - hold) OVER (PARTITION BY user_id) AS held,
    available - sum(delta + new_hold - hold) OVER (PARTITION BY user_id) AS still_available
  FROM granted
), renewed AS (
  UPDATE transcription_sessions s
  SET number = asked_number, seconds_used = used, hold = new_hold, lease_until = clock_timestamp() + %(lease)s,
    started_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.started_at END,
    ready_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.ready_at END
  FROM settled WHERE s.id = settled.id AND due
), charged AS (
  UPDATE credit_balance b SET seconds_remaining = remaining, seconds_held = held, updated_at = now()
  FROM (SELECT DISTINCT user_id, remaining, held FROM settled) totals
  WHERE b.user_id = totals.user_id AND (b.seconds_remaining, b.seconds_held) <> (remaining, held)
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT user_id, id, -delta, 'session_usage', balance_after FROM settled WHERE delta > 0
  ORDER BY user_id, id
)
SELECT id, asked_number, used + new_hold, used, remaining, held - new_hold,
  status <> 'active' AND asked_number > number,
  CASE
    WHEN status <> 'active' THEN coalesce(reason, 'internal')
    WHEN ending IS NOT NULL THEN ending
    WHEN blocked THEN 'ended_by_operator'
    WHEN still_available < 0 THEN 'insufficient_credits'
  END,
  blocked
FROM settled

-- name: renew_leases
-- Renews leases and books nothing, for sessions whose settle or close fails (money 21). It touches no other table.
UPDATE transcription_sessions SET lease_until = clock_timestamp() + %(lease)s
WHERE id IN (
  SELECT id FROM transcription_sessions WHERE id = ANY (%(ids)b::uuid[]) AND status = 'active'
  FOR NO KEY UPDATE SKIP LOCKED
)

-- name: lock_for_booking
-- Fails at once where a settle could not be booked: it takes the table locks of a settle.
SET LOCAL lock_timeout = '1s';
LOCK TABLE credit_balance, transcription_sessions, usage_ledger IN ROW EXCLUSIVE MODE;
SET LOCAL lock_timeout TO DEFAULT

-- name: probe_write
-- A write of no consequence. Another process that writes the row at this moment proves as much, so its lock is skipped.
UPDATE write_probe SET written_at = clock_timestamp()
WHERE id IN (SELECT id FROM write_probe FOR UPDATE SKIP LOCKED)

-- name: lock_session
-- A session and its user's balance, both as they are once locked.
WITH balance AS MATERIALIZED (
  SELECT user_id, seconds_remaining, seconds_remaining::bigint - seconds_held - seconds_frozen AS available
  FROM credit_balance
  WHERE user_id = (SELECT user_id FROM transcription_sessions WHERE id = %(session_id)s)
  FOR NO KEY UPDATE
)
SELECT s.user_id, s.status = 'active', s.number, s.seconds_used, s.hold, s.hold_released, s.reason, seconds_remaining,
  available
FROM transcription_sessions s JOIN balance USING (user_id)
WHERE s.id = %(session_id)s
FOR NO KEY UPDATE OF s

-- name: close
-- Ends a locked session: books the difference to what was settled, either way, and releases the hold (money 17).
WITH ended AS (
  UPDATE transcription_sessions
  SET status = %(status)s, reason = %(reason)s, number = %(number)s, seconds_used = %(billed)s, hold = 0,
    hold_released = NULL, ended_at = clock_timestamp(), audio_seconds = %(audio_seconds)s, upstream_seconds = %(upstream_seconds)s,
    upstream_request_id = %(request_id)s,
    ready_at = CASE WHEN %(ready)s THEN coalesce(ready_at, started_at) END
  WHERE id = %(session_id)s
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT %(user_id)s, %(session_id)s, -%(delta)s::integer, 'session_usage', %(balance_after)s
  WHERE %(delta)s <> 0
)
UPDATE credit_balance
SET seconds_remaining = %(balance_after)s, seconds_held = seconds_held - %(hold)s, updated_at = now()
WHERE user_id = %(user_id)s

-- name: ensure_balance
-- Every user has a balance row; a new one gets it here.
INSERT INTO credit_balance (user_id) SELECT id FROM users WHERE id = %(user_id)s
ON CONFLICT (user_id) DO NOTHING

-- name: credit
-- Adds to a locked balance, with its row.
WITH entered AS (
  INSERT INTO usage_ledger (user_id, seconds, description, balance_after, reason, actor, purchase_id)
  VALUES (%(user_id)s, %(seconds)s, %(description)s, %(balance_after)s, %(reason)s, %(actor)s, %(purchase_id)s)
)
UPDATE credit_balance SET seconds_remaining = %(balance_after)s, updated_at = now() WHERE user_id = %(user_id)s

-- name: freeze
-- Sets aside what is disputed, or frees it: no row of the ledger (money 29).
UPDATE credit_balance SET seconds_frozen = seconds_frozen + %(seconds)s, updated_at = now() WHERE user_id = %(user_id)s

-- name: mark_ending
-- Asks a session's relay to end it, now by NOTIFY and at the latest with its next settle; the first reason stays.
WITH marked AS (
  UPDATE transcription_sessions SET ending = coalesce(ending, %(reason)s)
  WHERE id = %(session_id)s AND status = 'active' AND user_id = coalesce(%(user_id)s, user_id)
  RETURNING id
)
SELECT pg_notify('session_ending', id::text) FROM marked

-- name: mark_user_ending
-- The same for all sessions of a user.
WITH marked AS (
  UPDATE transcription_sessions SET ending = coalesce(ending, %(reason)s)
  WHERE user_id = %(user_id)s AND status = 'active'
  RETURNING id
)
SELECT pg_notify('session_ending', id::text) FROM marked

-- name: cut_leases
-- A lease that ends further ahead than any lease is long was written by another clock (money 21).
UPDATE transcription_sessions SET lease_until = clock_timestamp() + %(lease)s
WHERE id IN (
  SELECT id FROM transcription_sessions
  WHERE status = 'active' AND lease_until > clock_timestamp() + %(lease)s
  FOR NO KEY UPDATE SKIP LOCKED
)

-- name: clock
-- What leases go by: seconds since 1970.
SELECT extract(epoch FROM clock_timestamp())::float8

-- name: end_abandoned
-- Ends up to `batch` sessions whose lease ran out by a moment that has come, or with `life` those of a process that is
-- dead (money 21).
WITH abandoned AS (
  SELECT id, user_id FROM transcription_sessions
  WHERE status = 'active' AND CASE WHEN %(life)s::uuid IS NULL THEN lease_until < least(clock_timestamp(), to_timestamp(%(by)s)) ELSE life = %(life)s END
  LIMIT %(batch)s
), balances AS MATERIALIZED (
  SELECT user_id FROM credit_balance WHERE user_id IN (SELECT user_id FROM abandoned)
  ORDER BY user_id
  FOR NO KEY UPDATE SKIP LOCKED
), locked AS MATERIALIZED (
  SELECT s.id, user_id, s.hold FROM abandoned JOIN transcription_sessions s USING (id, user_id) JOIN balances USING (user_id)
  WHERE s.status = 'active' AND CASE WHEN %(life)s::uuid IS NULL THEN s.lease_until < least(clock_timestamp(), to_timestamp(%(by)s)) ELSE s.life = %(life)s END
  FOR NO KEY UPDATE OF s SKIP LOCKED
), released AS (
  UPDATE credit_balance b SET seconds_held = seconds_held - freed, updated_at = now()
  FROM (SELECT user_id, sum(hold) AS freed FROM locked GROUP BY user_id) holds WHERE b.user_id = holds.user_id
)
UPDATE transcription_sessions s
SET status = 'terminated', reason = %(reason)s, hold = 0, hold_released = locked.hold, ended_at = clock_timestamp(),
  audio_seconds = round(seconds_used * 1000000.0 / nullif(rate_micro * channels, 0), 1)
FROM locked WHERE s.id = locked.id
RETURNING s.id, s.user_id, s.seconds_used, locked.hold

-- name: life_is_over
-- Whether a dead process has no active session left.
SELECT NOT EXISTS (SELECT FROM transcription_sessions WHERE status = 'active' AND life = %(life)s)

-- name: balance
-- A look without a lock, for showing.
SELECT seconds_remaining, seconds_held, seconds_frozen FROM credit_balance WHERE user_id = %(user_id)s

-- name: last_grant
-- The newest seconds that were bought or given. Its conditions are those of the index usage_ledger_grants.
SELECT seconds FROM usage_ledger
WHERE user_id = %(user_id)s AND seconds > 0 AND description IN ('credit_purchase', 'manual_adjustment', 'trial')
ORDER BY seq DESC LIMIT 1

-- name: timezones
-- The names that usage_days takes; beyond them PostgreSQL reads any word with a number as a zone.
SELECT name FROM pg_timezone_names

-- name: usage_days
-- Days in a time zone, oldest first, days without entries included.
WITH today AS (
  SELECT (clock_timestamp() AT TIME ZONE %(tz)s)::date AS today
), entries AS (
  SELECT (recorded_at AT TIME ZONE %(tz)s)::date AS day,
    CASE WHEN description = 'session_usage' THEN -seconds ELSE 0 END AS used,
    CASE WHEN description IN ('credit_purchase', 'refund', 'dispute') THEN seconds ELSE 0 END AS purchased,
    CASE WHEN description IN ('manual_adjustment', 'trial') THEN seconds ELSE 0 END AS adjusted
  FROM usage_ledger, today
  WHERE user_id = %(user_id)s AND recorded_at >= (today - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s
)
SELECT day, coalesce(sum(used), 0)::bigint, coalesce(sum(purchased), 0)::bigint, coalesce(sum(adjusted), 0)::bigint
FROM (SELECT today - ago AS day FROM today, generate_series(0, %(days)s::integer - 1) AS ago) days
LEFT JOIN entries USING (day)
GROUP BY day ORDER BY day

-- name: count_sessions
-- Sessions that became ready in the last days, up to today in a time zone.
SELECT count(*) FROM transcription_sessions
WHERE user_id = %(user_id)s AND ready_at IS NOT NULL
  AND started_at >= ((clock_timestamp() AT TIME ZONE %(tz)s)::date - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s

-- name: sessions
-- Those that became ready, newest first; with `before_at`, those that follow that row in this order.
SELECT s.id, s.user_id, u.email, s.started_at, s.ended_at, s.seconds_used,
  s.audio_seconds::float8, s.deepgram_model, s.engine, s.status, coalesce(s.reason, s.ending)
FROM transcription_sessions s JOIN users u ON u.id = s.user_id
WHERE s.ready_at IS NOT NULL
  AND (%(user_id)s::uuid IS NULL OR s.user_id = %(user_id)s)
  AND (NOT %(live)s OR s.status = 'active' AND s.lease_until > clock_timestamp())
  AND (%(before_at)s::timestamptz IS NULL OR (s.started_at, s.id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY s.started_at DESC, s.id DESC
LIMIT %(limit)s

-- name: live_ids
-- Live sessions whose id begins with `prefix`: two of them are enough to know that it names no single one.
SELECT id FROM transcription_sessions
WHERE status = 'active' AND starts_with(id::text, %(prefix)s)
ORDER BY started_at DESC LIMIT 2

-- name: live_count
-- Streams of all users together.
SELECT count(*) FROM transcription_sessions WHERE status = 'active' AND lease_until > clock_timestamp()

-- name: audit_entries
-- How many rows an audit looks at.
SELECT count(*) FROM usage_ledger

-- name: audit_balances
-- balance = sum of rows = last balance_after (money 26).
WITH sums AS (
  SELECT user_id, sum(seconds) AS total, max(seq) AS seq FROM usage_ledger GROUP BY user_id
)
SELECT u.id, 'balance ' || coalesce(seconds_remaining, 0) || ', sum of rows ' || coalesce(total, 0)
  || ', last balance_after ' || coalesce(balance_after, 0)
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN sums ON sums.user_id = u.id
  LEFT JOIN usage_ledger l ON l.user_id = u.id AND l.seq = sums.seq
WHERE coalesce(seconds_remaining, 0) <> coalesce(total, 0) OR coalesce(total, 0) <> coalesce(balance_after, 0)

-- name: audit_chain
-- Each row's balance_after = the one before + its seconds.
SELECT user_id, 'row ' || seq || ': balance_after ' || balance_after || ' after ' || before || ' and ' || seconds
FROM (
  SELECT user_id, seq, seconds, balance_after,
    lag(balance_after, 1, 0) OVER (PARTITION BY user_id ORDER BY seq) AS before
  FROM usage_ledger
) rows
WHERE balance_after <> before + seconds

-- name: audit_holds
-- held = sum of the holds of active sessions.
SELECT u.id, 'held ' || coalesce(seconds_held, 0) || ', holds ' || coalesce(holds, 0)
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN (
  SELECT user_id, sum(hold) AS holds FROM transcription_sessions WHERE status = 'active' GROUP BY user_id
) active ON active.user_id = u.id
WHERE coalesce(seconds_held, 0) <> coalesce(holds, 0)

-- name: audit_ended_holds
-- No hold on an ended session.
SELECT id, 'ended with a hold of ' || hold FROM transcription_sessions WHERE status <> 'active' AND hold <> 0

-- name: audit_leases
-- The reaper should have ended these.
SELECT id, 'its lease ran out at ' || lease_until FROM transcription_sessions
WHERE status = 'active' AND lease_until < clock_timestamp() - interval '90 seconds'

-- name: audit_sessions
-- A session's seconds_used = minus its rows, which are of its user.
SELECT s.id, 'seconds_used ' || seconds_used || ', rows ' || coalesce(total, 0)
FROM transcription_sessions s LEFT JOIN (
  SELECT session_id, user_id, sum(seconds) AS total FROM usage_ledger WHERE session_id IS NOT NULL
  GROUP BY session_id, user_id
) rows ON rows.session_id = s.id
WHERE seconds_used <> -coalesce(total, 0) OR rows.user_id <> s.user_id

-- name: audit_overdrafts
-- Usage below 0 needs a claw-back between the session's start and it (money 24).
SELECT l.session_id, 'row ' || l.seq || ' leaves ' || l.balance_after || ' and no claw-back explains it'
FROM usage_ledger l LEFT JOIN transcription_sessions s ON s.id = l.session_id
WHERE l.description = 'session_usage' AND l.balance_after < 0 AND NOT EXISTS (
  SELECT FROM usage_ledger back
  WHERE back.user_id = l.user_id AND back.description IN ('refund', 'dispute') AND back.seconds < 0
    AND back.seq > s.opened_seq AND back.seq < l.seq
)

-- name: audit_frozen
-- frozen = sum of what is frozen of the purchases.
SELECT u.id, 'frozen ' || coalesce(b.seconds_frozen, 0) || ', of purchases ' || coalesce(frozen, 0)
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN (
  SELECT user_id, sum(seconds_frozen) AS frozen FROM purchases GROUP BY user_id
) disputed ON disputed.user_id = u.id
WHERE coalesce(b.seconds_frozen, 0) <> coalesce(frozen, 0)

-- name: audit_purchases
-- One credit a paid purchase, of its seconds and user; and taken back is what its rows say, never more than credited.
SELECT p.id, p.status || ', ' || p.seconds || ' s, taken ' || p.seconds_taken || ': ' || coalesce(credits, 0)
  || ' credits of ' || coalesce(credited, 0) || ' s, claw-backs of ' || coalesce(clawed, 0) || ' s'
FROM purchases p LEFT JOIN (
  SELECT purchase_id, user_id,
    count(*) FILTER (WHERE description = 'credit_purchase') AS credits,
    sum(seconds) FILTER (WHERE description = 'credit_purchase') AS credited,
    -sum(seconds) FILTER (WHERE description IN ('refund', 'dispute')) AS clawed
  FROM usage_ledger WHERE purchase_id IS NOT NULL GROUP BY purchase_id, user_id
) rows ON rows.purchase_id = p.id
WHERE coalesce(credits, 0) <> (p.status = 'paid')::integer
  OR coalesce(credited, 0) <> CASE p.status WHEN 'paid' THEN p.seconds ELSE 0 END
  OR coalesce(clawed, 0) <> p.seconds_taken OR coalesce(clawed, 0) NOT BETWEEN 0 AND coalesce(credited, 0)
  OR rows.user_id <> p.user_id
