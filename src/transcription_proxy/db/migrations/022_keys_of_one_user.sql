-- Each key of a table that grows with use contains user_id. All of this changes the catalog only: 019 has built the
-- indexes, and 023 checks the foreign keys. An entry's key is its place in its user's ledger; nothing looks up its id.
LOCK TABLE purchases, key_spending, transcription_sessions, usage_ledger IN ACCESS EXCLUSIVE MODE;
ALTER TABLE usage_ledger
  DROP CONSTRAINT usage_ledger_session_id_fkey,
  DROP CONSTRAINT usage_ledger_purchase_id_fkey,
  DROP CONSTRAINT usage_ledger_pkey;
DROP INDEX usage_ledger_one_credit;
ALTER INDEX usage_ledger_credit RENAME TO usage_ledger_one_credit;
ALTER TABLE usage_ledger ADD CONSTRAINT usage_ledger_pkey PRIMARY KEY USING INDEX usage_ledger_user_seq;
ALTER TABLE transcription_sessions
  DROP CONSTRAINT transcription_sessions_pkey,
  ADD CONSTRAINT transcription_sessions_pkey PRIMARY KEY USING INDEX transcription_sessions_key;
ALTER TABLE key_spending
  DROP CONSTRAINT key_spending_pkey,
  ADD CONSTRAINT key_spending_pkey PRIMARY KEY USING INDEX key_spending_key;
ALTER TABLE purchases
  DROP CONSTRAINT purchases_pkey,
  DROP CONSTRAINT purchases_checkout_session_key,
  ADD CONSTRAINT purchases_pkey PRIMARY KEY USING INDEX purchases_key;
ALTER TABLE usage_ledger
  ADD CONSTRAINT usage_ledger_session_id_fkey FOREIGN KEY (session_id, user_id)
    REFERENCES transcription_sessions (id, user_id) NOT VALID,
  ADD CONSTRAINT usage_ledger_purchase_id_fkey FOREIGN KEY (purchase_id, user_id)
    REFERENCES purchases (id, user_id) NOT VALID;
