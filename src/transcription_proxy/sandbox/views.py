"""What a customer sees: the checkout page, the end of it, and a receipt. Pure."""

from collections.abc import Sequence
from typing import Final

from transcription_proxy.sandbox import money
from transcription_proxy.sandbox.markup import Html, joined, page, tag, when
from transcription_proxy.sandbox.state import Object

BUTTONS: Final = """<button class="button" name="action" value="pay">Pay</button>
<p class="hint">Succeeds immediately, like a card.</p>
<button class="button quiet" name="action" value="later">Pay later</button>
<p class="hint">Stays pending, like a bank debit. Settle or fail it in the <a href="{root}/">sandbox</a>.</p>
<button class="button quiet" name="action" value="decline">Decline</button>
<p class="hint">Simulates a declined card. You can try again.</p>"""
NOTHING_DUE: Final = Html(
    '<button class="button" name="action" value="pay">Pay</button><p class="hint">Nothing is due.</p>'
)
CLOSED: Final = {
    "paid": ("Already paid", "This checkout is complete. You won't be charged twice."),
    "no_payment_required": ("Already complete", "Nothing was due."),
    "unpaid": ("Payment pending", "This checkout is complete. You won't be charged twice."),
    "expired": ("Checkout expired", "You weren't charged. Go back to the site to start again."),
}
"""Title and text, by what was paid, or expired."""


def checkout(
    root: str,
    shop: str,
    session: Object,
    lines: Sequence[Object],
    error: str | None = None,
    wrong_code: str | None = None,
) -> Html:
    """An open session. `shop`: who is paid; `wrong_code`: what is wrong with the promotion code that was given."""
    currency = session["currency"]
    body = tag(
        """<div class="checkout">
<section class="order" aria-labelledby="order">
<h1 id="order"><span class="what">Pay {shop}</span> <span class="sum">{total}</span></h1>
<ul class="lines">{lines}</ul>
{sums}
{code}
</section>
<section class="card" aria-labelledby="how">
<h2 id="how">How should this test payment go?</h2>
{error}
<form method="post" action="{root}/c/pay/{id}" class="stack">
{email}
{buttons}
</form>
{cancel}
</section>
</div>""",
        root=root,
        shop=shop,
        id=session["id"],
        total=money.shown(session["amount_total"], currency),
        lines=joined(_line(line) for line in lines),
        sums=_sums(session),
        code=_code(root, session, wrong_code) if session["allow_promotion_codes"] else Html(),
        error=tag('<p class="notice bad" role="alert">{}</p>', error) if error else Html(),
        email=_email(session),
        buttons=tag(BUTTONS, root=root) if session["amount_total"] else NOTHING_DUE,
        cancel=_cancel(session["cancel_url"]),
    )
    return page(root, f"Pay {shop} {money.shown(session['amount_total'], currency)} (sandbox)", body)


def _line(line: Object) -> Html:
    quantity = line["quantity"]
    each = tag(
        '<span class="hint">{} × {}</span>',
        quantity,
        money.shown(line["amount_subtotal"] // quantity, line["currency"]),
    )
    return tag(
        '<li><span>{} {}</span> <span class="figure">{}</span></li>',
        line["description"],
        each if quantity > 1 else Html(),
        money.shown(line["amount_subtotal"], line["currency"]),
    )


def _sums(session: Object) -> Html:
    off, currency = session["total_details"]["amount_discount"], session["currency"]
    if not off:
        return Html()
    return tag(
        '<dl class="sums"><div><dt>Discount</dt><dd>-{}</dd></div><div><dt>Total</dt><dd>{}</dd></div></dl>',
        money.shown(off, currency),
        money.shown(session["amount_total"], currency),
    )


def _code(root: str, session: Object, wrong: str | None) -> Html:
    if session["discounts"]:
        return tag(
            """<form method="post" action="{root}/c/pay/{id}" class="code">
<button class="link" name="action" value="no-code">Remove promotion code</button></form>""",
            root=root,
            id=session["id"],
        )
    return tag(
        """<form method="post" action="{root}/c/pay/{id}" class="code">
<label for="code">Promotion code</label>
<div class="row"><input id="code" name="code" required maxlength="40" autocomplete="off"
aria-describedby="codes"{invalid}>
<button class="button quiet" name="action" value="code">Apply</button></div>
{wrong}<p class="hint" id="codes">{codes}</p></form>""",
        root=root,
        id=session["id"],
        invalid=Html(' aria-invalid="true" autofocus') if wrong else Html(),
        wrong=tag('<p class="wrong" role="alert">{}</p>', wrong) if wrong else Html(),
        codes=", ".join(f"{code}: {percent}% off" for code, percent in money.CODES.items()),
    )


def _email(session: Object) -> Html:
    details = session["customer_details"]
    if details:
        return tag('<p class="who">{}</p>', details["email"])
    return Html(
        '<div class="field"><label for="email">Email</label><input id="email" name="email" type="email" required '
        'maxlength="254" autocomplete="email"></div>'
    )


def _cancel(url: str | None) -> Html:
    return tag('<p class="away"><a href="{}">Cancel</a></p>', url) if url else Html()


def closed(root: str, session: Object, back: str) -> Html:
    """One that is not open any more; `back`: where its shop is."""
    title, text = CLOSED["expired" if session["status"] == "expired" else session["payment_status"]]
    link = tag('<p><a class="button" href="{}">Back to the site</a></p>', back) if back else Html()
    return message(root, title, text, link)


def message(root: str, title: str, text: str, below: Html = Html()) -> Html:  # noqa: B008 - immutable
    return page(root, title, tag('<section class="card message"><h1>{}</h1><p>{}</p>{}</section>', title, text, below))


def receipt(root: str, charge: Object, what: str) -> Html:
    currency = charge["currency"]
    rows = [
        ("For", what),
        ("Amount", money.shown(charge["amount"], currency)),
        ("Status", charge["status"]),
        ("Date", when(charge["created"])),
        ("Email", charge["billing_details"]["email"] or "not given"),
        ("Number", charge["id"]),
    ]
    if charge["amount_refunded"]:
        rows.insert(2, ("Refunded", money.shown(charge["amount_refunded"], currency)))
    facts = joined(tag("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in rows)
    body = tag('<section class="card message"><h1>Receipt</h1><dl class="sums">{}</dl></section>', facts)
    return page(root, "Receipt (sandbox)", body)
