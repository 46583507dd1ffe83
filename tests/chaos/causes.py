"""Tables of which fault can cause which end, and how long after it. An end without a cause is a violation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

LINGER: Final = 15.0
"""Seconds for which a fault can still have effects: timeouts of 5 and 10 s, and their retries."""
LINGERS: Final[Mapping[str, float]] = {"upstream_closed": 45.0, "unreached": 5.0, "broken": 5.0, "silence": 5.0}
"""Exceptions: the watchdog and redials take 15 and 20 s longer, and a broken connection shows at once."""
NOTICED: Final = 45.0
"""Seconds in which the service detects a client that vanished silently: two pings of 10 s, and a margin."""
RECOVERS: Final = 10.0
"""Seconds after which a database that is back has taken all settles: a timeout of 6 s, and a retry."""
HINDSIGHT: Final = 2.0
"""Seconds by which a fault may be noted late."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A fault, as it really happened."""

    kind: str
    begin: float
    end: float

    @property
    def last(self) -> float:
        """When the fault's immediate effect ended. A killed process dies at once."""
        return self.begin if self.kind in {"worker_killed", "everything_killed"} else self.end

    def since(self, moment: float) -> "Cause":
        return Cause(self.kind, self.begin - moment, self.end - moment)

    def may_explain(self, earliest: float, latest: float, linger: float = LINGER) -> bool:
        """Return whether the fault can have caused something between `earliest` and `latest`."""
        return self.begin - HINDSIGHT <= latest and earliest <= self.end + linger


DATABASE: Final = frozenset(
    {"db_killed", "db_restarted", "db_unreachable", "db_slow", "db_cut", "db_frozen", "everything_killed"}
)
AWAY: Final = DATABASE - {"db_slow", "everything_killed"}
"""Faults during which settles fail, so that they are lost with their process or arrive late."""
CRASHES: Final = frozenset({"worker_killed", "everything_killed", "worker_paused"})
NETWORK: Final = frozenset({"net_cut", "net_frozen", "net_slow", "net_refuses"})
UPSTREAM: Final = frozenset(
    {
        "up_closed_net0000",
        "up_closed_net0001",
        "up_closed_1000",
        "up_reset",
        "up_stalled",
        "up_refuses",
        "up_slow",
        "up_deaf",
        "up_frozen",
    }
)

EXPLAINS: Final[Mapping[str, frozenset[str]]] = {
    # reasons of ends
    "client_gone": frozenset({"worker_paused"}),
    "ended_by_operator": frozenset({"session_ended", "user_blocked"}),
    "upstream_closed": UPSTREAM | {"worker_paused"},
    "service_restart": CRASHES | {"drained"},
    "too_slow": frozenset({"worker_paused"}),
    "database_away": DATABASE,
    "lease_expired": frozenset({"worker_paused"}),
    # errors of refusals
    "unauthorized": frozenset({"user_blocked"}),
    "auth_timeout": NETWORK | {"worker_paused"},
    "upstream_unavailable": UPSTREAM | {"worker_paused"},
    "service_unavailable": DATABASE | {"drained"},
    # nothing was said: no connection could be made; it ended; it was there
    "unreached": CRASHES | NETWORK | {"drained", "client_deaf"},
    "broken": frozenset({"worker_killed", "everything_killed"}),
    "silence": frozenset({"worker_paused"}),
    # others
    "crash": CRASHES,
    "undelivered": frozenset({"up_frozen", "up_deaf"}),
    "suspension": frozenset({"worker_paused"}),
}
"""What is not here is never explained by a fault: `internal`, `idle`, `busy`, `invalid_config` ...
What is done to the network of one client is noted with that client."""


def explained(what: str, causes: Iterable[Cause], earliest: float, latest: float) -> bool:
    """Return whether one of the causes can have caused it between `earliest` and `latest`."""
    kinds, linger = EXPLAINS.get(what, frozenset()), LINGERS.get(what, LINGER)
    return any(cause.kind in kinds and cause.may_explain(earliest, latest, linger) for cause in causes)


def without_database(causes: Iterable[Cause], earliest: float, latest: float) -> bool:
    """Whether the database may have been away just before a process died, at some time from `earliest` to `latest`."""
    known = list(causes)
    crashes = [cause for cause in known if cause.kind in CRASHES | {"drained"} and cause.may_explain(earliest, latest)]
    return any(
        away.begin <= crash.last and crash.begin <= away.end + RECOVERS
        for away in known
        for crash in crashes
        if away.kind in AWAY
    )
