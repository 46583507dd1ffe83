"""The note of where the service is: it holds as long as the service runs."""

from pathlib import Path

from transcription_proxy.config import load
from transcription_proxy.process import address


def test_it_is_found_while_the_service_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert address.find(folder) is None
    with address.publish(folder, "http://127.0.0.1:3410/long"), address.publish(folder, "http://127.0.0.1:3411"):
        assert address.find(folder) == "http://127.0.0.1:3411"
    assert address.find(folder) is None


def test_public_url_wins_then_the_running_service_and_the_default_is_a_guess(tmp_path: Path) -> None:
    env = {"DATA_DIR": str(tmp_path), "JWT_SECRET": "x" * 32}
    assert address.site(load(env)) == ("http://127.0.0.1:3000", True)
    with address.publish(tmp_path, "http://127.0.0.1:3410"):
        assert address.site(load(env)) == ("http://127.0.0.1:3410", False)
        assert address.site(load({**env, "PUBLIC_URL": "https://x"})) == ("https://x", False)
