-- Lock order, which prevents deadlocks: the payment (lock_payment), then the purchase, then the user's balance.
-- Stripe names no users: `purchase_owners` finds the user of a purchase, whose rows may lie on another node.

-- name: lock_payment
-- Lock a payment by each id it is known by, over all hosts, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.payment.' || name, 0))
FROM (SELECT DISTINCT unnest(%(names)s::text[]) AS name ORDER BY name) names

-- name: open_purchase
-- The user's open purchase of the same package that was begun within the last moments, for a double click.
SELECT {Purchase} FROM purchases
WHERE user_id = %(user_id)s AND package_id = %(package_id)s AND (seconds, amount_cents) = (%(seconds)s, %(cents)s)
  AND status = 'open' AND created_at > now() - %(within)s
ORDER BY created_at DESC LIMIT 1

-- name: own_purchase
-- Note whose purchase it is and how Stripe names it; a name that is known stays. Return its Checkout Session; no row
-- where the purchase or the Checkout Session is another user's or another purchase's.
INSERT INTO purchase_owners AS o (purchase_id, user_id, checkout_session, payment_intent)
SELECT %(id)s, %(user_id)s, %(checkout_session)s::text, %(payment_intent)s::text
WHERE NOT EXISTS (
  SELECT FROM purchase_owners WHERE checkout_session = %(checkout_session)s AND purchase_id <> %(id)s
)
ON CONFLICT (purchase_id) DO UPDATE SET
  checkout_session = coalesce(o.checkout_session, excluded.checkout_session),
  payment_intent = coalesce(o.payment_intent, excluded.payment_intent)
WHERE o.user_id = excluded.user_id
RETURNING checkout_session

-- name: owner_of_purchase
-- Whose purchase it is, by its id.
SELECT {Owner} FROM purchase_owners WHERE purchase_id = %(id)s

-- name: owner_of_checkout
-- Whose purchase belongs to a Checkout Session: by the session, or by the purchase id in its metadata if that has no
-- session yet.
SELECT {Owner} FROM purchase_owners
WHERE checkout_session = %(checkout_session)s OR (purchase_id = %(id)s AND checkout_session IS NULL)
ORDER BY checkout_session NULLS LAST LIMIT 1

-- name: owner_of_payment
-- Whose purchase belongs to a claim: by the payment, by the payment of the claim's charge, or by the purchase id in its
-- metadata if that purchase has no payment yet.
SELECT {Owner} FROM purchase_owners
WHERE payment_intent = %(payment_intent)s
  OR payment_intent = ANY (ARRAY(SELECT payment_intent FROM payment_claims WHERE charge = %(charge)s))
  OR (purchase_id = %(id)s AND (payment_intent IS NULL OR %(payment_intent)s::text IS NULL))
ORDER BY payment_intent IS NOT DISTINCT FROM %(payment_intent)s DESC LIMIT 1

-- name: unowned
-- Purchases that a worker of version 0.2 wrote beside this one, during an upgrade: it knows no `purchase_owners`.
SELECT id AS purchase_id, user_id, checkout_session, payment_intent FROM purchases
WHERE (id = %(id)s OR checkout_session = %(checkout_session)s OR payment_intent = %(payment_intent)s
    OR payment_intent = ANY (ARRAY(SELECT payment_intent FROM payment_claims WHERE charge = %(charge)s)))
  AND NOT EXISTS (
    SELECT FROM purchase_owners o
    WHERE o.purchase_id = id AND o.checkout_session IS NOT DISTINCT FROM purchases.checkout_session
      AND o.payment_intent IS NOT DISTINCT FROM purchases.payment_intent
  )

-- name: add_purchase
-- Add a purchase: before Stripe is asked for its checkout (money 27), or for a Checkout Session without a purchase.
INSERT INTO purchases (id, user_id, package_id, label, seconds, amount_cents, currency, checkout_session)
VALUES (%(id)s, %(user_id)s, %(package_id)s, %(label)s, %(seconds)s, %(cents)s, %(currency)s, %(checkout_session)s)
RETURNING {Purchase}

-- name: set_checkout
-- Store the Checkout Session that Stripe created, unless the purchase has another. A webhook may have been first.
UPDATE purchases SET checkout_session = %(session_id)s, checkout_url = %(url)s
WHERE id = %(id)s AND user_id = %(user_id)s AND coalesce(checkout_session, %(session_id)s) = %(session_id)s

