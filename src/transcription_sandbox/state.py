"""What the sandbox knows, in one SQLite file: what was answered is there after kill -9.

All calls are made from one thread and none of them waits, so a transaction is never seen half done."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transcription_sandbox import names, objects
from transcription_sandbox.refusals import missing

Object = dict[str, Any]
SCHEMA: Final = (Path(__file__).parent / "schema.sql").read_text()
FILTERS: Final = {
    "payment_intent": "json_extract(body, '$.payment_intent') = ?",
    "charge": "json_extract(body, '$.charge') = ?",
    "status": "json_extract(body, '$.status') = ?",
    "customer": "json_extract(body, '$.customer') = ?",
    "email": "json_extract(body, '$.email') = ?",
    "type": "json_extract(body, '$.type') = ?",
    "gt": "created > ?",
    "gte": "created >= ?",
    "lt": "created < ?",
    "lte": "created <= ?",
    "after": "seq < (SELECT seq FROM objects WHERE id = ?)",
    "before": "seq > (SELECT seq FROM objects WHERE id = ?)",
    "expires_by": "json_extract(body, '$.expires_at') <= ?",
}
"""What a list may be narrowed by."""
KEPT: Final = 86400
"""Seconds that an answer is kept for its idempotency key."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The API request that an event follows from."""

    request: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    request: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """`state`: waiting, delivered, given up or nowhere; `outcome`: of the last attempt."""

    state: str
    attempts: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Due:
    """An event to deliver. `at`: not before; `since`: when it was first to be delivered."""

    event: str
    at: float
    round: int
    attempts: int
    since: float

    @property
    def key(self) -> tuple[str, int]:
        return self.event, self.round


class State:
    """`site`: the base of the sandbox's own pages; `endpoint`: where events go, None: nowhere."""

    def __init__(self, path: str | Path, site: str, endpoint: str | None = None) -> None:
        self.site = site
        self.endpoint = endpoint
        self.on_event: Callable[[], None] = lambda: None
        """Called after a commit with something to deliver."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # the kernel keeps what a killed process wrote
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self, now: float, cause: Cause = Cause()) -> Iterator["Records"]:
        """All of it or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        records = Records(self._connection, self, now, cause)
        try:
            yield records
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        if records.told:
            self.on_event()


