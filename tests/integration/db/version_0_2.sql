-- Statements of version 0.2 that name a session by its id alone. Its workers may still serve on other hosts when the
-- tables are of this version (docs/upgrade.md). They can go with the release after this one.

-- name: settle
-- Settle a batch of sessions in one statement, and renew their leases. Locked rows are left out (money 15, 18).
-- `own` is what is left of a session's hold, `free` what its user has available once all sessions have given back, and
-- `key_free` what the limit of its API key leaves then, null without a limit. The planner does not know a batch's size,
-- so rows are looked up by key, and window functions take the place of joins.
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
  SELECT settleable.*, status, number, seconds_used, hold, hold_cap, ending, reason, key_id,
    status = 'active' AND asked_number > number AS due
  FROM settleable CROSS JOIN LATERAL (
    SELECT status, number, seconds_used, hold, hold_cap, ending, reason, key_id
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
  SELECT given_back.*, available + sum(hold - delta - own) OVER (PARTITION BY user_id) AS free, key_held,
    room + sum(hold - delta - own) OVER (PARTITION BY key_id) AS key_free
  FROM given_back LEFT JOIN LATERAL (
    SELECT k.seconds_held AS key_held, k.limit_seconds - k.seconds_held -
      CASE WHEN k.daily AND k.day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE k.seconds_used END AS room
    FROM key_spending k WHERE k.key_id = given_back.key_id AND k.limit_seconds IS NOT NULL
  ) k ON true
), wanted AS (
  SELECT *, CASE WHEN due AND extend AND ending IS NULL AND NOT blocked THEN
    greatest(least(hold_cap, greatest((free + own + %(shares)s - 1) / %(shares)s, 1)) - own, 0) ELSE 0 END::integer AS wish
  FROM eligible
), allowed AS (
  SELECT *, greatest(least(wish, key_free - sum(wish) OVER (PARTITION BY key_id ORDER BY id) + wish), 0) AS share
  FROM wanted
), granted AS (
  SELECT *, own + least(share, greatest(free - sum(share) OVER (PARTITION BY user_id ORDER BY id) + share, 0))::integer
    AS new_hold
  FROM allowed
), settled AS MATERIALIZED (
  SELECT *, seconds_used + delta AS used,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id ORDER BY id) AS balance_after,
    seconds_remaining - sum(delta) OVER (PARTITION BY user_id) AS remaining,
    seconds_held + sum(new_hold - hold) OVER (PARTITION BY user_id) AS held,
    available - sum(delta + new_hold - hold) OVER (PARTITION BY user_id) AS still_available,
    key_held + sum(new_hold - hold) OVER (PARTITION BY key_id) AS key_still_held,
    key_free - sum(new_hold - own) OVER (PARTITION BY key_id) AS key_left
  FROM granted
), renewed AS (
  UPDATE transcription_sessions s
  SET number = asked_number, seconds_used = used, hold = new_hold, lease_until = clock_timestamp() + %(lease)s,
    started_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.started_at END,
    ready_at = CASE WHEN settled.ready AND s.ready_at IS NULL THEN clock_timestamp() ELSE s.ready_at END,
    muted_at = CASE WHEN new_hold = 0 THEN coalesce(s.muted_at, clock_timestamp()) END
  FROM settled WHERE s.id = settled.id AND due
), charged AS (
  UPDATE credit_balance b SET seconds_remaining = remaining, seconds_held = held, updated_at = now()
  FROM (SELECT DISTINCT user_id, remaining, held FROM settled) totals
  WHERE b.user_id = totals.user_id AND (b.seconds_remaining, b.seconds_held) <> (remaining, held)
), spent AS (
  UPDATE key_spending k
  SET seconds_used = CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END + used,
    seconds_held = seconds_held + held, day = (now() AT TIME ZONE 'UTC')::date
  FROM (
    SELECT key_id, sum(delta) AS used, sum(new_hold - hold) AS held FROM settled WHERE key_id IS NOT NULL
    GROUP BY key_id
  ) totals
  WHERE k.key_id = totals.key_id AND (used, held) <> (0, 0)
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT user_id, id, -delta, 'session_usage', balance_after FROM settled WHERE delta > 0
  ORDER BY user_id, id
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

-- name: renew_leases
-- Renew leases and book nothing, for sessions whose settle or close fails (money 21). No other table is used.
UPDATE transcription_sessions SET lease_until = clock_timestamp() + %(lease)s
WHERE id IN (
  SELECT id FROM transcription_sessions WHERE id = ANY (%(ids)b::uuid[]) AND status = 'active'
  FOR NO KEY UPDATE SKIP LOCKED
)

-- name: lock_session
-- Lock a session and its user's balance, and read both as they are then.
WITH balance AS MATERIALIZED (
  SELECT user_id, seconds_remaining, seconds_remaining::bigint - seconds_held - seconds_frozen AS available
  FROM credit_balance
  WHERE user_id = (SELECT user_id FROM transcription_sessions WHERE id = %(session_id)s)
  FOR NO KEY UPDATE
)
SELECT s.user_id, s.status = 'active' AS active, s.number, s.seconds_used, s.hold, s.hold_released, s.reason,
  seconds_remaining, available
FROM transcription_sessions s JOIN balance USING (user_id)
WHERE s.id = %(session_id)s
FOR NO KEY UPDATE OF s

-- name: close
-- End a locked session: book the difference to what was settled, of either sign, and release the hold (money 17).
WITH ended AS (
  UPDATE transcription_sessions
  SET status = %(status)s, reason = %(reason)s, number = %(number)s, seconds_used = %(billed)s, hold = 0,
    hold_released = NULL, ended_at = clock_timestamp(), audio_seconds = %(audio_seconds)s, upstream_seconds = %(upstream_seconds)s,
    upstream_request_id = %(request_id)s, sent_seconds = %(sent_seconds)s,
    ready_at = CASE WHEN %(ready)s THEN coalesce(ready_at, started_at) END
  WHERE id = %(session_id)s
  RETURNING key_id
), spent AS (
  UPDATE key_spending k
  SET seconds_used = greatest(
      CASE WHEN daily AND day <> (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE seconds_used END + %(delta)s, 0
    ),
    seconds_held = seconds_held - %(hold)s, day = (now() AT TIME ZONE 'UTC')::date
  FROM ended WHERE k.key_id = ended.key_id
), entered AS (
  INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
  SELECT %(user_id)s, %(session_id)s, -%(delta)s::integer, 'session_usage', %(balance_after)s
  WHERE %(delta)s <> 0
)
UPDATE credit_balance
SET seconds_remaining = %(balance_after)s, seconds_held = seconds_held - %(hold)s, updated_at = now()
WHERE user_id = %(user_id)s

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
  FROM (SELECT key_id, sum(hold) AS freed FROM locked GROUP BY key_id) holds WHERE k.key_id = holds.key_id
)
UPDATE transcription_sessions s
SET status = 'terminated', reason = %(reason)s, hold = 0, hold_released = locked.hold, ended_at = clock_timestamp(),
  audio_seconds = round(seconds_used * 1000000.0 / nullif(rate_micro * channels, 0), 1)
FROM locked WHERE s.id = locked.id
RETURNING s.id AS session_id, s.user_id, s.seconds_used, locked.hold AS released
