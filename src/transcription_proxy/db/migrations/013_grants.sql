-- The newest grant or purchase of an account, found without reading the usage since.
CREATE INDEX usage_ledger_grants ON usage_ledger(user_id, seq)
  WHERE seconds > 0 AND description IN ('credit_purchase', 'manual_adjustment', 'trial');
