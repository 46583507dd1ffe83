-- A session's upstream connections in order, as objects with request_id, socket_ms, sent_ms and reported_ms. They are a
-- column, so that a close writes no other row that could fail beside the bill. Empty: not ended, older, or crashed.
ALTER TABLE transcription_sessions ADD COLUMN upstream_connections JSONB NOT NULL DEFAULT '[]';
