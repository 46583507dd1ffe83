"""A Chromium whose microphone plays a recording once, and is silent afterwards."""

import random
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, async_playwright

from tests.browser import chromium
from tests.e2e.client import SECOND

Pcm = NDArray[np.int16]
RATE: Final = SECOND // 2
FRAME: Final = RATE // 10
"""Samples in one frame of the page."""


def keep(path: Path, samples: Pcm, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def noise(seconds: float) -> Pcm:
    """Return audio in which no two parts are alike."""
    values = np.frombuffer(random.Random(5).randbytes(round(seconds * RATE) * 2), "<i2")
    return np.asarray(values // 4, "<i2")


SOUND: Final = noise(60)


def place(part: bytes, whole: Pcm) -> int:
    """Return the sample of `whole` at which a recorded part of it begins."""
    heard = np.frombuffer(part, "<i2").astype(float)
    size = 1 << (len(whole) + len(heard)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(whole, size) * np.fft.rfft(heard, size).conj(), size)
    return int(np.argmax(likeness[: len(whole)]))


@asynccontextmanager
async def listening(recording: Path) -> AsyncIterator[Browser]:
    """Start a browser whose microphone plays `recording` for contexts with the permission."""
    program = chromium.find()
    assert program, chromium.HOW_TO
    plays = f"--use-file-for-fake-audio-capture={recording}%noloop"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--use-fake-device-for-media-stream", plays]
        )
        yield running
        await running.close()
