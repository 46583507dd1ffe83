"""What the sessions of an API key have used, and its limit: in all, or per day in UTC.

A key's row is only changed while its user's balance row is locked, so that no second lock is needed."""
