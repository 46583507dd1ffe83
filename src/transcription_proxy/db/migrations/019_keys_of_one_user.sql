-- Unique indexes that contain user_id, so that a user's rows can lie on one node (docs/scale.md). They are built while
-- the service writes, each in a statement without a transaction; 022 makes them the keys. The id comes first, so that a
-- lookup by it alone, as the version before makes it, finds the index too.
CREATE UNIQUE INDEX CONCURRENTLY transcription_sessions_key ON transcription_sessions (id, user_id);
CREATE UNIQUE INDEX CONCURRENTLY key_spending_key ON key_spending (key_id, user_id);
CREATE UNIQUE INDEX CONCURRENTLY purchases_key ON purchases (id, user_id);
CREATE UNIQUE INDEX CONCURRENTLY purchases_checkout ON purchases (checkout_session, user_id);
CREATE UNIQUE INDEX CONCURRENTLY usage_ledger_credit ON usage_ledger (purchase_id, user_id)
  WHERE purchase_id IS NOT NULL AND description = 'credit_purchase';
