-- When a session gave its hold back because its client sends no audio. Where streams run short, it may end then.
ALTER TABLE transcription_sessions ADD COLUMN muted_at TIMESTAMPTZ;