-- name: purchase
-- A user's purchase by its id.
SELECT {Purchase} FROM purchases WHERE id = %(id)s AND user_id = %(user_id)s

-- name: set_status
-- Set a purchase's status, Checkout Session and payment. The first paid_at and paid_cents stay.
UPDATE purchases
SET status = %(status)s, checkout_session = coalesce(checkout_session, %(session_id)s),
  payment_intent = coalesce(payment_intent, %(payment_intent)s), receipt_url = coalesce(%(receipt_url)s, receipt_url),
  paid_at = CASE WHEN %(status)s = 'paid' THEN coalesce(paid_at, now()) END,
  paid_cents = CASE WHEN %(status)s = 'paid' THEN coalesce(paid_cents, %(paid_cents)s) END
WHERE id = %(id)s AND user_id = %(user_id)s
RETURNING {Purchase}

-- name: set_standing
-- Set what refunds and disputes have taken and frozen of a purchase.
UPDATE purchases SET seconds_taken = %(taken)s, seconds_frozen = %(frozen)s, refunded_cents = %(refunded)s
WHERE id = %(id)s AND user_id = %(user_id)s

-- name: lost
-- Seconds of a purchase that disputes have taken so far.
SELECT -coalesce(sum(seconds), 0) FROM usage_ledger
WHERE purchase_id = %(id)s AND user_id = %(user_id)s AND description = 'dispute'

-- name: begin_lookup
-- Note that Stripe is asked about a purchase now, unless it was asked within the last `pause`.
UPDATE purchases SET asked_at = now()
WHERE id = %(id)s AND user_id = %(user_id)s AND (asked_at IS NULL OR asked_at < now() - %(pause)s OR asked_at > now())
RETURNING id

-- name: merge_claim
-- Add a claim, or advance it to the furthest state seen.
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
-- Whether a claim was seen in this state or a later one.
SELECT EXISTS (SELECT FROM payment_claims WHERE id = %(id)s AND standing >= %(standing)s)

-- name: refunds_of_charge
-- The sum of a charge's known refunds that have not failed, pending ones included, as the charge itself counts them.
SELECT coalesce(sum(cents), 0)::bigint FROM payment_claims
WHERE charge = %(charge)s AND kind = 'refund' AND standing < 2

-- name: pending
-- Checkout Sessions whose payment is pending, which takes up to two weeks for some means of payment.
SELECT checkout_session FROM purchases WHERE status = 'pending' AND checkout_session IS NOT NULL
ORDER BY created_at LIMIT 1000

-- name: open_claims
-- Pending refunds, and open inquiries and disputes, of our purchases. Some stay open for months.
SELECT DISTINCT claim.id, claim.kind FROM payment_claims claim JOIN purchases USING (payment_intent)
WHERE (claim.kind = 'refund' AND claim.standing = 0) OR (claim.kind = 'dispute' AND claim.standing < 2)
ORDER BY claim.id LIMIT 1000

