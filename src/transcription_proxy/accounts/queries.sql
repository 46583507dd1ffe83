-- Whoever changes an account's tokens locks its row first, and then no balance: so none of them waits in a circle.

-- name: register
-- A new account; nothing where the address is taken.
INSERT INTO users (email, password_hash) VALUES (%(email)s, %(password_hash)s)
ON CONFLICT (email) DO NOTHING
RETURNING id, email, token_version, blocked_at, created_at

-- name: by_id
-- An account.
SELECT id, email, token_version, blocked_at, created_at FROM users WHERE id = %(user_id)s

-- name: by_email
-- An account, by its address in lower case.
SELECT id, email, token_version, blocked_at, created_at FROM users WHERE email = %(email)s

-- name: recent
-- The newest accounts.
SELECT id, email, token_version, blocked_at, created_at FROM users ORDER BY created_at DESC, id LIMIT %(limit)s

-- name: password_hash
-- What a password is checked against.
SELECT password_hash FROM users WHERE id = %(user_id)s

-- name: lock
-- An account, with the right to change its tokens until the end of the transaction.
SELECT id, email, token_version, blocked_at, created_at FROM users WHERE id = %(user_id)s
FOR NO KEY UPDATE

-- name: lock_owner
-- The same for the account that a refresh token belongs to.
SELECT u.id, u.email, u.token_version, u.blocked_at, u.created_at
FROM refresh_tokens t JOIN users u ON u.id = t.user_id
WHERE t.token_hash = %(token_hash)s
FOR NO KEY UPDATE OF u

-- name: change_password
-- A new password is a new epoch: tokens of the one before are void.
UPDATE users SET password_hash = %(password_hash)s, token_version = token_version + 1, updated_at = now()
WHERE id = %(user_id)s
RETURNING id, email, token_version, blocked_at, created_at

-- name: block
-- The first moment stays.
UPDATE users SET blocked_at = coalesce(blocked_at, now()), updated_at = now() WHERE id = %(user_id)s

-- name: unblock
-- Tokens that have not expired work again.
UPDATE users SET blocked_at = NULL, updated_at = now() WHERE id = %(user_id)s

-- name: add_refresh
-- A refresh token that has not been used.
INSERT INTO refresh_tokens (token_hash, user_id, family, expires_at)
VALUES (%(token_hash)s, %(user_id)s, %(family)s, %(expires_at)s)

-- name: find_refresh
-- A refresh token as it is stored.
SELECT family, expires_at, used_at FROM refresh_tokens WHERE token_hash = %(token_hash)s

-- name: use_refresh
-- It works once.
UPDATE refresh_tokens SET used_at = %(now)s WHERE token_hash = %(token_hash)s

-- name: revoke_family
-- All that came from one login. They stay, so that a later use is recognised as well.
UPDATE refresh_tokens SET used_at = coalesce(used_at, %(now)s) WHERE family = %(family)s

-- name: drop_family
-- The end of one login.
DELETE FROM refresh_tokens WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = %(token_hash)s)

-- name: drop_all_of
-- The end of all logins of an account.
DELETE FROM refresh_tokens WHERE user_id = %(user_id)s

-- name: drop_expired
-- A few of anybody's, at each login: so they never pile up.
DELETE FROM refresh_tokens WHERE token_hash IN (
  SELECT token_hash FROM refresh_tokens WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
)
