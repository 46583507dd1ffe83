-- The key that 025 has built, and what else each settle paid for. The statement that writes an entry of a session holds the
-- lock on that session's row, so that row exists; the audit looks for entries without one.
LOCK TABLE transcription_sessions, usage_ledger IN ACCESS EXCLUSIVE MODE;
ALTER TABLE usage_ledger
  DROP CONSTRAINT usage_ledger_pkey,
  ADD CONSTRAINT usage_ledger_pkey PRIMARY KEY USING INDEX usage_ledger_seq,
  DROP CONSTRAINT usage_ledger_session_id_fkey;
DROP INDEX usage_ledger_user_time;
-- An entry's id is no secret, and gen_random_uuid opens /dev/urandom for each one where PostgreSQL has no OpenSSL.
ALTER TABLE usage_ledger ALTER COLUMN id SET DEFAULT md5(random()::text || clock_timestamp()::text)::uuid;
-- Sessions that opened together lie on one page and settle together. Half of the page is room for the next versions of
-- them all: with a fifth, two updates in five had to write every index of the table.
ALTER TABLE transcription_sessions SET (fillfactor = 50);
ALTER TABLE credit_balance SET (fillfactor = 50);
