"""`report`: usage by session, and the credit left on all accounts."""

import json
from typing import Any

from tests.e2e.client import sound
from tests.e2e.service import Service


async def report(service: Service, *arguments: str) -> Any:
    return json.loads(await service.command("report", "--json", *arguments))


def grown(before: Any, after: Any, *keys: str) -> list[Any]:
    return [round(after[key] - before[key], 4) for key in keys]


async def test_a_session_is_in_the_report_with_what_the_engine_took(service: Service) -> None:
    user = await service.user()
    before = await report(service)
    captions = await service.captions(user, {"model": "nova-3", "language": "multi", "diarize": True})
    await captions.ready()
    await captions.send(sound(30))
    await captions.stop()
    await service.session(user, captions.session_id)
    after = await report(service, "--since", "1h")
    assert grown(before["used"], after["used"], "sessions", "seconds", "audio_seconds") == [1, 47, 30]
    assert grown(before, after, "engine_cost_cents", "margin_cents") == [0.46, -0.46]
    assert grown(before, after, "seconds_outstanding", "seconds_owed") == [-47, 0]
    models = {one["model"]: one for one in after["used"]["by_model"]}
    assert models["nova-3"]["engine_cost_cents"] >= 0.46


async def test_people_get_sentences_and_tables(service: Service) -> None:
    user = await service.user()
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(3))
    await captions.stop()
    await service.session(user, captions.session_id)
    said = await service.command("report", "--since", "12h")
    for word in ("Billed", "Nova-2", "Stripe's fees", "margin", "outstanding now", "owed now"):
        assert word in said
    status, out, err = await service.run("report", "--since", "soon")
    assert (status, out, err.count("\n")) == (2, "", 1)


async def test_a_grant_of_nothing_is_refused(service: Service) -> None:
    user = await service.user()
    status, out, err = await service.run("credits", "grant", user.email, "0", "--reason", "a gift")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "0 seconds" in err
