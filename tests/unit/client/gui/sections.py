"""Shared by the tests of the section that says where captions come from."""

from collections.abc import Callable

from transcription_client.gui.transcription_mode import TranscriptionModeSection

Open = Callable[..., TranscriptionModeSection]
"""Opens the section with some settings."""
HTML = b"<!doctype html><title>Welcome</title>"
