-- Lock order, which prevents deadlocks: the balance (to end live sessions), then the account's row, then its tokens.

-- name: register
-- A new account; nothing where the address is taken.
INSERT INTO users (email, password_hash) VALUES (%(email)s, %(password_hash)s)
ON CONFLICT (email) DO NOTHING
RETURNING {User}

-- name: by_id
-- An account.
SELECT {User} FROM users WHERE id = %(user_id)s

-- name: by_email
-- An account, by its address in lower case.
SELECT {User} FROM users WHERE email = %(email)s

-- name: credentials
-- An account and what its password is checked against, for a login.
SELECT {Credentials} FROM users WHERE email = %(email)s

-- name: recent
-- The newest accounts with what an operator asks about first: balance, live sessions, whether they are blocked.
SELECT id, email, created_at, blocked_at IS NOT NULL AS blocked, coalesce(seconds_remaining, 0) AS seconds_remaining,
  (SELECT count(*) FROM transcription_sessions s
   WHERE s.user_id = newest.id AND s.status = 'active' AND s.ready_at IS NOT NULL AND s.lease_until > clock_timestamp())
  AS live_sessions
FROM (SELECT * FROM users ORDER BY created_at DESC, id LIMIT %(limit)s) newest
LEFT JOIN credit_balance ON user_id = id
ORDER BY created_at DESC, id

-- name: password_hash
-- What a password is checked against.
SELECT password_hash FROM users WHERE id = %(user_id)s

-- name: lock
-- An account, with the right to change its tokens until the end of the transaction.
SELECT {User} FROM users WHERE id = %(user_id)s
FOR NO KEY UPDATE

-- name: lock_owner
-- The account that a refresh token belongs to, with the same right.
SELECT {User} FROM users WHERE id = (SELECT user_id FROM refresh_tokens WHERE token_hash = %(token_hash)s)
FOR NO KEY UPDATE

-- name: token_holder
-- The account that an access token names, unless the token's epoch or its login is over.
SELECT {User} FROM users
WHERE id = %(user_id)s AND token_version = %(token_version)s
  AND (%(login)s::uuid IS NULL OR EXISTS (SELECT FROM logins WHERE logins.id = %(login)s AND ended_at IS NULL))

-- name: change_password
-- A new password is a new epoch: tokens of the one before are void.
UPDATE users SET password_hash = %(password_hash)s, token_version = token_version + 1, updated_at = now()
WHERE id = %(user_id)s
RETURNING {User}

-- name: rehash
-- Stores the same password in another form: no token ends.
UPDATE users SET password_hash = %(password_hash)s, updated_at = now() WHERE id = %(user_id)s

-- name: block
-- The first moment stays.
UPDATE users SET blocked_at = coalesce(blocked_at, now()), updated_at = now() WHERE id = %(user_id)s

-- name: unblock
-- Tokens that have not expired work again.
UPDATE users SET blocked_at = NULL, updated_at = now() WHERE id = %(user_id)s

-- name: keep_login
-- A login, new or renewed. `expires_at`: when the last of its tokens expires.
INSERT INTO logins (id, user_id, expires_at) VALUES (%(login)s, %(user_id)s, %(expires_at)s)
ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at

-- name: add_refresh
-- A refresh token that has not been used.
INSERT INTO refresh_tokens (token_hash, user_id, family, parent, expires_at)
VALUES (%(token_hash)s, %(user_id)s, %(login)s, %(parent)s, %(expires_at)s)

-- name: find_refresh
-- A refresh token as it is stored, whether its login has ended, and whether a token that it gave has been used.
SELECT t.family AS login, t.expires_at, t.used_at, l.ended_at IS NOT NULL AS login_ended,
  EXISTS (
    SELECT FROM refresh_tokens given
    WHERE given.family = t.family AND given.parent = t.token_hash AND given.used_at IS NOT NULL
  ) AS successor_used
FROM refresh_tokens t LEFT JOIN logins l ON l.id = t.family
WHERE t.token_hash = %(token_hash)s

-- name: use_refresh
-- The first use counts.
UPDATE refresh_tokens SET used_at = coalesce(used_at, %(now)s) WHERE token_hash = %(token_hash)s

