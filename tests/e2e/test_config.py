"""`config`: the upstream's parameters, refused options and their messages, and prices."""

from typing import Any

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, sound
from tests.e2e.service import Service
from tests.e2e.test_captions import DEFAULTS
from tests.e2e.upstream import Upstream

Pairs = dict[str, str | list[str]]

PASSED: list[tuple[dict[str, Any], Pairs]] = [
    ({}, {}),
    ({"model": "nova-3"}, {"model": "nova-3"}),
    ({"model": "nova-2-meeting"}, {"model": "nova-2-meeting"}),
    ({"language": "de"}, {"language": "de"}),
    ({"interim_results": False}, {"interim_results": "false"}),
    ({"endpointing": 300}, {"endpointing": "300"}),
    ({"endpointing": False}, {"endpointing": "false"}),
    ({"utterance_end_ms": 1000}, {"utterance_end_ms": "1000"}),
    ({"vad_events": True}, {"vad_events": "true"}),
    ({"punctuate": True}, {"punctuate": "true"}),
    ({"punctuate": False}, {"punctuate": "false"}),
    ({"smart_format": True}, {"smart_format": "true"}),
    ({"numerals": True}, {"numerals": "true"}),
    ({"profanity_filter": True}, {"profanity_filter": "true"}),
    ({"filler_words": True}, {"filler_words": "true"}),
    ({"diarize": True}, {"diarize": "true"}),
    ({"model": "nova-3", "keyterm": "Ünïted & Co"}, {"model": "nova-3", "keyterm": "Ünïted & Co"}),
    ({"model": "nova-3", "keyterm": ["a b", "c+d=e"]}, {"model": "nova-3", "keyterm": ["a b", "c+d=e"]}),
    ({"keywords": "snuffle:2"}, {"keywords": "snuffle:2"}),
    ({"keywords": ["x:1", "y:-1"]}, {"keywords": ["x:1", "y:-1"]}),
    ({"replace": "um:"}, {"replace": "um:"}),
    ({"replace": ["a:b", "a:b"]}, {"replace": ["a:b", "a:b"]}),
    ({"encoding": "mulaw", "sample_rate": 8000}, {"encoding": "mulaw", "sample_rate": "8000"}),
    ({"encoding": "alaw", "sample_rate": 44100}, {"encoding": "alaw", "sample_rate": "44100"}),
    ({"encoding": "linear32", "sample_rate": 48000}, {"encoding": "linear32", "sample_rate": "48000"}),
    ({"channels": 8}, {"channels": "8"}),
    ({"channels": 2, "multichannel": True}, {"channels": "2", "multichannel": "true"}),
]


def collected(query: list[tuple[str, str]]) -> Pairs:
    """Return each name with its value, or with a list of its values if it is repeated."""
    names = dict.fromkeys(name for name, _ in query)
    listed = {name: [value for key, value in query if key == name] for name in names}
    return {name: values[0] if len(values) == 1 else values for name, values in listed.items()}


async def test_each_option_is_sent_upstream_under_its_own_name(service: Service, upstream: Upstream) -> None:
    user = await service.user()
    for config, expected in PASSED:
        captions = await service.captions(user, config)
        await captions.ready()
        sent = collected(upstream.heard(captions).query)
        assert sent.pop("tag")
        assert sent == {**DEFAULTS, **expected}, config
        await captions.stop()


INVALID: list[tuple[Any, str]] = [
    ({"model": "nova-9"}, "model"),
    ({"model": "whisper"}, "model"),
    ({"model": ""}, "model"),
    ({"model": 2}, "model"),
    ({"model": None}, "model"),
    ({"model": ["nova-2"]}, "model"),
    ({"model": "nova-2&callback=x"}, "model"),
    ({"language": 1}, "language"),
    ({"language": ""}, "language"),
    ({"language": "en US"}, "language"),
    ({"interim_results": "true"}, "interim_results"),
    ({"interim_results": 1}, "interim_results"),
    ({"endpointing": True}, "endpointing"),
    ({"endpointing": -1}, "endpointing"),
    ({"endpointing": 1.5}, "endpointing"),
    ({"endpointing": "300"}, "endpointing"),
    ({"utterance_end_ms": False}, "utterance_end_ms"),
    ({"utterance_end_ms": "1000"}, "utterance_end_ms"),
    ({"vad_events": 0}, "vad_events"),
    ({"punctuate": "yes"}, "punctuate"),
    ({"smart_format": []}, "smart_format"),
    ({"numerals": {}}, "numerals"),
    ({"profanity_filter": 1}, "profanity_filter"),
    ({"filler_words": "on"}, "filler_words"),
    ({"diarize": "true"}, "diarize"),
    ({"keyterm": 5}, "keyterm"),
    ({"keyterm": [5]}, "keyterm"),
    ({"keyterm": [["a"]]}, "keyterm"),
    ({"keywords": {"a": 1}}, "keywords"),
    ({"replace": True}, "replace"),
    ({"encoding": "opus"}, "encoding"),
    ({"encoding": None}, "encoding"),
    ({"sample_rate": 7999}, "sample_rate"),
    ({"sample_rate": 48001}, "sample_rate"),
    ({"sample_rate": "16000"}, "sample_rate"),
    ({"sample_rate": 16000.5}, "sample_rate"),
    ({"sample_rate": True}, "sample_rate"),
    ({"channels": 0}, "channels"),
    ({"channels": 9}, "channels"),
    ({"channels": "1"}, "channels"),
    ({"multichannel": "true"}, "multichannel"),
    ({"callback": "http://127.0.0.1/"}, "callback"),
    ({"redact": "pci"}, "redact"),
    ({"detect_entities": True}, "detect_entities"),
    ({"tag": "x"}, "tag"),
    ({"Model": "nova-2"}, "Model"),
    ("nova-2", "config"),
    ([], "config"),
    (5, "config"),
]


