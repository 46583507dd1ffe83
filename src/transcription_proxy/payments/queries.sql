-- Lock order: the payment (lock_payment), then the user's balance, then the purchase, which is only changed under it.

-- name: lock_payment
-- One transaction at a time for each of these names of a payment, over all hosts, until it commits.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.payment.' || name, 0))
FROM (SELECT DISTINCT unnest(%(names)s::text[]) AS name ORDER BY name) names

-- name: open_purchase
-- The user's purchase of the same thing that was begun just now and is still open: a double click.
SELECT id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url
FROM purchases
WHERE user_id = %(user_id)s AND package_id = %(package_id)s AND (seconds, amount_cents) = (%(seconds)s, %(cents)s)
  AND status = 'open' AND created_at > now() - %(within)s
ORDER BY created_at DESC LIMIT 1

-- name: add_purchase
-- Written before Stripe is asked (money 27), or for a session of Stripe's that we have no row of.
INSERT INTO purchases (id, user_id, package_id, label, seconds, amount_cents, currency, checkout_session)
VALUES (%(id)s, %(user_id)s, %(package_id)s, %(label)s, %(seconds)s, %(cents)s, %(currency)s, %(checkout_session)s)
RETURNING id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url

-- name: set_checkout
-- What Stripe answered. A webhook may have told the session before. One that is another purchase's is not taken.
UPDATE purchases SET checkout_session = %(session_id)s, checkout_url = %(url)s
WHERE id = %(id)s AND coalesce(checkout_session, %(session_id)s) = %(session_id)s
  AND NOT EXISTS (SELECT FROM purchases WHERE checkout_session = %(session_id)s AND id <> %(id)s)

-- name: purchase_of_checkout
-- By its Checkout Session, or by the id in its metadata while it has none of its own.
SELECT id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url
FROM purchases
WHERE checkout_session = %(session_id)s OR (id = %(purchase_id)s AND checkout_session IS NULL)
ORDER BY checkout_session NULLS LAST LIMIT 1

-- name: purchase_of_payment
-- By the payment, or what is known of its charge, or the id in a claim's metadata while it has no payment of its own.
SELECT id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url
FROM purchases
WHERE payment_intent = %(payment_intent)s
  OR payment_intent = ANY (ARRAY(SELECT payment_intent FROM payment_claims WHERE charge = %(charge)s))
  OR (id = %(purchase_id)s AND (payment_intent IS NULL OR %(payment_intent)s::text IS NULL))
ORDER BY payment_intent IS NOT DISTINCT FROM %(payment_intent)s DESC LIMIT 1

-- name: purchase
-- As it is now; the user's balance is locked.
SELECT id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url
FROM purchases WHERE id = %(id)s

-- name: set_status
-- The session, its payment, and how far it got. Paid is paid once.
UPDATE purchases
SET status = %(status)s, checkout_session = coalesce(checkout_session, %(session_id)s),
  payment_intent = coalesce(payment_intent, %(payment_intent)s), receipt_url = coalesce(%(receipt_url)s, receipt_url),
  paid_at = CASE WHEN %(status)s = 'paid' THEN coalesce(paid_at, now()) END,
  paid_cents = CASE WHEN %(status)s = 'paid' THEN coalesce(paid_cents, %(paid_cents)s) END
WHERE id = %(id)s

-- name: set_standing
-- What refunds and disputes have of it.
UPDATE purchases SET seconds_taken = %(taken)s, seconds_frozen = %(frozen)s, refunded_cents = %(refunded)s
WHERE id = %(id)s

-- name: lost
-- Seconds that disputes have taken of it so far.
SELECT -coalesce(sum(seconds), 0) FROM usage_ledger WHERE purchase_id = %(id)s AND description = 'dispute'

-- name: ask
-- Whether Stripe may be asked about it now: not more often than every few seconds.
UPDATE purchases SET asked_at = now()
WHERE id = %(id)s AND (asked_at IS NULL OR asked_at < now() - %(pause)s OR asked_at > now())
RETURNING id

-- name: merge_claim
-- The furthest state of it that was seen.
INSERT INTO payment_claims (id, kind, standing, payment_intent, charge, cents, of_cents, currency, purchase_id)
VALUES (%(id)s, %(kind)s, %(standing)s, %(payment_intent)s, %(charge)s, %(cents)s, %(of_cents)s, %(currency)s,
  %(purchase_id)s)
ON CONFLICT (id) DO UPDATE SET
  standing = greatest(payment_claims.standing, excluded.standing),
  payment_intent = coalesce(payment_claims.payment_intent, excluded.payment_intent),
  charge = coalesce(payment_claims.charge, excluded.charge),
  cents = greatest(payment_claims.cents, excluded.cents),
  of_cents = greatest(payment_claims.of_cents, excluded.of_cents),
  purchase_id = coalesce(payment_claims.purchase_id, excluded.purchase_id)

