"""What a look at this machine found, a finding a thing, and looking so that nothing that breaks or hangs hides the rest."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found and, unless it is as it should be, what to do. Only a problem stops work."""

    name: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they are read."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no problem; warnings and notes may be there."""
        return all(finding.level != "problem" for finding in self.findings)

    def lines(self) -> list[str]:
        """A line a finding, with advice on the next one, and a summary."""
        width = max(len(finding.name) for finding in self.findings)
        lines = []
        for one in self.findings:
            lines.append(f"{one.level:<8} {one.name:<{width}}  {one.found}")
            lines += [f"{'':<8} {'':<{width}}  -> {one.advice}"] * bool(one.advice)
        counts = [(level, sum(one.level == level for one in self.findings)) for level in ("problem", "warning")]
        return [*lines, ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts)]

    def to_json(self) -> dict[str, Any]:
        """The findings, as JSON values."""
        return {"healthy": self.healthy, "findings": [asdict(finding) for finding in self.findings]}


def guarded(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check's findings; that it cannot be made is one too, so that the others are still seen."""
    try:
        return list(check())
    except Exception as error:
        advice = "install metazoo again, in a fresh environment"
        return [Finding(name, "problem", f"cannot be looked at: {type(error).__name__}: {error}", advice)]


def begun(name: str, check: Callable[[], Iterator[Finding]], seconds: float) -> Callable[[], list[Finding]]:
    """Begins a check that may hang; the function that it returns waits for it, so many seconds from now at most."""
    found: list[list[Finding]] = []
    thread = threading.Thread(target=lambda: found.append(guarded(name, check)), daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds

    def wait() -> list[Finding]:
        thread.join(max(0, deadline - time.monotonic()))
        return found[0] if found else [Finding(name, "warning", f"no answer within {seconds:g} s", "try again later")]

    return wait
