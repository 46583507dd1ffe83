-- Lock order, which prevents deadlocks: the balance (to end live sessions), then the account's row, then its tokens.

-- name: register
-- Add an account; no row where the address is taken.
INSERT INTO users (email, password_hash) VALUES (%(email)s, %(password_hash)s)
ON CONFLICT (email) DO NOTHING
RETURNING {User}

-- name: by_id
-- An account by its id.
SELECT {User} FROM users WHERE id = %(user_id)s

-- name: by_email
-- An account by its address in lower case.
SELECT {User} FROM users WHERE email = %(email)s

-- name: credentials
-- An account and what its password is checked against, for a login.
SELECT {Credentials} FROM users WHERE email = %(email)s

-- name: recent
-- The newest accounts, each with its balance, its number of live sessions, and whether it is blocked.
SELECT id, email, created_at, blocked_at IS NOT NULL AS blocked, coalesce(seconds_remaining, 0) AS seconds_remaining,
  (SELECT count(*) FROM transcription_sessions s
   WHERE s.user_id = newest.id AND s.status = 'active' AND s.ready_at IS NOT NULL AND s.lease_until > clock_timestamp())
  AS live_sessions
FROM (SELECT * FROM users ORDER BY created_at DESC, id LIMIT %(limit)s) newest
LEFT JOIN credit_balance ON user_id = id
ORDER BY created_at DESC, id

-- name: password_hash
-- The hash of an account's password.
SELECT password_hash FROM users WHERE id = %(user_id)s

-- name: lock
-- An account, locked until the transaction ends. Only who holds this lock may change the account's tokens.
SELECT {User} FROM users WHERE id = %(user_id)s
FOR NO KEY UPDATE

-- name: lock_owner
-- The account that a refresh token belongs to, locked as `lock` does.
SELECT {User} FROM users WHERE id = (SELECT user_id FROM refresh_tokens WHERE token_hash = %(token_hash)s)
FOR NO KEY UPDATE

-- name: token_holder
-- The account that an access token names, unless its token_version is outdated or its login has ended.
SELECT {User} FROM users
WHERE id = %(user_id)s AND token_version = %(token_version)s
  AND (%(login)s::uuid IS NULL OR EXISTS (SELECT FROM logins WHERE logins.id = %(login)s AND ended_at IS NULL))

-- name: may_open
-- Whether the account of a token may open a session. FOR KEY SHARE takes the lock of the new session's foreign key now,
-- so that its INSERT does not wait while the ledger's `lock_streams` is held.
SELECT blocked_at IS NULL AND token_version = %(token_version)s
  AND (%(login)s::uuid IS NULL OR EXISTS (SELECT FROM logins WHERE logins.id = %(login)s AND ended_at IS NULL))
  AND (%(key_id)s::uuid IS NULL OR EXISTS (SELECT FROM api_keys WHERE id = %(key_id)s))
FROM users WHERE users.id = %(user_id)s
FOR KEY SHARE OF users

-- name: change_password
-- Set a new password. The new token_version voids all earlier access tokens.
UPDATE users SET password_hash = %(password_hash)s, token_version = token_version + 1, updated_at = now()
WHERE id = %(user_id)s
RETURNING {User}

-- name: rehash
-- Store a new hash of the same password. No token ends.
UPDATE users SET password_hash = %(password_hash)s, updated_at = now() WHERE id = %(user_id)s

-- name: add_trial
-- Note that a mailbox gets the trial; no row where it had it before.
INSERT INTO trials (mailbox) VALUES (%(mailbox)s) ON CONFLICT DO NOTHING

-- name: confirm
-- Note that an account's email is confirmed; no row where it was before, or is another one.
UPDATE users SET confirmed_at = now(), updated_at = now()
WHERE id = %(user_id)s AND email = %(email)s AND confirmed_at IS NULL
RETURNING {User}

-- name: is_confirmed
-- Whether an account's email is confirmed.
SELECT confirmed_at IS NOT NULL FROM users WHERE id = %(user_id)s

-- name: block
-- Block an account. The time of the first block stays.
UPDATE users SET blocked_at = coalesce(blocked_at, now()), updated_at = now() WHERE id = %(user_id)s

-- name: unblock
-- Unblock an account. Its tokens that have not expired work again.
UPDATE users SET blocked_at = NULL, updated_at = now() WHERE id = %(user_id)s

-- name: add_refresh
-- Add a refresh token that has not been used, and its login, or extend the login until the last of its tokens expires.
WITH kept AS (
  INSERT INTO logins (id, user_id, expires_at) VALUES (%(login)s, %(user_id)s, %(login_expires_at)s)
  ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
)
INSERT INTO refresh_tokens (token_hash, user_id, family, parent, expires_at)
VALUES (%(token_hash)s, %(user_id)s, %(login)s, %(parent)s, %(expires_at)s)

