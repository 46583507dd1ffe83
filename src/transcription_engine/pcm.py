"""Decoded audio as the model gets it, and the raw encodings that are decoded to it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
"""Samples a second, of each channel."""
SAMPLE_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
"""Bytes of one sample of one channel, by Deepgram's name of the encoding. linear32 is floating point."""
Pcm = NDArray[np.int16]
"""Samples of the shape (samples, channels)."""
Samples = NDArray[np.float32]
"""Samples of one channel, from -1 to 1."""
