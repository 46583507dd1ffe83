"""A sandbox in a process of its own, as `serve` starts it, and what a customer and a developer do with its pages."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import stripe

KEY: Final = "sk_test_of_the_tests_0123456789"
SECRET: Final = "whsec_of_the_tests"
SHOP: Final = "http://shop.example"


class Buttons:
    """The forms of the pages at `url`. Redirects are not followed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=20)

    def page(self, session_id: str) -> httpx.Response:
        return self.http.get(f"/c/pay/{session_id}")

    def checkout(self, session_id: str, action: str = "pay", **fields: str) -> httpx.Response:
        """Pay, later or decline; code with its `code`, no-code."""
        return self.http.post(f"/c/pay/{session_id}", data={"action": action, **fields})

    def payment(self, session_id: str, action: str, amount: str = "") -> httpx.Response:
        """Settle, fail, refund, dispute or inquiry; of all of it by default."""
        return self.http.post(f"/payments/{session_id}", data={"action": action, "amount": amount})

    def refund(self, name: str, action: str) -> httpx.Response:
        return self.http.post(f"/refunds/{name}", data={"action": action})

    def dispute(self, name: str, action: str) -> httpx.Response:
        return self.http.post(f"/disputes/{name}", data={"action": action})

    def send_again(self, event_id: str) -> httpx.Response:
        return self.http.post(f"/events/{event_id}")

    def dashboard(self) -> str:
        return self.http.get("/").text


class Sandbox:
    """It may be started again: what waits at its socket is answered then. `hook`: where its events go."""

    def __init__(self, folder: Path, hook: str | None = None) -> None:
        self.state = folder / "state.sqlite3"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._hook = {"SANDBOX_WEBHOOK_URL": hook, "SANDBOX_WEBHOOK_SECRET": SECRET} if hook else {}
        self.buttons = Buttons(self.url)
        self.client = self.with_key(KEY)
        self.start()

    def start(self) -> None:
        env = {
            **os.environ,
            "SANDBOX_FD": str(self._listener.fileno()),
            "SANDBOX_KEY": KEY,
            "SANDBOX_URL": self.url,
            "SANDBOX_STATE": str(self.state),
            **self._hook,
        }
        command = [sys.executable, "-m", "transcription_sandbox"]
        self.process = subprocess.Popen(command, env=env, pass_fds=[self._listener.fileno()])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0
        self._listener.close()

    def with_key(self, key: str) -> stripe.StripeClient:
        """The official SDK, which asks once."""
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=0)

    def session(self, cents: int = 300, **more: Any) -> stripe.checkout.Session:
        """An open one, for a customer of its own unless it names one."""
        params: Any = {**order(cents), "customer_email": "buyer@example.org", **more}
        return self.client.v1.checkout.sessions.create(params)

    def paid(self, cents: int = 300, action: str = "pay", **more: Any) -> stripe.checkout.Session:
        """One that was paid, or `later`."""
        made = self.session(cents, **more)
        assert self.buttons.checkout(made.id, action).status_code == 303
        return self.client.v1.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent.latest_charge"]})

    def many_sessions(self, count: int, **more: str) -> list[str]:
        """Open ones, asked for without the SDK, which takes its time."""
        price = "line_items[0][price_data]"
        form = {
            **{name: value for name, value in order().items() if isinstance(value, str)},
            "line_items[0][quantity]": "1",
            f"{price}[currency]": "usd",
            f"{price}[unit_amount]": "300",
            f"{price}[product_data][name]": "500 minutes",
            **more,
        }
        headers = {"Authorization": f"Bearer {KEY}"}
        made = [self.buttons.http.post("/v1/checkout/sessions", data=form, headers=headers) for _ in range(count)]
        return [one.json()["id"] for one in made]


def order(cents: int = 300, name: str = "500 minutes") -> dict[str, Any]:
    price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": name}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": f"{SHOP}/success?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{SHOP}/cancel",
    }
