-- What decides the price of a session beside its model, and what reconciliation compares.
ALTER TABLE transcription_sessions
  ADD COLUMN addons TEXT[] NOT NULL DEFAULT '{}', -- paid options that the session opened with
  ADD COLUMN sent_seconds NUMERIC(15,3);          -- audio sent upstream; null: not ended, or older than the column
