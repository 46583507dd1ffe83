"""What a developer sees: all payments with what can be done to them, and the events that followed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from transcription_proxy.sandbox import money
from transcription_proxy.sandbox.markup import Html, joined, page, tag, when
from transcription_proxy.sandbox.state import Delivery, Object

GOOD: Final = ("Paid", "Free", "succeeded", "won", "warning_closed", "delivered")
BAD: Final = ("Failed", "Declined", "Disputed", "failed", "lost", "needs_response", "given up")


@dataclass(frozen=True, slots=True)
class Payment:
    """A session, and what came of it. `what`: the first thing that it sells."""

    session: Object
    what: str
    charge: Object | None
    refunds: Sequence[Object]
    disputes: Sequence[Object]

    @property
    def status(self) -> str:
        session, charge = self.session, self.charge
        if session["status"] != "complete":
            return "Declined" if session["status"] == "open" and charge else session["status"].capitalize()
        if session["payment_status"] == "no_payment_required":
            return "Free"
        if charge is None or charge["status"] != "succeeded":
            return "Failed" if charge and charge["status"] == "failed" else "Pending"
        if charge["disputed"]:
            return "Disputed"
        if charge["refunded"]:
            return "Refunded"
        return "Partly refunded" if charge["amount_refunded"] else "Paid"


def dashboard(
    root: str,
    payments: Sequence[Payment],
    events: Sequence[tuple[Object, Delivery]],
    *,
    older: str | None = None,
    endpoint: str | None = None,
    error: str | None = None,
) -> Html:
    """`older`: the session that the next page of payments begins after."""
    body = tag(
        """<header class="head"><h1>Payments</h1>
<nav class="row"><a href="#events">Events</a> <a href="{root}/">Refresh</a></nav></header>
{error}
<div class="columns">
<section aria-label="Payments">{payments}{older}</section>
<section aria-labelledby="events"><h2 id="events">Events</h2><p class="hint">{endpoint}</p>{events}</section>
</div>""",
        root=root,
        error=tag('<p class="notice bad" role="alert">{}</p>', error) if error else Html(),
        payments=joined(_payment(root, one) for one in payments) or Html('<p class="empty">No payments yet.</p>'),
        older=tag('<p><a href="{}/?before={}">Older payments</a></p>', root, older) if older else Html(),
        endpoint=f"Delivered to {endpoint}" if endpoint else "No webhook endpoint is set. Events are only listed here.",
        events=_events(root, events, again=endpoint is not None),
    )
    return page(root, "Payments (sandbox)", body)


def _payment(root: str, payment: Payment) -> Html:
    session = payment.session
    details = session["customer_details"] or {}
    return tag(
        """<article class="card payment" id="{id}" aria-label="{total}, {email}">
<div class="row apart"><p class="sum">{total}</p>{status}</div>
<p>{email}<br><span class="hint">{what} · {when}</span></p>
{actions}{refunds}{disputes}
<p class="hint ids"><code>{id}</code> {intent}</p>
</article>""",
        id=session["id"],
        total=money.shown(session["amount_total"], session["currency"]),
        email=details.get("email") or "No email yet",
        status=_state(payment.status),
        what=payment.what,
        when=when(session["created"]),
        intent=tag("<code>{}</code>", session["payment_intent"]) if session["payment_intent"] else Html(),
        actions=_actions(root, payment),
        refunds=joined(_refund(root, one) for one in payment.refunds),
        disputes=joined(_dispute(root, one) for one in payment.disputes),
    )


def _actions(root: str, payment: Payment) -> Html:
    session, charge, disputes = payment.session, payment.charge, payment.disputes
    if session["status"] == "open":
        return tag('<p><a class="button quiet" href="{}/c/pay/{}">Open checkout</a></p>', root, session["id"])
    if charge is None:
        return Html()
    if charge["status"] == "pending":
        buttons = _buttons({"settle": "Settle", "fail": "Fail"})
        return tag('<form method="post" action="{}/payments/{}" class="row">{}</form>', root, session["id"], buttons)
    left = charge["amount"] - charge["amount_refunded"]
    charged_back = any(not dispute["is_charge_refundable"] for dispute in disputes)
    if charge["status"] != "succeeded" or left == 0 or charged_back:
        return Html()
    return tag(
        """<form method="post" action="{root}/payments/{id}" class="row">
