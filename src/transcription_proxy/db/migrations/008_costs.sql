-- What the engine takes for a session, for the report. Null: it was opened before costs were kept.
ALTER TABLE transcription_sessions ADD COLUMN cost_micro BIGINT; -- millionths of a dollar a minute of one channel
