-- name: by_user
-- The overlay of an account.
SELECT {Overlay} FROM overlays WHERE user_id = %(user_id)s

-- name: by_key
-- The overlay with a key, unless its account is blocked.
SELECT {Overlay} FROM overlays JOIN users ON id = user_id WHERE key = %(key)s AND blocked_at IS NULL

-- name: add
-- Add the overlay of an account; an existing one stays.
INSERT INTO overlays (user_id, key) VALUES (%(user_id)s, %(key)s) ON CONFLICT DO NOTHING

-- name: renew
-- Give an account's overlay a new key, or add the overlay.
INSERT INTO overlays AS o (user_id, key) VALUES (%(user_id)s, %(key)s)
ON CONFLICT (user_id) DO UPDATE SET key = excluded.key, version = o.version + 1
RETURNING {Overlay}

-- name: versions
-- The versions of the accounts' valid keys, without blocked accounts.
SELECT user_id, version FROM overlays JOIN users ON id = user_id
WHERE user_id = ANY (%(user_ids)s) AND blocked_at IS NULL
