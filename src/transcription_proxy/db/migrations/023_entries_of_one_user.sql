-- Check the entries from before 022, while the service writes: each belongs to the user of its session and purchase.
ALTER TABLE usage_ledger VALIDATE CONSTRAINT usage_ledger_session_id_fkey;
ALTER TABLE usage_ledger VALIDATE CONSTRAINT usage_ledger_purchase_id_fkey;
