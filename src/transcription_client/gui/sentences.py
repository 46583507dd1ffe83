"""What people read in the windows, in one place. Errors of the network are in `net.py`, beside what raises them."""

from typing import Final

from transcription_wire.lengths import length

APP: Final = "Live Captions"

# Transcription mode
MODES: Final = "Transcription Mode"
LOCAL: Final = "Local (Whisper)"
MANAGED: Final = "Remote - Managed"
BYOK: Final = "Remote - BYOK"
LOCAL_BUILT_IN: Final = "Local (built-in model)"
LOCAL_ABOUT: Final = "Runs on this computer, without a network. English only."
LOCAL_MISSING: Final = (
    'The speech model isn\'t installed. Run pip install "transcription-proxy[local]", then start again.'
)
MANAGED_ABOUT: Final = "A caption service, with prepaid minutes. Requires login."
BYOK_ABOUT: Final = "Deepgram, with your own API key. Deepgram bills you."
FALLBACK: Final = "Continue on this computer when the service is away or you're out of minutes"

SERVER: Final = "Server URL:"
SERVER_EXAMPLE: Final = "https://captions.example.com"
LOG_IN_OR_REGISTER: Final = "Log in / Register"
LOG_OUT: Final = "Log out"
BUY: Final = "Buy minutes"
VIEW_BALANCE: Final = "View Balance"
LOGGED_OUT: Final = "Log in to see your balance."
NO_SERVER: Final = "Enter the address of your caption service."
CHECKING: Final = "Checking your login..."
LOGGING_OUT: Final = "Logging out..."
NOT_ENCRYPTED: Final = "This address isn't encrypted. Others on the network could read your password."
LOGIN_NEEDED: Final = "Log in first, or choose another mode."

KEY: Final = "Deepgram API Key:"
KEY_KEPT: Final = "A key is saved. Type here to replace it."
KEY_EXAMPLE: Final = "Paste your key"
MODEL: Final = "Model:"
TEST: Final = "Test"
TESTING: Final = "Asking Deepgram..."
KEY_WORKS: Final = "Deepgram accepts this key."
KEY_NEEDED: Final = "Paste your Deepgram API key, or choose another mode."
SHOW_KEY: Final = "Show key"

# Log in
EMAIL: Final = "Email:"
PASSWORD: Final = "Password:"
NEW_PASSWORD: Final = "At least 8 characters. A few random words work well."
LOG_IN: Final = "Log in"
REGISTER: Final = "Create account"
IS_NEW: Final = "I'm new here: create an account"
ENTERING: Final = "Logging in..."
REGISTERING: Final = "Creating your account..."
EMAIL_AND_PASSWORD: Final = "Enter your email and password."
SHOW_PASSWORD: Final = "Show password"

# Settings
SETTINGS: Final = "Settings"
SOURCE_TAB: Final = "Captions from"
LOOK_TAB: Final = "Appearance"
AUDIO_TAB: Final = "Microphone"
OVERLAY_TAB: Final = "OBS"
LANGUAGE: Final = "Language you speak:"
MICROPHONE: Final = "Microphone:"
SYSTEM_DEFAULT: Final = "System default"
REFRESH: Final = "Refresh"
NO_MICROPHONE: Final = "No microphone found. Plug one in, then press Refresh."
FONT: Final = "Font:"
SIZE: Final = "Size:"
PIXELS: Final = " px"
LINES: Final = "Lines:"
TEXT_COLOR: Final = "Text color:"
BACKGROUND: Final = "Background:"
OPACITY: Final = "Background opacity:"
ON_TOP: Final = "Always on top"
THEME: Final = "Theme:"
THEMES: Final = {"system": "Same as system", "light": "Light", "dark": "Dark"}
SAMPLE_FINAL: Final = "This is how captions look,"
SAMPLE_INTERIM: Final = "and these words may change"
CHOOSE_COLOR: Final = "Choose a color"
OVERLAY_ENABLED: Final = "Serve captions for an OBS browser source on this computer"
OVERLAY_PORT: Final = "Port:"
OVERLAY_URL: Final = "URL for OBS:"
OVERLAY_HOW: Final = (
    "In OBS, add a browser source and paste this URL. The page has a transparent background and the look you chose "
    "here. Only programs on this computer can open it."
)
COPY: Final = "Copy"
COPIED: Final = "Copied"

# First start
WELCOME: Final = "Welcome"
WELCOME_HEAD: Final = "Where should your captions come from?"
WELCOME_TEXT: Final = "You can change this at any time in Settings."
CONTINUE: Final = "Continue"

# Caption window
START: Final = "Start"
STOP: Final = "Stop"
MUTE: Final = "Mute"
UNMUTE: Final = "Unmute"
STOPPING: Final = "Finishing up..."
OFF: Final = "Captions are off"
OFF_HINT: Final = "Press Start and speak."
LISTENING: Final = "Listening..."
MUTED: Final = "Muted. You aren't billed while muted."
SAVE: Final = "Save captions..."
NOTHING_TO_SAVE: Final = "No captions to save yet."
FLOAT: Final = "Captions only"
QUIT: Final = "Quit"
BIGGER: Final = "Larger text"
SMALLER: Final = "Smaller text"
SHORTCUTS: Final = "Keyboard shortcuts"
CLEAR: Final = "Clear captions"
CLEAR_QUESTION: Final = "Clear all captions? Unsaved captions will be lost."
LEVEL: Final = "Microphone level"
CAPTIONS: Final = "Captions"
CAPTION_MENU: Final = "Captions"
VIEW_MENU: Final = "View"
HELP_MENU: Final = "Help"
FILE_TYPES: Final = "SubRip subtitles (*.srt);;WebVTT subtitles (*.vtt);;Text (*.txt)"
UNSAVED: Final = "Save your captions before you close?"
UNSAVED_HINT: Final = "Captions aren't stored anywhere else."
SAVE_NOW: Final = "Save..."
DISCARD: Final = "Discard"
CANCEL: Final = "Cancel"
FLOAT_HINT: Final = "Drag to move. Double-click or press Esc to return."
RETURN: Final = "Return to window"

# Start of the program
ALREADY_RUNNING: Final = "Live Captions is already running. Use its window, or close it first."


def unexpected(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}"
    return f"Something went wrong in this app ({what}). Try again. If it keeps happening, report it."


def logged_in_as(email: str) -> str:
    return f"Logged in as {email}." if email else "Logged in."


def other_server(server: str) -> str:
    return f"You're logged in at {server}. Log in here to use this address."


def left_only_here(why: str) -> str:
    return f"Logged out on this computer, but the service doesn't know yet. {why}"


def percent(share: int) -> str:
    return f"{share}%"


def balance(seconds: int) -> str:
    """Return the text of the balance's button, as the plan draws it."""
    return f"{VIEW_BALANCE}: {seconds // 60:,} min remaining"


def left(seconds: int, until: str) -> str:
    """Return what is left. `until`: the time of day when it is used up, empty where that is unknown."""
    return f"{length(seconds)} left" + (f", until about {until}" if until else "")


def saved(path: str) -> str:
    return f"Saved to {path}."


def port_taken(port: int) -> str:
    return f"Port {port} is used by another program. Choose another port for OBS in Settings."


def no_port(port: int, why: str) -> str:
    return f"Can't serve captions for OBS on port {port} ({why}). Choose another port in Settings."


def not_saved(why: str) -> str:
    return f"Your settings weren't saved. {why}"


def microphones(why: str) -> str:
    return f"Can't list microphones. {why}"
