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

-- name: lock_pages
-- Let one page of an account open at a time, over all workers.
SELECT FROM overlays WHERE user_id = %(user_id)s FOR NO KEY UPDATE

-- name: open_page
-- Count a page, unless `most` pages of the account are open.
INSERT INTO overlay_pages (id, user_id, life, expires_at)
SELECT %(id)s, %(user_id)s, %(life)s, clock_timestamp() + make_interval(secs => %(lifetime)s)
WHERE (
  SELECT count(*) FROM overlay_pages WHERE user_id = %(user_id)s AND expires_at > clock_timestamp()
) < %(most)s

-- name: close_page
-- Count a page no longer.
DELETE FROM overlay_pages WHERE id = %(id)s

-- name: renew_pages
-- Keep counting the pages of a worker.
UPDATE overlay_pages SET expires_at = clock_timestamp() + make_interval(secs => %(lifetime)s) WHERE id = ANY (%(ids)s)

-- name: forget_pages
-- Delete the pages of a worker that has ended, and those that have expired long ago.
DELETE FROM overlay_pages WHERE life = %(life)s OR expires_at < clock_timestamp() - interval '1 hour'

-- name: versions
-- The versions of the accounts' valid keys, without blocked accounts.
SELECT user_id, version FROM overlays JOIN users ON id = user_id
WHERE user_id = ANY (%(user_ids)s) AND blocked_at IS NULL
