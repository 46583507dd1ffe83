-- Purchases, what Stripe says about their payments, and work that must outlive a process.
CREATE TABLE purchases (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id),
  package_id TEXT NOT NULL,
  label TEXT NOT NULL,
  seconds INTEGER NOT NULL CHECK (seconds > 0),
  amount_cents BIGINT NOT NULL CHECK (amount_cents >= 0), -- what was asked
  currency TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'pending', 'failed', 'expired', 'paid')),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  checkout_session TEXT UNIQUE,                           -- null until Stripe has answered
  checkout_url TEXT,
  payment_intent TEXT,                                    -- a free order has none
  asked_at TIMESTAMPTZ,                                   -- when Stripe was last asked about it
  paid_at TIMESTAMPTZ,
  paid_cents BIGINT,                                      -- less than asked with a promotion code
  refunded_cents BIGINT NOT NULL DEFAULT 0,
  seconds_taken INTEGER NOT NULL DEFAULT 0,               -- by refunds and lost disputes
  seconds_frozen INTEGER NOT NULL DEFAULT 0,              -- by open disputes
  receipt_url TEXT,
  CONSTRAINT purchases_paid CHECK ((status = 'paid') = (paid_at IS NOT NULL) AND (status = 'paid') = (paid_cents IS NOT NULL)),
  CONSTRAINT purchases_claimed CHECK (
    seconds_taken >= 0 AND seconds_frozen >= 0 AND seconds_taken + seconds_frozen <= CASE status WHEN 'paid' THEN seconds ELSE 0 END
  )
);
CREATE INDEX purchases_user ON purchases(user_id, created_at DESC);
CREATE INDEX purchases_payment ON purchases(payment_intent) WHERE payment_intent IS NOT NULL;
CREATE INDEX purchases_paid_at ON purchases(paid_at) WHERE paid_at IS NOT NULL;

-- What Stripe said of a payment's charge, a refund or a dispute: the furthest state seen, whatever the order.
CREATE TABLE payment_claims (
  id TEXT PRIMARY KEY,                                    -- ch_, re_, dp_
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'dispute')),
  standing INTEGER NOT NULL,                              -- payments/standing.py
  payment_intent TEXT,
  charge TEXT,
  cents BIGINT NOT NULL CHECK (cents >= 0),               -- of a charge: the highest amount_refunded seen
  of_cents BIGINT NOT NULL DEFAULT 0 CHECK (of_cents >= 0), -- of a charge: its whole amount
  currency TEXT NOT NULL,
  purchase_id UUID                                        -- as its metadata say
);
CREATE INDEX payment_claims_payment ON payment_claims(payment_intent) WHERE payment_intent IS NOT NULL;
CREATE INDEX payment_claims_charge ON payment_claims(charge) WHERE charge IS NOT NULL;
CREATE INDEX payment_claims_purchase ON payment_claims(purchase_id) WHERE purchase_id IS NOT NULL;

-- Each event of Stripe's, once. Its body is kept only while it is unmatched.
CREATE TABLE stripe_events (
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL,
  object_id TEXT,
  received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  unmatched TEXT,                                         -- why
  body TEXT,                                              -- JSON, as it was signed
  CONSTRAINT stripe_events_body CHECK ((unmatched IS NULL) = (body IS NULL))
);
CREATE INDEX stripe_events_unmatched ON stripe_events(received_at) WHERE unmatched IS NOT NULL;

ALTER TABLE usage_ledger ADD COLUMN purchase_id UUID REFERENCES purchases(id);
CREATE INDEX usage_ledger_purchase ON usage_ledger(purchase_id) WHERE purchase_id IS NOT NULL;
CREATE UNIQUE INDEX usage_ledger_one_credit ON usage_ledger(purchase_id)
  WHERE purchase_id IS NOT NULL AND description = 'credit_purchase';

CREATE TABLE jobs (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  run_at TIMESTAMPTZ NOT NULL DEFAULT now(),              -- while one runs: when it counts as lost
  tries INTEGER NOT NULL DEFAULT 0,
  UNIQUE (kind, key)
);
CREATE INDEX jobs_due ON jobs(run_at);