class Records:
    """One transaction. `now`: Stripe's times are whole seconds."""

    def __init__(self, connection: sqlite3.Connection, state: State, now: float, cause: Cause) -> None:
        self.now = int(now)
        self.site = state.site
        self.told = 0
        self._exactly_now = now
        self.endpoint = state.endpoint
        self._cause = cause
        self._connection = connection

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What was written here is gone when this raises, while the transaction goes on."""
        self._connection.execute("SAVEPOINT part")
        told = self.told
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            self.told = told
            raise
        finally:
            self._connection.execute("RELEASE part")

    def get(self, kind: str, name: str) -> Object:
        """Raises Refused where there is no such object."""
        found = self._connection.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (name, kind)).fetchone()
        if found is None:
            raise missing(kind, name)
        return self._shown(json.loads(found["body"]))

    def beside(self, name: str) -> Object:
        """What was added with an object, and is not shown."""
        found = self._connection.execute("SELECT extra FROM objects WHERE id = ?", (name,)).fetchone()
        return dict(json.loads(found["extra"]))

    def add(self, thing: Object, extra: Mapping[str, Any] | None = None) -> Object:
        self._connection.execute(
            "INSERT INTO objects (id, kind, created, body, extra) VALUES (?, ?, ?, ?, ?)",
            (thing["id"], thing["object"], thing["created"], json.dumps(thing), json.dumps(extra or {})),
        )
        return thing

    def put(self, thing: Object) -> Object:
        self._connection.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(thing), thing["id"]))
        return thing

    def listed(
        self, kind: str, narrow: Mapping[str, str | int] | None = None, limit: int = 100, *, oldest_first: bool = False
    ) -> list[Object]:
        """Newest first. `narrow`: names of FILTERS with their values."""
        clauses = ["kind = ?", *(FILTERS[name] for name in narrow or {})]
        order = "seq" if oldest_first else "seq DESC"
        rows = self._connection.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?",  # noqa: S608 - ours
            (kind, *(narrow or {}).values(), limit),
        )
        return [self._shown(json.loads(row["body"])) for row in rows.fetchall()]

    def tell(self, kind: str, thing: Object, before: Object | None = None) -> None:
        """Writes an event down, to be delivered once this is committed. `before`: the object as it was."""
        name = names.new("event")
        event = objects.event(name, kind, thing, before, self.now, (self._cause.request, self._cause.idempotency_key))
        self.add(event)
        self._connection.execute(
            "INSERT INTO deliveries (event, due, since, state) VALUES (?, ?, ?, ?)",
            (
                name,
                self._exactly_now if self.endpoint else None,
                self._exactly_now,
                "waiting" if self.endpoint else "nowhere",
            ),
        )
        self.told += 1

    def answer(self, key: str) -> Answer | None:
        """What was answered to this idempotency key within a day."""
        self._connection.execute("DELETE FROM answers WHERE created < ?", (self.now - KEPT,))
        row = self._connection.execute("SELECT request, status, body FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer(*row) if row else None

    def keep_answer(self, key: str, answer: Answer) -> None:
        self._connection.execute(
            "INSERT INTO answers (key, request, status, body, created) VALUES (?, ?, ?, ?, ?)",
            (key, answer.request, answer.status, answer.body, self.now),
        )

    def due(self, most: int = 100) -> list[Due]:
        """What is to be delivered now or later, soonest first."""
        rows = self._connection.execute(
            "SELECT event, due, round, attempts, since FROM deliveries WHERE due IS NOT NULL ORDER BY due, seq LIMIT ?",
            (most,),
        )
        return [Due(*row) for row in rows.fetchall()]

    def delivered(self, due: Due, outcome: str) -> None:
        self._deliver(due, "delivered", outcome, None)

    def given_up(self, due: Due, outcome: str) -> None:
        self._deliver(due, "given up", outcome, None)

    def put_off(self, due: Due, outcome: str, until: float) -> None:
        self._deliver(due, "waiting", outcome, until)

    def _deliver(self, due: Due, state: str, outcome: str, until: float | None) -> None:
        """Nothing is changed where somebody has asked for it again meanwhile."""
        self._connection.execute(
            "UPDATE deliveries SET state = ?, outcome = ?, due = ?, attempts = attempts + 1"
            " WHERE event = ? AND round = ?",
            (state, outcome, until, *due.key),
        )

    def send_again(self, event: str) -> None:
        """From now on, for a day. Raises Refused where there is no such event."""
        self.get("event", event)
        if self.endpoint:
            self._connection.execute(
                "UPDATE deliveries SET state = 'waiting', due = ?1, since = ?1, attempts = 0, round = round + 1"
                " WHERE event = ?2",
                (self._exactly_now, event),
            )
            self.told += 1

    def deliveries(self, limit: int) -> list[tuple[Object, "Delivery"]]:
        """The last events, newest first, with what became of them."""
        rows = self._connection.execute(
            "SELECT event, state, attempts, outcome FROM deliveries ORDER BY seq DESC LIMIT ?", (limit,)
        )
        return [
            (self.get("event", row["event"]), Delivery(row["state"], row["attempts"], row["outcome"]))
            for row in rows.fetchall()
        ]

    def _shown(self, thing: Object) -> Object:
        if thing["object"] == "event":
            row = self._connection.execute("SELECT due FROM deliveries WHERE event = ?", (thing["id"],)).fetchone()
            thing["pending_webhooks"] = int(row["due"] is not None)
        return thing
