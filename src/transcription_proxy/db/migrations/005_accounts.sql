-- Blocking, one epoch for all tokens of an account, and refresh tokens that work once.
UPDATE users SET email = lower(email) WHERE email <> lower(email);
ALTER TABLE users
  ADD COLUMN token_version INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN blocked_at TIMESTAMPTZ,
  ADD CONSTRAINT users_email_lower CHECK (email = lower(email));

CREATE TABLE refresh_tokens (
  token_hash BYTEA PRIMARY KEY, -- SHA-256 of the token: the token itself is never stored
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  family UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ
);
CREATE INDEX refresh_tokens_family ON refresh_tokens(family);
CREATE INDEX refresh_tokens_user ON refresh_tokens(user_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens(expires_at);
