-- Whose purchase each is, and by which names Stripe knows it. The rows of `purchases` may lie on several nodes; this
-- small table stays on one, so that no Checkout Session has two purchases, whosever they are, and a webhook, which names
-- no user, finds the user to ask for.
CREATE TABLE purchase_owners (
  purchase_id UUID PRIMARY KEY,
  user_id UUID NOT NULL,
  checkout_session TEXT UNIQUE,
  payment_intent TEXT
);
INSERT INTO purchase_owners SELECT id, user_id, checkout_session, payment_intent FROM purchases;
CREATE INDEX purchase_owners_payment ON purchase_owners (payment_intent) WHERE payment_intent IS NOT NULL;
