"""The pages' module of shared sentences: the table, and nothing that it lacks."""

import json
import re

from transcription_proxy.web.shared_sentences import MODULE
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ENDS, ERRORS, MUTED, PURCHASES


def exports() -> dict[str, dict[str, str] | str]:
    found = re.findall(r'^export const (\w+) = (\{.*?\n\}|".*?");', MODULE, re.MULTILINE | re.DOTALL)
    return {name: json.loads(table) for name, table in found}


def test_it_has_every_text_of_the_table() -> None:
    assert exports() == {
        "END_LABELS": {str(reason): ENDS[reason].label for reason in Reason},
        "END_SENTENCES": {str(reason): ENDS[reason].sentence.full for reason in Reason},
        "ERROR_SENTENCES": {str(code): ERRORS[code].full for code in ErrorCode},
        "PURCHASE_STATES": PURCHASES,
        "MUTED": MUTED,
    }
