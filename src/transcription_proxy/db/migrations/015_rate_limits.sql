-- What is limited to so many times a minute, over all workers and hosts. Unlogged: after a crash of the database all
-- counts begin at zero, and no request waits for the disk.
CREATE UNLOGGED TABLE rate_limits (
  key BYTEA PRIMARY KEY,
  admitted TIMESTAMPTZ[] NOT NULL,
  retry_at TIMESTAMPTZ,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX rate_limits_expiry ON rate_limits (expires_at);

-- The overlays that are open: at most so many of an account, over all workers and hosts. A row that its worker does not
-- renew no longer counts.
CREATE UNLOGGED TABLE overlay_pages (
  id UUID PRIMARY KEY,
  user_id UUID NOT NULL,
  life UUID NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX overlay_pages_user ON overlay_pages (user_id);
CREATE INDEX overlay_pages_life ON overlay_pages (life);
