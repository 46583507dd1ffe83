"""Which of PostgreSQL's variables reach our connections."""

from transcription_proxy.db.libpq import NEEDED, shield

SOMEBODYS = {"PGPORT": "1", "PGPASSWORD": "p", "PGOPTIONS": "-c x=y", "PGTZ": "Asia/Tokyo", "PGSERVICE": "s"}


def test_none_reaches_the_bundled_server() -> None:
    env = {"PATH": "/bin", **SOMEBODYS}
    shield(env, bundled=True)
    assert env == {"PATH": "/bin", **NEEDED}


def test_the_way_to_a_server_of_the_operators_stays_and_what_connections_mean_is_ours() -> None:
    env = dict(SOMEBODYS)
    shield(env, bundled=False)
    assert env == {"PGPORT": "1", "PGPASSWORD": "p", "PGSERVICE": "s", **NEEDED}
