"""The plan of faults, a pure function of a seed. Faults of one lane follow one another; lanes overlap."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

CALM_BEFORE: Final = 6.0
"""Seconds, so that there is something to break."""
SHORTEST_GAP: Final = 1.5
LONGEST_GAPS: Final = {"processes": 30.0, "database": 30.0, "upstream": 12.0, "network": 15.0, "clients": 8.0}
"""On average: in longer runs crashes and a lost database come alone too, not only together."""
SHORT, LASTING = (0.3, 0.6, 1.0), (0.2, 0.4, 0.6)
"""Shares of the connections: what lasts leaves some alone, so that there is always life."""
LONG_RUN: Final = 300.0
"""Seconds from which on a worker may be suspended for longer than a lease."""

LANES: Final[Mapping[str, Mapping[str, float]]] = {
    "processes": {"worker_killed": 3, "everything_killed": 4, "drained": 12, "worker_paused": 20},
    "database": {
        "db_killed": 3,
        "db_restarted": 3,
        "db_unreachable": 30,
        "db_slow": 10,
        "db_cut": 0,
        "db_frozen": 12,
        "db_clock_jumps": 20,
    },
    "upstream": {
        "up_closed_net0000": 0,
        "up_closed_net0001": 0,
        "up_closed_1000": 0,
        "up_reset": 0,
        "up_stalled": 18,
        "up_refuses": 14,
        "up_slow": 8,
        "up_deaf": 12,
        "up_frozen": 15,
    },
    "network": {"net_cut": 0, "net_frozen": 25, "net_slow": 8, "net_refuses": 3},
    "clients": {
        "client_vanishes": 0,
        "client_deaf": 0,
        "client_drips": 0,
        "client_babbles": 0,
        "client_floods": 0,
        "client_mute": 0,
        "credits_granted": 0,
        "session_ended": 0,
        "user_blocked": 0,
    },
}
"""Kinds of faults by lane, each with the seconds that it keeps its lane busy."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `seconds` from the start; `share` of the connections it befalls; `luck` decides on which."""

    at: float
    kind: str
    seconds: float
    share: float
    luck: int

    def __str__(self) -> str:
        lasts = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.at:7.1f} s  {self.kind}{lasts}"


def plan(seed: int, seconds: float) -> list[Fault]:
    """All faults of a run, in order of time; none begins or lasts beyond its end."""
    lanes = (_lane(random.Random(f"{seed} {name}"), name, seconds) for name in LANES)
    return sorted(chain.from_iterable(lanes), key=lambda fault: fault.at)


def _lane(luck: random.Random, lane: str, seconds: float) -> list[Fault]:
    """Each kind once in random order, then each once again, as long as there is time."""
    kinds = LANES[lane]
    calm = (seconds - CALM_BEFORE - sum(kinds.values())) / len(kinds)
    gap = min(max(calm, SHORTEST_GAP), LONGEST_GAPS[lane])
    faults: list[Fault] = []
    deck: list[str] = []
    at = CALM_BEFORE + luck.uniform(0, gap)
    while True:
        deck = deck or luck.sample(sorted(kinds), len(kinds))
        kind = deck.pop()
        lasts = kinds[kind]
        if kind == "worker_paused" and seconds >= LONG_RUN and luck.random() < 0.5:
            lasts = 70
        if at + lasts > seconds:
            return faults
        share = luck.choice(LASTING if lasts >= 10 else SHORT)
        faults.append(Fault(round(at, 1), kind, lasts, share, luck.getrandbits(32)))
        at += lasts + gap * luck.uniform(0.4, 1.4)
