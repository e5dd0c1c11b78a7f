"""Spans of time, for people."""


def duration(seconds: float) -> str:
    """Such as `40 s`, `12 min`, `3.5 h`, `2.1 days`."""
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}" if size > 60 else f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
