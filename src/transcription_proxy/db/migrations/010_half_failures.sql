-- The late close of a session that the reaper ended under a live relay, and one row whose update proves that writing works.
ALTER TABLE transcription_sessions
  ADD COLUMN hold_released INTEGER; -- credits that the reaper released; its own relay may still bill them (money 21)

CREATE TABLE write_probe (
  id BOOLEAN PRIMARY KEY DEFAULT true CHECK (id),
  written_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO write_probe DEFAULT VALUES;
