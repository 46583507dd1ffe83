-- The report runs all of these in one snapshot.

-- name: sold
-- Purchases paid since a moment, by package, with what was refunded, lost to disputes and is disputed now. Seconds taken
-- back or frozen are converted to cents in the proportion of the purchase; they were rounded down, so cents round up.
SELECT package_id, max(label) AS label, currency, count(*), count(*) FILTER (WHERE paid_cents > 0) AS charged,
  sum(paid_cents)::bigint AS cents, sum(seconds)::bigint AS seconds, sum(seconds_taken)::bigint AS seconds_taken,
  sum(refunded_cents)::bigint AS refunded_cents, sum(greatest(gone - refunded_cents, 0))::bigint AS lost_cents,
  sum(claimed - gone)::bigint AS disputed_cents
FROM purchases CROSS JOIN LATERAL (
  SELECT ceil(seconds_taken::numeric * paid_cents / seconds) AS gone,
    ceil((seconds_taken + seconds_frozen)::numeric * paid_cents / seconds) AS claimed
) cents
WHERE paid_at >= %(since)s
GROUP BY package_id, currency ORDER BY sum(paid_cents) DESC, package_id, currency

-- name: used
-- Usage of the sessions that began since a moment, by engine and model; live sessions as far as they are settled. The
-- built-in engine has one model, whatever name the client asked for. The cost is that of the billed audio, in millionths
-- of a dollar; sessions from before costs were recorded have audio only.
SELECT engine, model, count(*) AS sessions, sum(seconds_used)::bigint AS seconds, sum(audio) AS audio_seconds,
  coalesce(sum(audio * channels * cost_micro / 60), 0) AS cost_micro,
  coalesce(sum(audio) FILTER (WHERE cost_micro IS NULL), 0) AS unpriced_seconds
FROM transcription_sessions CROSS JOIN LATERAL (
  SELECT coalesce(audio_seconds, seconds_used * 1000000.0 / nullif(rate_micro * channels, 0), 0) AS audio,
    CASE WHEN engine IS DISTINCT FROM 'builtin' THEN deepgram_model END AS model
) billed
WHERE ready_at IS NOT NULL AND started_at >= %(since)s
GROUP BY engine, model ORDER BY sum(seconds_used) DESC, model, engine

-- name: given
-- Seconds given as trials or by an operator since a moment, minus what an operator took back.
SELECT coalesce(sum(seconds), 0)::bigint FROM usage_ledger
WHERE recorded_at >= %(since)s AND description IN ('trial', 'manual_adjustment')

-- name: standing
-- Balances, holds and frozen seconds of all users now, and what some of them owe after a claw-back.
SELECT coalesce(sum(greatest(seconds_remaining, 0)), 0)::bigint AS outstanding,
  coalesce(sum(seconds_held), 0)::bigint AS held, coalesce(sum(seconds_frozen), 0)::bigint AS frozen,
  coalesce(-sum(least(seconds_remaining, 0)), 0)::bigint AS owed, count(*) FILTER (WHERE seconds_remaining < 0) AS debtors
FROM credit_balance

-- name: now
-- The moment of the snapshot.
SELECT now()