-- name: claims
-- All claims on a purchase's payment. Metadata of another payment may name the purchase as well; it does not count.
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
-- A user's purchases, newest first, without abandoned checkouts; with `before_at`, those that follow that row.
SELECT {Purchase} FROM purchases WHERE user_id = %(user_id)s AND status IN ('pending', 'failed', 'paid')
  AND (%(before_at)s::timestamptz IS NULL OR (created_at, id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY created_at DESC, id DESC LIMIT %(limit)s

-- name: spent
-- What a user paid for purchases of the last days, up to today in a time zone, less what was refunded.
SELECT coalesce(sum(coalesce(paid_cents, amount_cents) - refunded_cents), 0)::bigint FROM purchases
WHERE user_id = %(user_id)s AND status = 'paid'
  AND created_at >= ((clock_timestamp() AT TIME ZONE %(tz)s)::date - %(days)s::integer + 1)::timestamp AT TIME ZONE %(tz)s

-- name: add_event
-- Add an event; no row where it was added before. Waits for another transaction that adds it at the same time.
INSERT INTO stripe_events (id, type, object_id) VALUES (%(id)s, %(type)s, %(object_id)s)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: keep_event
-- Keep an event that could not be matched: why, and its body to be tried again.
UPDATE stripe_events SET unmatched = %(why)s, body = %(body)s WHERE id = %(id)s

-- name: match_event
-- Mark a kept event as matched.
UPDATE stripe_events SET unmatched = NULL, body = NULL WHERE id = %(id)s

-- name: match_claims
-- Mark the kept events of these claims as matched.
UPDATE stripe_events SET unmatched = NULL, body = NULL
WHERE object_id = ANY (%(claims)s) AND unmatched IS NOT NULL

-- name: unmatched
-- The newest kept events, oldest first, so that old ones that will never match do not hide new ones.
SELECT id, type, object_id, received_at, unmatched AS why, body FROM (
  SELECT * FROM stripe_events WHERE unmatched IS NOT NULL ORDER BY received_at DESC, id DESC LIMIT %(limit)s
) newest
ORDER BY received_at, id

-- name: buyer
-- An account as Stripe is told about it.
SELECT {Buyer} FROM users WHERE id = %(user_id)s

-- name: set_customer
-- Set an account's Stripe customer, unless another one was set meanwhile, or the customer is another user's.
UPDATE users SET stripe_customer_id = %(customer)s, updated_at = now()
WHERE id = %(user_id)s AND stripe_customer_id IS NOT DISTINCT FROM %(instead_of)s
  AND NOT EXISTS (SELECT FROM users WHERE stripe_customer_id = %(customer)s)

-- name: open_address
-- The email address of an account; none of a blocked one.
SELECT email FROM users WHERE id = %(user_id)s AND blocked_at IS NULL

-- name: balance_credited
-- The balance right after a purchase was added to it.
SELECT balance_after FROM usage_ledger
WHERE purchase_id = %(id)s AND user_id = %(user_id)s AND description = 'credit_purchase'

-- name: audit_frozen
-- A user's seconds_frozen is the sum of what is frozen of the user's purchases.
SELECT u.id AS subject, 'frozen ' || coalesce(b.seconds_frozen, 0) || ', of purchases ' || coalesce(frozen, 0) AS detail
FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id LEFT JOIN (
  SELECT user_id, sum(seconds_frozen) AS frozen FROM purchases GROUP BY user_id
) disputed ON disputed.user_id = u.id
WHERE coalesce(b.seconds_frozen, 0) <> coalesce(frozen, 0)

-- name: audit_purchases
-- A paid purchase has one credit, of its seconds and user. What was taken back is the sum of its claw-backs, at most that.
SELECT coalesce(p.id, rows.purchase_id) AS subject, coalesce(p.status, 'not there') || ', ' || coalesce(p.seconds, 0)
  || ' s, taken ' || coalesce(p.seconds_taken, 0) || ': ' || coalesce(credits, 0) || ' credits of ' || coalesce(credited, 0)
  || ' s, claw-backs of ' || coalesce(clawed, 0) || ' s' AS detail
FROM purchases p FULL JOIN (
  SELECT purchase_id, user_id,
    count(*) FILTER (WHERE description = 'credit_purchase') AS credits,
    sum(seconds) FILTER (WHERE description = 'credit_purchase') AS credited,
    -sum(seconds) FILTER (WHERE description IN ('refund', 'dispute')) AS clawed
  FROM usage_ledger WHERE purchase_id IS NOT NULL GROUP BY purchase_id, user_id
) rows ON rows.purchase_id = p.id AND rows.user_id = p.user_id
WHERE p.id IS NULL OR coalesce(credits, 0) <> (p.status = 'paid')::integer
  OR coalesce(credited, 0) <> CASE p.status WHEN 'paid' THEN p.seconds ELSE 0 END
  OR coalesce(clawed, 0) <> p.seconds_taken OR coalesce(clawed, 0) NOT BETWEEN 0 AND coalesce(credited, 0)

-- name: audit_checkouts
-- A Checkout Session belongs to one purchase, of all users' (money 27).
SELECT min(id::text)::uuid AS subject, count(*) || ' purchases of the Checkout Session ' || checkout_session AS detail
FROM purchases WHERE checkout_session IS NOT NULL GROUP BY checkout_session HAVING count(*) > 1
