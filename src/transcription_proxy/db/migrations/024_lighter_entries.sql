-- What each settle paid for and nobody used. No statement looks for the entries of a session, and an entry's user exists:
-- the session or purchase that it refers to has one, and any other entry is written with a lock on the user's balance.
DROP INDEX usage_ledger_session;
ALTER TABLE usage_ledger DROP CONSTRAINT usage_ledger_user_id_fkey;
