-- API keys of an account, of which only a digest is stored. `models`: what a key may use, null for everything.
CREATE TABLE api_keys (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,       -- the key's first characters, so that its owner can tell keys apart
  key_hash BYTEA NOT NULL UNIQUE,
  models TEXT[],
  created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  last_used_at TIMESTAMPTZ
);
CREATE INDEX api_keys_user ON api_keys(user_id, created_at);

-- What the sessions of an API key used and hold, and its limit. Changed only while the user's balance row is locked.
CREATE TABLE key_spending (
  key_id UUID PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  limit_seconds INTEGER CHECK (limit_seconds > 0), -- credits; null: no limit
  daily BOOLEAN NOT NULL DEFAULT false,            -- the limit is for each day in UTC, not for all time
  day DATE NOT NULL,                               -- with `daily`: the day that seconds_used counts
  seconds_used INTEGER NOT NULL DEFAULT 0,
  seconds_held INTEGER NOT NULL DEFAULT 0 CHECK (seconds_held >= 0)
) WITH (fillfactor = 70);

ALTER TABLE transcription_sessions ADD COLUMN key_id UUID; -- the API key that the session was opened with
