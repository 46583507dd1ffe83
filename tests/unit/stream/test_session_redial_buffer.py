"""How much audio is kept for a replay."""

from tests.unit.stream.driver import (
    SECOND,
    live,
    noise,
    results,
)
from tests.unit.stream.losses import final, lost

# The ring


def test_reading_pauses_when_30_s_are_kept_and_goes_on_with_the_upstream() -> None:
    driver = lost(under_way=True)
    audio = noise(29)
    driver.frame(audio[:-2])
    assert not driver.paused
    driver.frame(audio[-2:])
    assert driver.paused
    driver.open_upstream()
    assert driver.upstream_audio == noise(2)[SECOND:] + audio[: len(driver.upstream_audio) - SECOND]
    for _ in range(3):
        driver.wait(1)
    assert driver.upstream_audio == noise(2)[SECOND:] + audio
    assert not driver.paused


def test_of_more_than_30_s_without_a_final_the_last_30_are_replayed() -> None:
    driver = live()
    audio = noise(42)
    for begin in range(0, len(audio) - 2 * SECOND, SECOND):
        driver.wait(1)
        driver.frame(audio[begin : begin + SECOND])
        driver.handle(results("and so on", 0.0, begin / SECOND))
    assert not driver.paused
    driver.lose_upstream()
    assert driver.paused
    driver.frame(audio[40 * SECOND : 41 * SECOND])
    driver.redial()
    assert not driver.paused
    driver.frame(audio[41 * SECOND :])
    assert driver.upstream_audio == audio[10 * SECOND :]
    driver.handle(final("the end", 29.0, 1.0))
    assert driver.messages_of("transcript")[-1]["start"] == 39.0


def test_a_burst_while_settles_fail_is_not_kept_as_far_as_its_hold_goes() -> None:
    """Here 82 s: what 30 s of a replay and 8 s more need is all that stays."""
    driver = live(grant=90, remaining=5000)
    driver.ledger = driver.failing
    driver.frame(bytes(8 * SECOND))
    driver.ledger = driver.silent
    driver.wait(1)
    kept = []
    for _ in range(10 * 82):
        driver.frame()
        kept.append(len(driver.session._upstream.buffer))
    assert len(driver.sent) == 90 * SECOND
    assert max(kept) <= 38 * SECOND


def test_a_huge_frame_that_waits_takes_no_room_from_what_may_be_replayed() -> None:
    driver = live(grant=20)
    driver.ledger = driver.silent
    audio = noise(50)
    driver.frame(audio[: 5 * SECOND])
    driver.frame(audio[5 * SECOND :])
    assert len(driver.sent) == 10 * SECOND
    driver.handle(driver.granted(driver.settlements[-1], 10))
    driver.lose_upstream()
    assert driver.paused
    driver.redial()
    assert driver.upstream_audio == audio[: 10 * SECOND]


def test_a_flood_of_requests_pauses_reading() -> None:
    driver = lost()
    for _ in range(64):
        driver.frame(b"ab")
        driver.client_sends("finalize")
    assert driver.paused
    driver.redial()
    assert not driver.paused
    assert driver.texts == ["Finalize"] * 64
    assert driver.upstream_audio == noise(2)[SECOND:] + b"ab" * 64


def test_odd_frames_are_cut_at_a_sample_in_a_replay() -> None:
    driver = live()
    audio = noise(1)
    driver.frame(audio[:9999])
    driver.frame(audio[9999:20_001])
    driver.handle(final("one", 0.0, 0.4))
    driver.lose_upstream()
    driver.frame(audio[20_001:])
    driver.redial()
    assert driver.upstream_audio == audio[12_800:]
