"""Interim words that an upstream takes back, itself or by way of another one: no client keeps them."""

from typing import Any

from tests.unit.stream.stage import Stage, live, results

TWO = {"channels": 2, "multichannel": True}


def transcripts(stage: Stage) -> list[tuple[str, bool]]:
    return [(each["text"], each["is_final"]) for each in stage.told("transcript")]


def interim(text: str, start: float, duration: float, **more: Any) -> Any:
    return results(text, start, duration, is_final=False, **more)


def final(text: str, start: float, duration: float, **more: Any) -> Any:
    return results(text, start, duration, is_final=True, **more)


def test_the_client_is_sent_the_final_that_takes_words_back() -> None:
    stage = live()
    stage.stream(3)
    stage.tell(interim("hm", 0, 1), final("", 0, 2), final("", 2, 1))
    assert transcripts(stage) == [("hm", False), ("", True)]


def test_another_upstream_that_hears_no_words_there_takes_them_back() -> None:
    stage = live()
    stage.stream(3)
    stage.tell(final("One.", 0, 1), interim("two", 1, 1))
    stage.lose()
    stage.redial()
    stage.tell(final("", 0, 2))
    assert transcripts(stage) == [("One.", True), ("two", False), ("", True)]
    assert stage.told("transcript")[-1]["start"] == 1
    assert stage.told("transcript")[-1]["duration"] == 2


def test_so_does_one_that_repeats_what_was_final_and_hears_nothing_behind_it() -> None:
    """The second channel was final to 2 s, the first to 1 s: the replay begins at 1 s."""
    stage = live(config=TWO)
    stage.stream(6)
    stage.tell(final("a", 0, 1, channel_index=[0, 2]), final("b", 0, 2, channel_index=[1, 2]))
    stage.tell(interim("hm", 2, 0.5, channel_index=[1, 2]))
    stage.lose()
    stage.redial()
    stage.tell(final("b", 0, 1.8, channel_index=[1, 2]))
    assert transcripts(stage)[-1] == ("", True)
    assert stage.told("transcript")[-1]["channel"] == [1, 2]
    assert stage.told("transcript")[-1]["start"] == 2


def test_words_that_follow_in_the_final_of_another_upstream_replace_them() -> None:
    stage = live()
    stage.stream(3)
    stage.tell(interim("wan", 0, 1))
    stage.lose()
    stage.redial()
    stage.tell(final("One.", 0, 1), final("", 1, 1))
    assert transcripts(stage) == [("wan", False), ("One.", True)]


def test_the_last_words_may_be_taken_back_too() -> None:
    stage = live()
    stage.stream(3)
    stage.tell(interim("hm", 0, 1))
    stage.say("stop")
    stage.tell(final("", 0, 3))
    assert transcripts(stage) == [("hm", False), ("", True)]
