"""Languages of each model: those that Deepgram documents for nova-2 and nova-3, and the one of the built-in engine.

From Deepgram's models overview and changelog up to 2026-08-05, without second names of one language (da-DK for da).
The list fills menus: a session may name any other language, and the upstream refuses a language it does not know."""

from typing import Final

BUILTIN_ENGINE: Final = ["en-US"]


def spoken(model: str) -> list[str] | None:
    """Return a model's language ids, in the order of NAMES; None for an unknown model. Special models are English."""
    family = _family(model)
    if family not in _FAMILIES:
        return None
    return _FAMILIES[family] if model.lower() in (family, f"{family}-general") else _ENGLISH


def knows_keyterm(model: str) -> bool:
    """Return whether a model may take `keyterm`: nova-2 does not, and an unknown model might."""
    return _family(model) != "nova-2"


def _family(model: str) -> str:
    return "-".join(model.lower().split("-")[:2])


NAMES: Final = {
    "multi": "Several languages at once",
    "en": "English",
    "en-AU": "English (Australia)",
    "en-IN": "English (India)",
    "en-NZ": "English (New Zealand)",
    "en-GB": "English (United Kingdom)",
    "en-US": "English (United States)",
    "af": "Afrikaans",
    "hy": "Armenian",
    "be": "Belarusian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "zh-HK": "Chinese (Cantonese, traditional)",
    "zh-CN": "Chinese (Mandarin, simplified)",
    "zh-TW": "Chinese (Mandarin, traditional)",
    "hr": "Croatian",
    "cs": "Czech",
    "da": "Danish",
    "nl": "Dutch",
    "et": "Estonian",
    "fi": "Finnish",
    "nl-BE": "Flemish",
    "fr": "French",
    "fr-CA": "French (Canada)",
    "ka": "Georgian",
    "de": "German",
    "de-CH": "German (Switzerland)",
    "el": "Greek",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "kn": "Kannada",
    "kk": "Kazakh",
    "ko": "Korean",
    "lv": "Latvian",
    "lt": "Lithuanian",
    "mk": "Macedonian",
    "ms": "Malay",
    "mr": "Marathi",
    "ne": "Nepali",
    "no": "Norwegian",
    "fa": "Persian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-BR": "Portuguese (Brazil)",
    "pt-PT": "Portuguese (Portugal)",
    "pa": "Punjabi",
    "ro": "Romanian",
    "ru": "Russian",
    "sr": "Serbian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "es": "Spanish",
    "es-419": "Spanish (Latin America)",
    "sv": "Swedish",
    "tl": "Tagalog",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
}
"""Display names of the languages, by the id that a session names."""
_ENGLISH: Final = [id for id in NAMES if id.partition("-")[0] == "en"]
_NOVA_3_ONLY: Final = {
    "af", "gu", "hy", "ka", "kk",
    "be", "bn", "bs", "fa", "he", "hr", "kn", "mk", "mr", "ne", "pa", "sl", "sr", "ta", "te", "tl", "ur",
}  # fmt: skip
_FAMILIES: Final = {
    "nova-2": [id for id in NAMES if id not in _NOVA_3_ONLY],
    "nova-3": list(NAMES),
}