-- name: prune_refresh
-- Keeps the newest tokens of a login that have not expired.
DELETE FROM refresh_tokens WHERE family = %(login)s AND (
  expires_at <= %(now)s OR token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE family = %(login)s ORDER BY expires_at DESC OFFSET %(most)s
  )
)

-- name: end_login
-- Ends a login whose refresh tokens must still be recognised. A worker of the version before wrote none.
INSERT INTO logins AS l (id, user_id, expires_at, ended_at)
  SELECT family, user_id, max(expires_at), %(now)s FROM refresh_tokens WHERE family = %(login)s GROUP BY family, user_id
ON CONFLICT (id) DO UPDATE SET ended_at = coalesce(l.ended_at, excluded.ended_at)

-- name: drop_login
-- Ends a login and forgets it with all of its tokens.
WITH dropped AS (
  DELETE FROM refresh_tokens
  WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = %(token_hash)s)
  RETURNING family
)
DELETE FROM logins WHERE id IN (SELECT family FROM dropped)

-- name: drop_logins_of
-- Ends all logins of an account.
WITH dropped AS (
  DELETE FROM refresh_tokens WHERE user_id = %(user_id)s
)
DELETE FROM logins WHERE user_id = %(user_id)s

-- name: drop_expired
-- Forgets a few expired tokens and logins of anybody. Each new login calls it, so they never pile up.
WITH tokens AS (
  DELETE FROM refresh_tokens WHERE token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
  )
)
DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED)

-- name: add_reset
-- A token that buys a new password.
INSERT INTO password_resets (token_hash, user_id, expires_at, mailed_at)
VALUES (%(token_hash)s, %(user_id)s, %(expires_at)s, %(mailed_at)s)

-- name: void_resets
-- All tokens of an account so far, whatever the clock says. They stay only as long as they count as mails.
WITH forgotten AS (
  DELETE FROM password_resets WHERE user_id = %(user_id)s AND (mailed_at IS NULL OR mailed_at <= %(counted_from)s)
)
UPDATE password_resets SET expires_at = '-infinity'
WHERE user_id = %(user_id)s AND mailed_at > %(counted_from)s

-- name: reset_not_mailed
-- It counts no longer.
UPDATE password_resets SET mailed_at = NULL WHERE token_hash = %(token_hash)s

-- name: resets_mailed
-- How many links went to an account's owner lately.
SELECT count(*) FROM password_resets WHERE user_id = %(user_id)s AND mailed_at > %(counted_from)s

-- name: lock_reset_owner
-- The account that a token belongs to, with the right to change its tokens.
SELECT {User} FROM users WHERE id = (SELECT user_id FROM password_resets WHERE token_hash = %(token_hash)s)
FOR NO KEY UPDATE

-- name: reset_works
-- Whether a token still buys a new password. To be asked once the account is locked: another may have used it.
SELECT EXISTS (SELECT FROM password_resets WHERE token_hash = %(token_hash)s AND expires_at > %(now)s)

-- name: overlay
-- The overlay of an account.
SELECT {Overlay} FROM overlays WHERE user_id = %(user_id)s

-- name: overlay_by_key
-- The same by its key; none of a blocked account.
SELECT {Overlay} FROM overlays JOIN users ON id = user_id WHERE key = %(key)s AND blocked_at IS NULL

-- name: add_overlay
-- The first one of an account; one that is there stays.
INSERT INTO overlays (user_id, key) VALUES (%(user_id)s, %(key)s) ON CONFLICT DO NOTHING

-- name: renew_overlay
-- A new key; the old one is forgotten.
INSERT INTO overlays AS o (user_id, key) VALUES (%(user_id)s, %(key)s)
ON CONFLICT (user_id) DO UPDATE SET key = excluded.key, version = o.version + 1
RETURNING {Overlay}

-- name: overlay_versions
-- Which keys are valid now, by the number of each.
SELECT user_id, version FROM overlays JOIN users ON id = user_id
WHERE user_id = ANY (%(user_ids)s) AND blocked_at IS NULL
