"""Formats lengths of time for people. web/static/format.js does the same for the pages."""


def length(seconds: float) -> str:
    """Return "3 h 20 min", "9 min 52 s" or "12 s": at most two units, without a second unit of zero."""
    sign, whole = "-" if seconds < 0 else "", int(abs(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{sign}{hours:,} h" + (f" {minutes} min" if minutes else "")
    if minutes:
        return f"{sign}{minutes} min" + (f" {rest} s" if rest else "")
    return f"{sign}{rest} s"


def exactly(seconds: float) -> str:
    """Return "1 h 2 min 3.4 s": the exact length of audio or of its bill, so that people can compare the two."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    parts = ((f"{hours:,}", "h"), (f"{minutes}", "min"), (f"{rest:g}", "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count != "0") or "0 s"


def in_minutes(seconds: int) -> str:
    """Return "500 minutes", as packages are sold, or `length` if it is not a whole number of minutes."""
    return f"{seconds // 60:,} minutes" if seconds >= 120 and seconds % 60 == 0 else length(seconds)
