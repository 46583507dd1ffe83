"""The texts that server, client and pages share: one for every word of the contract."""

from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ENDS, ERRORS, Sentence


def test_every_reason_and_every_error_has_one() -> None:
    assert set(ENDS) == set(Reason)
    assert set(ERRORS) == set(ErrorCode)


def test_sentences_end_with_a_period_and_labels_without() -> None:
    sentences = [*ERRORS.values(), *(end.sentence for end in ENDS.values())]
    assert all(each.what.endswith(".") and (not each.next or each.next.endswith(".")) for each in sentences)
    assert not [end.label for end in ENDS.values() if end.label.endswith(".") or len(end.label) > 28]


def test_what_to_do_next_follows_what_happened() -> None:
    assert Sentence("It broke.", "Try again.").full == "It broke. Try again."
    assert Sentence("It broke.").full == "It broke."
