"""Recordings of real speech, with their texts."""

import re
import wave
from importlib.resources import files

import jiwer
import numpy as np
from numpy.typing import NDArray

TWO_CITIES = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing "
    "before us, we were all going direct to Heaven, we were all going direct the other way, in short, the period was "
    "so far like the present period, that some of its noisiest authorities insisted on its being received, for good "
    "or for evil, in the superlative degree of comparison only."
)
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
Pcm = NDArray[np.int16]


def recording(name: str, seconds: float | None = None) -> tuple[Pcm, int]:
    """Return a recording's samples and rate. `seconds`: return only its beginning."""
    with wave.open(str(files("moonshine_voice").joinpath("assets", name))) as file:
        rate = file.getframerate()
        count = file.getnframes() if seconds is None else round(seconds * rate)
        return np.frombuffer(file.readframes(count), "<i2"), rate


def at_rate(samples: Pcm, rate: int, wanted: int) -> Pcm:
    """Resample audio through its spectrum, as far as both rates can represent it."""
    count = len(samples) * wanted // rate
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.clip(np.fft.irfft(kept, count) * count / len(samples), -32768, 32767).astype("<i2")


def without_pauses(samples: Pcm) -> Pcm:
    """Return only the loud pieces of 20 ms, at 16 kHz."""
    pieces = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    loud = np.sqrt((pieces.astype(float) ** 2).mean(axis=1)) > 250
    dense: Pcm = pieces[loud].ravel()
    return dense


def word_errors(result: list[str], read: list[str]) -> float:
    """Return the word error rate: wrong, missing and added words per word read, without case and punctuation."""
    return float(jiwer.wer([_plain(text) for text in read], [_plain(text) for text in result]))


def _plain(text: str) -> str:
    return " ".join(re.findall("[a-z']+", text.lower()))
