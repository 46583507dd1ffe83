"""Lengths of time as people read them, in commands and mails. The pages' format.js writes them alike."""


def length(seconds: int) -> str:
    """Return "3 h 20 min", "5 min 12 s" or "12 s": the two largest units, a zero second one left out."""
    sign, whole = "-" if seconds < 0 else "", abs(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return sign + f"{hours:,} h" + (f" {minutes} min" if minutes else "")
    if minutes:
        return sign + f"{minutes} min" + (f" {rest} s" if rest else "")
    return sign + f"{rest} s"
