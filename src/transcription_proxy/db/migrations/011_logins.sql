-- A login has a row of its own, so that its access tokens end with it; a refresh token knows which one it replaced.
CREATE TABLE logins (
  id UUID PRIMARY KEY, -- refresh_tokens.family; no foreign key, as workers of the version before know no logins
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL, -- none of its tokens lives longer
  ended_at TIMESTAMPTZ             -- when one of its refresh tokens was used twice
);
INSERT INTO logins (id, user_id, expires_at, ended_at)
  SELECT family, user_id, max(expires_at), CASE WHEN bool_and(used_at IS NOT NULL) THEN max(used_at) END
  FROM refresh_tokens GROUP BY family, user_id;
CREATE INDEX logins_user ON logins(user_id);
CREATE INDEX logins_expiry ON logins(expires_at);
ALTER TABLE refresh_tokens ADD COLUMN parent BYTEA; -- token_hash of the token that was exchanged for this one
