-- Rolling holds, leases and an ordered ledger: what money needs beyond the plan's tables.
INSERT INTO credit_balance (user_id) SELECT id FROM users ON CONFLICT DO NOTHING;
ALTER TABLE credit_balance
  ADD COLUMN seconds_held INTEGER NOT NULL DEFAULT 0 CHECK (seconds_held >= 0),
  ADD COLUMN seconds_frozen INTEGER NOT NULL DEFAULT 0 CHECK (seconds_frozen >= 0),
  ADD CONSTRAINT credit_balance_bounds CHECK (abs(seconds_remaining) <= 1000000000);

ALTER TABLE transcription_sessions
  ADD COLUMN language TEXT,
  ADD COLUMN rate_micro BIGINT NOT NULL DEFAULT 1000000, -- micro-credits a second of one channel
  ADD COLUMN channels INTEGER NOT NULL DEFAULT 1,        -- channels billed
  ADD COLUMN hold INTEGER NOT NULL DEFAULT 0 CHECK (hold >= 0),
  ADD COLUMN hold_cap INTEGER NOT NULL DEFAULT 45,
  ADD COLUMN number BIGINT NOT NULL DEFAULT 0,           -- of the last statement taken from the relay
  ADD COLUMN life UUID,                                  -- the process life that owns it
  ADD COLUMN opened_seq BIGINT NOT NULL DEFAULT 0,       -- the user's last ledger row when it opened
  ADD COLUMN lease_until TIMESTAMPTZ,
  ADD COLUMN ready_at TIMESTAMPTZ,                       -- null: never became ready, is not listed
  ADD COLUMN ending TEXT,                                -- marked to end from outside, with this reason
  ADD COLUMN reason TEXT,
  ADD COLUMN audio_seconds NUMERIC(12,1),
  ADD COLUMN upstream_seconds NUMERIC(12,3),             -- as the upstream reported it
  ADD COLUMN upstream_request_id TEXT,
  ADD CONSTRAINT sessions_no_hold_after_end CHECK (status = 'active' OR hold = 0);
UPDATE transcription_sessions SET ready_at = started_at;
UPDATE transcription_sessions SET status = 'terminated', reason = 'lease_expired', ended_at = coalesce(ended_at, now())
  WHERE status = 'active';
-- No index names a column that a settle writes, and pages keep room for the next version of a row: so a settle
-- writes no index (a HOT update).
ALTER TABLE credit_balance SET (fillfactor = 70);
ALTER TABLE transcription_sessions SET (fillfactor = 80);
CREATE INDEX sessions_active_user ON transcription_sessions(user_id) WHERE status = 'active';
CREATE INDEX sessions_user_recent ON transcription_sessions(user_id, started_at DESC) WHERE ready_at IS NOT NULL;

ALTER TABLE usage_ledger
  ADD COLUMN seq BIGINT GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN balance_after INTEGER,
  ADD COLUMN reason TEXT, -- of a manual adjustment: why
  ADD COLUMN actor TEXT,  -- and who
  ADD CONSTRAINT usage_ledger_bounds CHECK (abs(seconds) <= 1000000000);
UPDATE usage_ledger SET balance_after = running.balance
  FROM (SELECT id, sum(seconds) OVER (PARTITION BY user_id ORDER BY seq) AS balance FROM usage_ledger) running
  WHERE running.id = usage_ledger.id;
ALTER TABLE usage_ledger ALTER COLUMN balance_after SET NOT NULL;
DROP INDEX idx_ledger_user_id; -- the two that follow begin with user_id as well
CREATE UNIQUE INDEX usage_ledger_user_seq ON usage_ledger(user_id, seq);
CREATE INDEX usage_ledger_user_time ON usage_ledger(user_id, recorded_at);
CREATE INDEX usage_ledger_session ON usage_ledger(session_id) WHERE session_id IS NOT NULL;