async def test_an_invalid_option_is_refused_by_name(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    dialled = upstream.dialled
    for config, key in INVALID:
        captions = await service.captions(user, config)
        assert await captions.closed() == 4400, config
        (error,) = captions.messages
        assert (error["type"], error["code"]) == ("error", "invalid_config"), config
        assert key in error["message"], config
    assert upstream.dialled == dialled
    assert await service.sessions(user) == []
    assert await service.balance(user) == {
        "seconds_remaining": 3600,
        "minutes_remaining": 60,
        "seconds_held": 0,
        "seconds_frozen": 0,
        "low_at_seconds": 600,
    }


STEREO = {"channels": 2}
PRICED: list[tuple[dict[str, Any], int, int]] = [  # config, bytes of 10 s, credits of 10 s
    ({}, 320_000, 10),
    (STEREO, 640_000, 10),
    ({**STEREO, "multichannel": True}, 640_000, 20),
    ({**STEREO, "multichannel": False}, 640_000, 10),
    ({"multichannel": True}, 320_000, 10),
    ({"diarize": True}, 320_000, 14),
    ({"diarize": False}, 320_000, 10),
    ({"model": "nova-3", "keyterm": "a"}, 320_000, 13),
    ({"model": "nova-3", "language": "multi"}, 320_000, 12),
    ({"model": "nova-3", "language": "multi", "keyterm": ["a", "b"], "diarize": True}, 320_000, 18),
    ({**STEREO, "multichannel": True, "diarize": True}, 640_000, 27),
    ({"encoding": "mulaw", "sample_rate": 8000}, 80_000, 10),
    ({"encoding": "alaw", "sample_rate": 8000}, 80_000, 10),
    ({"encoding": "linear32", "sample_rate": 48_000}, 1_920_000, 10),
    ({"sample_rate": 44_100}, 882_000, 10),
    ({"channels": 8, "multichannel": True, "encoding": "mulaw", "sample_rate": 8000}, 640_000, 80),
]


@pytest.mark.parametrize(("config", "nbytes", "credits"), PRICED)
async def test_ten_seconds_cost_their_rate_rounded_up_once(
    service: Service, upstream: Upstream, config: dict[str, Any], nbytes: int, credits: int
) -> None:
    user = await service.user(3600)
    captions: Captions = await service.captions(user, config)
    await captions.ready()
    audio = sound(60)[:nbytes]
    await captions.send(audio, frame=nbytes // 100)
    end = await captions.stop()
    assert bytes(upstream.heard(captions).audio) == audio
    assert (end["seconds_used"], end["audio_seconds"]) == (credits, 10)
    await check_receipt(service, user, captions, 3600)


async def test_each_channel_is_named_in_its_transcripts(service: Service) -> None:
    captions = await service.captions(await service.user(), {"channels": 2, "multichannel": True})
    await captions.ready()
    await captions.send(sound(4))
    await captions.stop()
    assert captions.finals(0).startswith("c0")
    assert captions.finals(1).startswith("c1")
    assert {tuple(transcript["channel"]) for transcript in captions.of("transcript")} == {(0, 2), (1, 2)}


async def test_the_public_options_are_all_accepted(service: Service, upstream: Upstream) -> None:
    answer = await service.http.get("/captions/options")
    assert answer.status_code == 200
    offered = answer.json()
    assert {model["id"]: model["credits_per_second"] for model in offered["models"]} == {"nova-2": 1, "nova-3": 1}
    assert {addon["id"]: addon["credits_per_second"] for addon in offered["addons"]} == {
        "diarize": 0.34,
        "keyterm": 0.22,
    }
    prices = {language["id"]: language["credits_per_second"] for language in offered["languages"]}
    assert (prices["multi"], prices["en-US"], prices["de"]) == (1.2, None, None)
    captions = await service.captions(await service.user(), offered["default"])
    await captions.ready()
    assert dict(upstream.heard(captions).query)["model"] == offered["default"]["model"]
    await captions.stop()
