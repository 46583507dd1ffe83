"""What the engine tells the app's user. Why a session ended is in transcription_wire/sentences.py."""

from typing import Final

from transcription_wire.lengths import exactly, length
from transcription_wire.sentences import Sentence

CONNECTING: Final = "Connecting..."
LOADING: Final = "Loading the speech model..."
LIVE: Final = "Captions are live."
LIVE_LOCALLY: Final = "Captions are live, on this computer."
BACK: Final = "The service is back. Captions are live."
PAUSED: Final = "Captions paused after a long silence. They continue when you speak."
RECONNECTING: Final = "Reconnecting. Nothing you say is lost."
DROPPING: Final = "Still reconnecting. Only the last minute of what you say can be kept."
TOO_SLOW: Final = "Captions can't keep up, so some of what you say is lost. Close other apps."
ON_THIS_COMPUTER: Final = "Captions continue on this computer."
NO_LOCAL_MODEL: Final = Sentence(
    "The speech model for this computer isn't installed.", 'Run pip install "transcription-proxy[local]".'
)
NOT_IN_THIS_BUILD: Final = Sentence(
    "This build of the app has no speech model for this computer.", "Choose another mode in the settings."
)
LOCAL_FAILED: Final = Sentence("The speech model on this computer stopped.", "Start again.")
ENGINE_FAILED: Final = Sentence("Something went wrong in this app.", "Start again. If it keeps happening, report it.")

ENGLISH_ONLY: Final = "Captions on this computer are in English only. Choose English, or another mode, in the settings."
UNKNOWN_MODE: Final = "The transcription mode must be local, managed or byok. Choose one in the settings."
NOT_LOGGED_IN: Final = "You're not logged in. Log in in the settings, then start again."
NO_KEY: Final = "There's no Deepgram API key. Enter it in the settings, then start again."
NO_SERVER: Final = "There's no server URL. Enter it in the settings, then start again."

KEY_REFUSED: Final = "Deepgram didn't accept your API key. Check it in the settings."
DEEPGRAM_UNPAID: Final = "Your Deepgram account is out of credit. Add credit at deepgram.com."
DEEPGRAM_BUSY: Final = "You've reached Deepgram's limit of live streams. Close other apps that use it."

NO_SOUNDDEVICE: Final = 'The microphone needs sounddevice. Run pip install "transcription-proxy[desktop]".'
NO_PORTAUDIO: Final = "The microphone needs PortAudio. On Debian and Ubuntu, run sudo apt install libportaudio2."
NO_MICROPHONE: Final = "No microphone found. Plug one in, and allow this app to use it."
UNPLUGGED: Final = "The microphone was disconnected. Plug it back in, or choose another."
SOURCE_FAILED: Final = "The audio source failed. Check your microphone settings, then start again."


def low(seconds: int, *, fallback: bool) -> str:
    """Return what is said when little credit is left."""
    then = "Then captions continue on this computer." if fallback else "Captions stop at zero."
    return f"{length(seconds)} left. {then}"


def dropped(seconds: float) -> str:
    """Return what is said about audio that was dropped, because it could not be sent for too long."""
    return f"Captions are live. {exactly(seconds)} of audio was lost while the connection was down."


def microphone_missing(name: str) -> str:
    """Return what is said while a chosen microphone is not connected."""
    return f"{name} isn't connected. Plug it in, or choose another microphone."


def microphone_refused(name: str, detail: str) -> str:
    """Return what is said when a microphone cannot be opened."""
    return f"Can't use the microphone {name} ({detail}). Close other apps that use it, or choose another."


def sound_system_failed(detail: str) -> str:
    """Return what is said when the system's audio cannot be used at all."""
    return f"Can't use this computer's audio ({detail}). Check its sound settings, then try again."


def deepgram_refused(status: int, detail: str) -> str:
    """Return what is said about Deepgram's refusal. `detail`: what Deepgram says, may be empty."""
    return f"Deepgram refused the connection: {detail or f'status {status}'}. Check model and language in the settings."


def bad_deepgram_url(url: str) -> str:
    return f"{url!r} isn't a valid Deepgram address. Use one like wss://api.deepgram.com."
