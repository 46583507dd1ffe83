"""Interim words that an upstream withdraws, or that the next one does not repeat: the client drops them."""

from typing import Any

from tests.unit.stream.driver import SessionDriver, live, results

TWO = {"channels": 2, "multichannel": True}


def transcripts(driver: SessionDriver) -> list[tuple[str, bool]]:
    return [(each["text"], each["is_final"]) for each in driver.messages_of("transcript")]


def interim(text: str, start: float, duration: float, **more: Any) -> Any:
    return results(text, start, duration, is_final=False, **more)


def final(text: str, start: float, duration: float, **more: Any) -> Any:
    return results(text, start, duration, is_final=True, **more)


def test_the_client_is_sent_the_final_that_takes_words_back() -> None:
    driver = live()
    driver.stream(3)
    driver.handle(interim("hm", 0, 1), final("", 0, 2), final("", 2, 1))
    assert transcripts(driver) == [("hm", False), ("", True)]


def test_another_upstream_that_hears_no_words_there_takes_them_back() -> None:
    driver = live()
    driver.stream(3)
    driver.handle(final("One.", 0, 1), interim("two", 1, 1))
    driver.lose_upstream()
    driver.redial()
    driver.handle(final("", 0, 2))
    assert transcripts(driver) == [("One.", True), ("two", False), ("", True)]
    assert driver.messages_of("transcript")[-1]["start"] == 1
    assert driver.messages_of("transcript")[-1]["duration"] == 2


def test_so_does_one_that_repeats_what_was_final_and_hears_nothing_behind_it() -> None:
    """The second channel was final to 2 s, the first to 1 s: the replay begins at 1 s."""
    driver = live(config=TWO)
    driver.stream(6)
    driver.handle(final("a", 0, 1, channel_index=[0, 2]), final("b", 0, 2, channel_index=[1, 2]))
    driver.handle(interim("hm", 2, 0.5, channel_index=[1, 2]))
    driver.lose_upstream()
    driver.redial()
    driver.handle(final("b", 0, 1.8, channel_index=[1, 2]))
    assert transcripts(driver)[-1] == ("", True)
    assert driver.messages_of("transcript")[-1]["channel"] == [1, 2]
    assert driver.messages_of("transcript")[-1]["start"] == 2


def test_words_that_follow_in_the_final_of_another_upstream_replace_them() -> None:
    driver = live()
    driver.stream(3)
    driver.handle(interim("wan", 0, 1))
    driver.lose_upstream()
    driver.redial()
    driver.handle(final("One.", 0, 1), final("", 1, 1))
    assert transcripts(driver) == [("wan", False), ("One.", True)]


def test_the_last_words_may_be_taken_back_too() -> None:
    driver = live()
    driver.stream(3)
    driver.handle(interim("hm", 0, 1))
    driver.client_sends("stop")
    driver.handle(final("", 0, 3))
    assert transcripts(driver) == [("hm", False), ("", True)]