-- name: find_refresh
-- A refresh token, whether its login has ended, and whether a token that it was exchanged for has been used.
SELECT t.family AS login, t.expires_at, t.used_at, l.ended_at IS NOT NULL AS login_ended,
  EXISTS (
    SELECT FROM refresh_tokens given
    WHERE given.family = t.family AND given.parent = t.token_hash AND given.used_at IS NOT NULL
  ) AS successor_used
FROM refresh_tokens t LEFT JOIN logins l ON l.id = t.family
WHERE t.token_hash = %(token_hash)s

-- name: use_refresh
-- Mark a refresh token as used. The time of the first use stays.
UPDATE refresh_tokens SET used_at = coalesce(used_at, %(now)s) WHERE token_hash = %(token_hash)s

-- name: prune_refresh
-- Delete a login's expired refresh tokens, and its oldest ones beyond the limit.
DELETE FROM refresh_tokens WHERE family = %(login)s AND (
  expires_at <= %(now)s OR token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE family = %(login)s ORDER BY expires_at DESC OFFSET %(most)s
  )
)

-- name: end_login
-- End a login, but keep its refresh tokens to recognise them. An older version of this program wrote no login row.
INSERT INTO logins AS l (id, user_id, expires_at, ended_at)
  SELECT family, user_id, max(expires_at), %(now)s FROM refresh_tokens WHERE family = %(login)s GROUP BY family, user_id
ON CONFLICT (id) DO UPDATE SET ended_at = coalesce(l.ended_at, excluded.ended_at)

-- name: drop_login
-- Delete a login with all of its refresh tokens.
WITH dropped AS (
  DELETE FROM refresh_tokens
  WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = %(token_hash)s)
  RETURNING family
)
DELETE FROM logins WHERE id IN (SELECT family FROM dropped)

-- name: drop_logins_of
-- Delete all logins of an account.
WITH dropped AS (
  DELETE FROM refresh_tokens WHERE user_id = %(user_id)s
)
DELETE FROM logins WHERE user_id = %(user_id)s

-- name: drop_expired
-- Delete a few expired tokens and logins of any account. Each new login runs this, so they do not pile up.
WITH tokens AS (
  DELETE FROM refresh_tokens WHERE token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
  )
)
DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED)

-- name: add_reset
-- Add a password-reset token.
INSERT INTO password_resets (token_hash, user_id, expires_at, mailed_at)
VALUES (%(token_hash)s, %(user_id)s, %(expires_at)s, %(mailed_at)s)

-- name: void_resets
-- Void all reset tokens of an account. Rows stay as long as they count towards the limit of mails.
WITH forgotten AS (
  DELETE FROM password_resets WHERE user_id = %(user_id)s AND (mailed_at IS NULL OR mailed_at <= %(counted_from)s)
)
UPDATE password_resets SET expires_at = '-infinity'
WHERE user_id = %(user_id)s AND mailed_at > %(counted_from)s

-- name: reset_not_mailed
-- Let a token that was not mailed no longer count towards the limit of mails.
UPDATE password_resets SET mailed_at = NULL WHERE token_hash = %(token_hash)s

-- name: resets_mailed
-- The number of links mailed to an account since `counted_from`.
SELECT count(*) FROM password_resets WHERE user_id = %(user_id)s AND mailed_at > %(counted_from)s

-- name: lock_reset_owner
-- The account that a reset token belongs to, locked as `lock` does.
SELECT {User} FROM users WHERE id = (SELECT user_id FROM password_resets WHERE token_hash = %(token_hash)s)
FOR NO KEY UPDATE

-- name: reset_works
-- Whether a reset token still works. Run it once the account is locked, since another request may use the token.
SELECT EXISTS (SELECT FROM password_resets WHERE token_hash = %(token_hash)s AND expires_at > %(now)s)

-- name: add_api_key
-- Add an API key, unless the account has the most keys already. The account is locked.
INSERT INTO api_keys (user_id, name, prefix, key_hash, models)
SELECT %(user_id)s, %(name)s, %(prefix)s, %(key_hash)s, %(models)s::text[]
WHERE (SELECT count(*) FROM api_keys WHERE user_id = %(user_id)s) < %(most)s
RETURNING id, name, prefix, models, created_at, last_used_at

-- name: api_keys_of
-- The API keys of an account, oldest first.
SELECT id, name, prefix, models, created_at, last_used_at FROM api_keys WHERE user_id = %(user_id)s ORDER BY created_at, id

-- name: delete_api_key
-- Delete an API key.
DELETE FROM api_keys WHERE id = %(key_id)s AND user_id = %(user_id)s

-- name: api_key_holder
-- The API key with a digest. Its last use is noted once a minute at most.
WITH used AS (
  UPDATE api_keys SET last_used_at = now()
  WHERE key_hash = %(key_hash)s AND coalesce(last_used_at, '-infinity') < now() - interval '1 minute'
)
SELECT id, user_id, models FROM api_keys WHERE key_hash = %(key_hash)s