<input type="hidden" name="refunded" value="{refunded}">
<label class="unseen" for="amount-{id}">Amount</label>
<input id="amount-{id}" name="amount" value="{left}" inputmode="decimal" class="amount" autocomplete="off">
{buttons}</form>""",
        root=root,
        id=session["id"],
        refunded=charge["amount_refunded"],
        left=_plain(left, charge["currency"]),
        buttons=_buttons(
            {"refund": "Refund"} if disputes else {"refund": "Refund", "dispute": "Dispute", "inquiry": "Inquiry"}
        ),
    )


def _refund(root: str, refund: Object) -> Html:
    actions = {
        "pending": {"succeed": "Succeed", "fail": "Fail", "cancel": "Cancel"},
        "succeeded": {"fail": "Fail"},
    }.get(refund["status"], {})
    return _part(root, f"refunds/{refund['id']}", "Refund", refund, actions)


def _dispute(root: str, dispute: Object) -> Html:
    inquiry = dispute["status"].startswith("warning_")
    actions = {
        "warning_needs_response": {"escalate": "Escalate", "win": "Close"},
        "needs_response": {"win": "Win", "lose": "Lose", "reinstate": "Reinstate funds"},
        "lost": {"reinstate": "Reinstate funds"},
    }.get(dispute["status"], {})
    if sum(movement["amount"] for movement in dispute["balance_transactions"]) >= 0:
        actions = {name: words for name, words in actions.items() if name != "reinstate"}
    return _part(root, f"disputes/{dispute['id']}", "Inquiry" if inquiry else "Dispute", dispute, actions)


def _part(root: str, path: str, noun: str, thing: Object, actions: dict[str, str]) -> Html:
    return tag(
        """<form method="post" action="{root}/{path}" class="part"><span>{noun} of {amount}</span> {state}
<span class="row">{buttons}</span></form>""",
        root=root,
        path=path,
        noun=noun,
        amount=money.shown(thing["amount"], thing["currency"]),
        state=_state(thing["status"]),
        buttons=_buttons(actions),
    )


def _events(root: str, events: Sequence[tuple[Object, Delivery]], *, again: bool) -> Html:
    if not events:
        return Html('<p class="empty">No events yet.</p>')
    return tag('<ol class="events">{}</ol>', joined(_event(root, *one, again=again) for one in events))


def _event(root: str, event: Object, delivery: Delivery, *, again: bool) -> Html:
    tries = f"after {delivery.attempts} tries: " if delivery.attempts > 1 else ""
    said = f" ({tries}{delivery.outcome})" if delivery.outcome else ""
    button = tag(
        """<form method="post" action="{root}/events/{id}">
<button class="button quiet small" aria-label="Send {type} again">Send again</button></form>""",
        root=root,
        id=event["id"],
        type=event["type"],
    )
    return tag(
        """<li id="{id}"><div><p><strong>{type}</strong></p><p class="hint"><code>{object}</code></p>
<div class="row">{state}<span class="hint">{when}</span></div></div>{button}</li>""",
        id=event["id"],
        type=event["type"],
        object=event["data"]["object"]["id"],
        when=when(event["created"]),
        state=_state(delivery.state, said),
        button=button if again else Html(),
    )


def _state(word: str, more: str = "") -> Html:
    kind = "good" if word in GOOD else "bad" if word in BAD else ""
    return tag('<p class="state {}">{}{}</p>', kind, word.replace("_", " "), more)


def _buttons(actions: dict[str, str]) -> Html:
    return joined(
        tag('<button class="button quiet small" name="action" value="{}">{}</button>', name, words)
        for name, words in actions.items()
    )


def _plain(amount: int, currency: str) -> str:
    return str(amount) if currency in money.WITHOUT_CENTS else f"{amount // 100}.{amount % 100:02}"
