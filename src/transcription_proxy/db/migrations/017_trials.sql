-- The trial is given once to a mailbox, however its address is spelled. A row is the SHA-256 of the mailbox, so that it
-- may outlive the account.
CREATE TABLE trials (
  mailbox BYTEA PRIMARY KEY,
  granted_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO trials (mailbox)
SELECT sha256(convert_to(
  CASE WHEN domain IN ('gmail.com', 'googlemail.com') THEN replace(local, '.', '') || '@gmail.com'
  ELSE local || '@' || domain END, 'UTF8'))
FROM (
  SELECT split_part(split_part(email, '@', 1), '+', 1) AS local, split_part(email, '@', 2) AS domain
  FROM users WHERE id IN (SELECT user_id FROM usage_ledger WHERE description = 'trial')
) spelled
ON CONFLICT DO NOTHING;

ALTER TABLE users ADD COLUMN confirmed_at TIMESTAMPTZ; -- when the owner opened the link in the confirmation mail
UPDATE users SET confirmed_at = created_at;
