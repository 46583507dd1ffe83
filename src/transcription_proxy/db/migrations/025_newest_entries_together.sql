-- An index that begins with the user puts each entry into that user's own page of it: 10,000 sessions that settle write
-- 10,000 pages of each such index, far apart. In these, new entries lie together at the end, however many users there are.
-- They are built while the service writes; 026 makes the first one the key and drops the two that began with the user.
CREATE UNIQUE INDEX CONCURRENTLY usage_ledger_seq ON usage_ledger (seq, user_id);
-- What a user's days are read from. The hour is the one of UTC, so that an entry's place does not depend on a time zone.
CREATE INDEX CONCURRENTLY usage_ledger_hour ON usage_ledger (date_bin('1 hour', recorded_at, 'epoch'::timestamptz), user_id);
-- Whether something was taken back while a session ran (money 24).
CREATE INDEX CONCURRENTLY usage_ledger_clawbacks ON usage_ledger (user_id, seq) WHERE description IN ('refund', 'dispute');