-- name: knows_claim
-- Whether a claim was seen as far as this.
SELECT EXISTS (SELECT FROM payment_claims WHERE id = %(id)s AND standing >= %(standing)s)

-- name: refunds_of_charge
-- What the refunds come to that are known by their ids and stand, those under way included, as the charge counts them.
SELECT coalesce(sum(cents), 0)::bigint FROM payment_claims
WHERE charge = %(charge)s AND kind = 'refund' AND standing < 2

-- name: pending
-- Sessions whose payment takes its time: for some means of payment two weeks.
SELECT checkout_session FROM purchases WHERE status = 'pending' AND checkout_session IS NOT NULL
ORDER BY created_at LIMIT 1000

-- name: open_claims
-- Refunds that are under way, inquiries and disputes, of purchases of ours: some take months.
SELECT DISTINCT claim.id, claim.kind FROM payment_claims claim JOIN purchases USING (payment_intent)
WHERE (claim.kind = 'refund' AND claim.standing = 0) OR (claim.kind = 'dispute' AND claim.standing < 2)
ORDER BY claim.id LIMIT 1000

-- name: claims
-- Everything known of a purchase's payment. Its id may stand in the metadata of another payment too.
WITH named AS (
  SELECT id, charge FROM payment_claims
  WHERE payment_intent = %(payment_intent)s
    OR (purchase_id = %(id)s AND (payment_intent IS NULL OR %(payment_intent)s::text IS NULL))
)
SELECT id, kind, standing, payment_intent, charge, cents, of_cents, currency, purchase_id
FROM payment_claims
WHERE id = ANY (ARRAY(SELECT id FROM named)) OR charge = ANY (ARRAY(SELECT charge FROM named))
ORDER BY id

-- name: purchases
-- A user's, newest first, those that were never paid left out; with `before_at`, those that follow that row.
SELECT id, user_id, package_id, label, seconds, amount_cents, currency, status, created_at, checkout_session,
  checkout_url, payment_intent, paid_cents, refunded_cents, seconds_taken, seconds_frozen, receipt_url
FROM purchases WHERE user_id = %(user_id)s AND status IN ('pending', 'failed', 'paid')
  AND (%(before_at)s::timestamptz IS NULL OR (created_at, id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY created_at DESC, id DESC LIMIT %(limit)s

-- name: spent
-- What a user paid for purchases of the last days, up to today in a time zone, less what was refunded.
SELECT coalesce(sum(coalesce(paid_cents, amount_cents) - refunded_cents), 0)::bigint FROM purchases
WHERE user_id = %(user_id)s AND status = 'paid'
  AND created_at >= ((clock_timestamp() AT TIME ZONE %(tz)s)::date - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s

-- name: take_event
-- Nothing where the event was taken before. One that another transaction takes now is waited for.
INSERT INTO stripe_events (id, type, object_id) VALUES (%(id)s, %(type)s, %(object_id)s)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: keep_event
-- Why it could not be matched, and its body, to be tried again.
UPDATE stripe_events SET unmatched = %(why)s, body = %(body)s WHERE id = %(id)s

-- name: match_event
-- It has found its purchase.
UPDATE stripe_events SET unmatched = NULL, body = NULL WHERE id = %(id)s

-- name: match_claims
-- The events of claims that waited for this purchase.
UPDATE stripe_events SET unmatched = NULL, body = NULL
WHERE object_id = ANY (%(claims)s) AND unmatched IS NOT NULL

-- name: unmatched
-- The newest, oldest first: those that will never match do not hide those that may.
SELECT id, type, object_id, received_at, unmatched, body FROM (
  SELECT * FROM stripe_events WHERE unmatched IS NOT NULL ORDER BY received_at DESC, id DESC LIMIT %(limit)s
) newest
ORDER BY received_at, id

-- name: buyer
-- Whom Stripe is told about.
SELECT id, email, stripe_customer_id FROM users WHERE id = %(user_id)s

-- name: set_customer
-- Unless another one was set meanwhile, or it is another user's.
UPDATE users SET stripe_customer_id = %(customer)s, updated_at = now()
WHERE id = %(user_id)s AND stripe_customer_id IS NOT DISTINCT FROM %(instead_of)s
  AND NOT EXISTS (SELECT FROM users WHERE stripe_customer_id = %(customer)s)

-- name: open_address
-- Where mail to an account goes; nothing for one that is blocked.
SELECT email FROM users WHERE id = %(user_id)s AND blocked_at IS NULL

-- name: balance_credited
-- The balance right after a purchase was added to it.
SELECT balance_after FROM usage_ledger WHERE purchase_id = %(purchase_id)s AND description = 'credit_purchase'
