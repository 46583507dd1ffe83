-- Forgotten passwords, and the page that shows an account's live captions.
CREATE TABLE password_resets (
  token_hash BYTEA PRIMARY KEY, -- SHA-256 of the token: the token itself is never stored
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL, -- -infinity for one that was used, or followed by a newer one
  mailed_at TIMESTAMPTZ -- NULL for one that was printed, or could not be sent
);
CREATE INDEX password_resets_user ON password_resets(user_id);

CREATE TABLE overlays (
  user_id UUID PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,
  key TEXT UNIQUE NOT NULL, -- as it is, so that its owner can see it again: it opens nothing but the captions
  version INTEGER NOT NULL DEFAULT 1
);
