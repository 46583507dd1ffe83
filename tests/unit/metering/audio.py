"""Any rate and any format of audio, for tests with hypothesis."""

from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat
from transcription_proxy.metering.credits import MICRO

RATES: Final = st.one_of(
    st.sampled_from(["1", "1.1", "1.2", "0.34", "1.560000", "0.000001", "1000"]),
    st.integers(1, 1000 * MICRO).map(lambda micro: f"{micro // MICRO}.{micro % MICRO:06}"),
)
"""Credits a second, as a rates file says them."""
FORMATS: Final = st.builds(
    AudioFormat, st.sampled_from(sorted(SAMPLE_BYTES)), st.integers(8000, 48000), st.integers(1, 8)
)


def micro_of(rate: str) -> int:
    """Return the micro-credits a second of a rate."""
    return int(Fraction(rate) * MICRO)
