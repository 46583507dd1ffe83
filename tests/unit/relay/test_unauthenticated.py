"""Which socket must go when too many have not authenticated."""

from transcription_proxy.relay.unauthenticated import Unauthenticated


def test_a_thousand_sockets_of_one_address_do_not_shut_out_another() -> None:
    waiting = Unauthenticated[str](most=1000)
    gone = [waiting.add(f"flood {number}", "192.0.2.1") for number in range(1500)]
    assert gone == [None] * 1000 + [f"flood {number}" for number in range(500)]
    assert waiting.add("guest", "192.0.2.2") == "flood 500"
    assert [waiting.add(f"more {number}", "192.0.2.1") for number in range(2)] == ["flood 501", "flood 502"]
    assert "guest" in waiting
    assert len(waiting) == 1000


def test_the_oldest_goes_when_each_address_has_one() -> None:
    waiting = Unauthenticated[str](most=2)
    assert [waiting.add(name, name) for name in ("a", "b", "c")] == [None, None, "a"]


def test_who_authenticates_makes_room() -> None:
    waiting = Unauthenticated[str](most=1)
    assert waiting.add("a", "192.0.2.1") is None
    waiting.discard("a")
    waiting.discard("a")
    assert waiting.add("b", "192.0.2.1") is None
    assert list(waiting) == ["b"]
