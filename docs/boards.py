"""Writes the boards of `data/results` anew wherever they stand: `python docs/boards.py` after records were added.

A board stands in a README where that has its first words; all others stand in `docs/boards.md`.
"""

import re
from pathlib import Path

from benchmark.leaderboard.columns import about, brief
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.tables import to_markdown

ROOT = Path(__file__).parent.parent
BOARDS = ROOT / "docs/boards.md"
HEAD = """# All other boards

Of the records in `data/results`, each with its command; the boards of one zoo and target stand in the
[README](../README.md), in [benchmark](../benchmark/README.md) and in [benchmark/scoring](../benchmark/scoring/README.md).
`python docs/boards.py` writes this page. What the columns mean stands in [benchmark](../benchmark/README.md).
"""


def main() -> None:
    """Replaces each board where it stands."""
    first, *others = leaderboard(ROOT / "data/results").boards()
    replaced(ROOT / "README.md", to_markdown(brief(first)))
    readmes = sorted(path for room in ("benchmark", "zoo", "metanets") for path in (ROOT / room).rglob("README.md"))
    left = [cells for cells in (first, *others) if not any(replaced(path, to_markdown(cells)) for path in readmes)]
    parts = [HEAD, *(f"## {about(cells)}\n\n{to_markdown(cells)}" for cells in left)]
    BOARDS.write_text("\n".join(parts))


def replaced(path: Path, board: str) -> bool:
    """Whether a page has a board of this title, which is then this board: its legend, its table, what is attainable."""
    text, title = path.read_text(), board.split(":", 1)[0]
    found = re.search(rf"^{re.escape(title)}:.*\n\n(\|.*\n)+(\nattainable by.*\n)?", text, re.MULTILINE)
    if found:
        path.write_text(text[: found.start()] + board + text[found.end() :])
    return found is not None


if __name__ == "__main__":
    main()
