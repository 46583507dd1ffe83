"""A backup taken while people caption, restored on another machine: the books balance, and the service runs on it."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.e2e.client import sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_operator import as_json
from tests.e2e.upstream import Upstream


async def test_a_backup_under_load_is_restored_with_clean_books(
    scratch: Path, upstream: Upstream, service: Service
) -> None:
    users = [await service.user(3600) for _ in range(4)]
    talks = [await service.captions(user) for user in users]
    for captions in talks:
        await captions.ready()
    speaking = asyncio.gather(*(captions.send(sound(30), speed=10) for captions in talks))
    await talks[0].first("usage")
    folder = scratch / "backups"
    folder.mkdir()
    file = str(folder / "captions.dump")
    assert f"to {file}" in await service.command("backup", file)
    await speaking
    used = [(await captions.stop())["seconds_used"] for captions in talks]
    assert used == [30] * 4
    elsewhere = replace(service, env=environment(scratch / "restored", upstream.url))
    assert await elsewhere.run("backup", str(folder / "none.dump")) == (
        1,
        "",
        "The schema public has no tables to back up. Check DATABASE_URL.\n",
    )
    assert f"Restored {file}" in await elsewhere.command("restore", file)
    assert (await elsewhere.command("ledger", "audit")).endswith("The books are right.\n")
    assert "already has tables" in (await elsewhere.run("restore", file))[2]
    env = {**elsewhere.env, "JWT_SECRET": service.env["JWT_SECRET"]}
    async with serving(env) as restored:
        for user in users:
            shown = await as_json(restored, "user", "show", user.email)
            assert 3570 <= shown["seconds_remaining"] <= 3600, shown
        fresh = await restored.captions(users[0])
        await fresh.ready()
        await fresh.send(sound(2))
        assert (await fresh.stop())["seconds_used"] == 2
        assert (await restored.command("ledger", "audit")).endswith("The books are right.\n")
