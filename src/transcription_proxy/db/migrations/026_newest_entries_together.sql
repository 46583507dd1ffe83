-- 025 has built the indexes. Nothing looks for a user's entries by `seq` alone any more.
LOCK TABLE usage_ledger IN ACCESS EXCLUSIVE MODE;
ALTER TABLE usage_ledger
  DROP CONSTRAINT usage_ledger_pkey,
  ADD CONSTRAINT usage_ledger_pkey PRIMARY KEY USING INDEX usage_ledger_seq;
DROP INDEX usage_ledger_user_time;
-- An entry's id is no secret, and gen_random_uuid opens /dev/urandom for each one where PostgreSQL has no OpenSSL.
ALTER TABLE usage_ledger ALTER COLUMN id SET DEFAULT md5(random()::text || clock_timestamp()::text)::uuid;
