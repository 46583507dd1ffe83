"""The words of the stand-in are as many and as often as Deepgram's."""

import json
from itertools import pairwise

from bench.upstream import results


def test_every_third_results_is_final() -> None:
    assert [json.loads(results(second))["is_final"] for second in range(6)] == [False, False, True] * 2


def test_each_results_has_twelve_words_within_its_time() -> None:
    for second in range(6):
        message = json.loads(results(second))
        words = message["channel"]["alternatives"][0]["words"]
        assert len(words) == 12
        assert message["start"] <= words[0]["start"]
        assert words[-1]["end"] <= message["start"] + message["duration"] == second + 1


def test_finals_follow_each_other_without_a_gap() -> None:
    finals = [json.loads(results(second)) for second in range(2, 12, 3)]
    assert all(after["start"] == before["start"] + before["duration"] for before, after in pairwise(finals))
