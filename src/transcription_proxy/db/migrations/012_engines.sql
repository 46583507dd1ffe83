-- What listened to a session, whatever model its client asked for: 'builtin' or 'deepgram' (metering/engines.py).
-- The built-in engine is the only one that costs nothing unless a RATES_FILE says otherwise. Null: the session is from
-- before costs were kept, so nobody knows.
ALTER TABLE transcription_sessions ADD COLUMN engine TEXT;
UPDATE transcription_sessions SET engine = CASE cost_micro WHEN 0 THEN 'builtin' ELSE 'deepgram' END
  WHERE cost_micro IS NOT NULL;
