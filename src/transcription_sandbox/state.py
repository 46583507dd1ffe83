"""The sandbox's state, in one SQLite file, so that a killed sandbox has lost nothing.

All calls are made from one thread and none of them waits, so a transaction is never seen half done."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transcription_sandbox import objects
from transcription_sandbox.errors import not_found

Object = dict[str, Any]
SCHEMA: Final = (Path(__file__).parent / "schema.sql").read_text()
FILTERS: Final = {
    "payment_intent": "json_extract(body, '$.payment_intent') = ?",
    "charge": "json_extract(body, '$.charge') = ?",
    "status": "json_extract(body, '$.status') = ?",
    "email": "json_extract(body, '$.email') = ?",
    "type": "json_extract(body, '$.type') = ?",
    "gte": "created >= ?",
    "after": "seq < (SELECT seq FROM objects WHERE id = ?)",
    "expires_by": "json_extract(body, '$.expires_at') <= ?",
}
"""Conditions by which objects are found."""
ANSWER_SECONDS: Final = 86400
"""How long an answer is stored for its idempotency key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API. `request`: a hash of what was asked."""

    request: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one event. `state`: waiting, delivered, given up or nowhere. `outcome`: of the last attempt."""

    state: str
    attempts: int
    outcome: str


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """An event to deliver. `at`: not before this time. `since`: when it was first due. Unix seconds."""

    event: str
    at: float
    round: int
    attempts: int
    since: float

    @property
    def key(self) -> tuple[str, int]:
        """Identifies the delivery: an event may be sent again in another round."""
        return self.event, self.round


class State:
    """`site`: the URL that the sandbox's pages begin with. `webhook_url`: where events go, None for nowhere."""

    def __init__(self, path: str | Path, site: str, webhook_url: str | None = None) -> None:
        self.site = site
        self.webhook_url = webhook_url
        self.on_event: Callable[[], None] = lambda: None
        """Called after a commit with something to deliver."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # the kernel keeps what a killed process wrote
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self, now: float) -> Iterator["Records"]:
        """Yield the records, and commit what is changed there unless an exception is raised. `now`: Unix seconds."""
        self._connection.execute("BEGIN IMMEDIATE")
        records = Records(self._connection, self, now)
        try:
            yield records
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        if records.has_events:
            self.on_event()


class Records:
    """The state within one transaction. `now`: whole Unix seconds, as Stripe's times are."""

    def __init__(self, connection: sqlite3.Connection, state: State, now: float) -> None:
        self.now = int(now)
        self.site = state.site
        self.webhook_url = state.webhook_url
        self.has_events = False
        self._exactly_now = now
        self._connection = connection

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo what was changed within this context if an exception is raised. The transaction continues."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            raise
        finally:
            self._connection.execute("RELEASE part")

    def get(self, kind: str, name: str) -> Object:
        """Return an object by its id. Raise ApiError if there is none of that kind."""
        row = self._connection.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (name, kind)).fetchone()
        if row is None:
            raise not_found(kind, name)
        return dict(json.loads(row["body"]))

    def get_extra(self, name: str) -> Object:
        """Return what was added with an object and is not part of it."""
        row = self._connection.execute("SELECT extra FROM objects WHERE id = ?", (name,)).fetchone()
        return dict(json.loads(row["extra"]))

    def add(self, thing: Object, extra: Mapping[str, Any] | None = None) -> Object:
        """Insert a new object, and return it."""
        self._connection.execute(
            "INSERT INTO objects (id, kind, created, body, extra) VALUES (?, ?, ?, ?, ?)",
            (thing["id"], thing["object"], thing["created"], json.dumps(thing), json.dumps(extra or {})),
        )
        return thing

    def put(self, thing: Object) -> Object:
        """Update an object, and return it."""
        self._connection.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(thing), thing["id"]))
        return thing

    def find(self, kind: str, where: Mapping[str, str | int] | None = None, limit: int = 100) -> list[Object]:
        """Return objects of a kind, newest first. `where`: names of FILTERS with their values."""
        clauses = ["kind = ?", *(FILTERS[name] for name in where or {})]
        rows = self._connection.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - ours
            (kind, *(where or {}).values(), limit),
        )
        return [json.loads(row["body"]) for row in rows.fetchall()]

    def add_event(self, kind: str, thing: Object) -> None:
        """Add an event about an object, to be delivered once this transaction has committed."""
        event = self.add(objects.event(self.now, kind, thing))
        due, state = (self._exactly_now, "waiting") if self.webhook_url else (None, "nowhere")
        self._connection.execute(
            "INSERT INTO deliveries (event, due, since, state) VALUES (?, ?, ?, ?)",
            (event["id"], due, self._exactly_now, state),
        )
        self.has_events = True

    def stored_answer(self, key: str) -> Answer | None:
        """Return the answer that was stored for an idempotency key within ANSWER_SECONDS."""
        self._connection.execute("DELETE FROM answers WHERE created < ?", (self.now - ANSWER_SECONDS,))
        row = self._connection.execute("SELECT request, status, body FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer(*row) if row else None

    def store_answer(self, key: str, answer: Answer) -> None:
        """Store the answer for an idempotency key."""
        self._connection.execute(
            "INSERT INTO answers (key, request, status, body, created) VALUES (?, ?, ?, ?, ?)",
            (key, answer.request, answer.status, answer.body, self.now),
        )

    def due(self) -> list[DueDelivery]:
        """Return up to 100 deliveries that are due now or later, soonest first."""
        rows = self._connection.execute(
            "SELECT event, due, round, attempts, since FROM deliveries"
            " WHERE due IS NOT NULL ORDER BY due, seq LIMIT 100"
        )
        return [DueDelivery(*row) for row in rows.fetchall()]

    def mark_delivered(self, due: DueDelivery, outcome: str) -> None:
        """Record that the endpoint took an event."""
        self._update(due, "delivered", outcome, None)

    def give_up(self, due: DueDelivery, outcome: str) -> None:
        """Record that an event will not be sent any more."""
        self._update(due, "given up", outcome, None)

    def postpone(self, due: DueDelivery, outcome: str, until: float) -> None:
        """Record a failed attempt, and when to try again."""
        self._update(due, "waiting", outcome, until)

    def _update(self, due: DueDelivery, state: str, outcome: str, until: float | None) -> None:
        """Record an attempt, unless the event has been asked for again meanwhile."""
        self._connection.execute(
            "UPDATE deliveries SET state = ?, outcome = ?, due = ?, attempts = attempts + 1"
            " WHERE event = ? AND round = ?",
            (state, outcome, until, *due.key),
        )

    def send_again(self, event: str) -> None:
        """Make an event due now, in a new round. Raise ApiError for an unknown event."""
        self.get("event", event)
        if self.webhook_url:
            self._connection.execute(
                "UPDATE deliveries SET state = 'waiting', due = ?1, since = ?1, attempts = 0, round = round + 1"
                " WHERE event = ?2",
                (self._exactly_now, event),
            )
            self.has_events = True

    def deliveries(self, limit: int) -> list[tuple[Object, Delivery]]:
        """Return the last events, newest first, with what became of them."""
        rows = self._connection.execute(
            "SELECT event, state, attempts, outcome FROM deliveries ORDER BY seq DESC LIMIT ?", (limit,)
        )
        return [
            (self.get("event", row["event"]), Delivery(row["state"], row["attempts"], row["outcome"]))
            for row in rows.fetchall()
        ]
