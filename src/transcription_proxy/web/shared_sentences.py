"""The sentences that the pages share with server and client, as an ES module made from transcription_wire's tables."""

import json
from typing import Final

from transcription_wire.sentences import ENDS, ERRORS, MUTED, PURCHASES


def _module() -> str:
    texts = {
        "END_LABELS": {reason: end.label for reason, end in ENDS.items()},
        "END_SENTENCES": {reason: end.sentence.full for reason, end in ENDS.items()},
        "ERROR_SENTENCES": {code: sentence.full for code, sentence in ERRORS.items()},
        "PURCHASE_STATES": PURCHASES,
        "MUTED": MUTED,
    }
    exports = [f"export const {name} = {json.dumps(table, indent=2)};\n" for name, table in texts.items()]
    return "".join(["/** Made by web/shared_sentences.py. */\n", *exports])


MODULE: Final = _module()
"""Served as /static/shared-sentences.js."""
