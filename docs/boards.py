"""Writes the boards of `data/results` anew wherever they stand, and those of `data/final`: `python docs/boards.py`.

A board stands in a README where that has its first words; all others stand in `docs/boards.md`. The boards of the final
zoos stand in `docs/final.md`, behind the mean over their tracks.
"""

import re
from pathlib import Path

from benchmark.leaderboard.columns import about, brief
from benchmark.leaderboard.leaderboard import Leaderboard, leaderboard
from benchmark.leaderboard.tables import markdown_lines, to_markdown
from benchmark.leaderboard.tracks import in_words, not_counted, tracks

ROOT = Path(__file__).parent.parent
BOARDS, FINAL = ROOT / "docs/boards.md", ROOT / "docs/final.md"
HEAD = """# All other boards

Of the records in `data/results`, each with its command; the boards of one zoo and target stand in the
[README](../README.md), in [benchmark](../benchmark/README.md) and in [benchmark/scoring](../benchmark/scoring/README.md).
`python docs/boards.py` writes this page. What the columns mean stands in [benchmark](../benchmark/README.md).
"""

FINAL_HEAD = """# The final table

Of the records in `data/final`, on zoos of seed 2 that nobody had looked at: opened once, by `metazoo reference score small
--final`, when all metanets were settled ([two seeds](../benchmark/reference/README.md)); the baseline `gp_hyper_parameters`
was made after that, and is what gains are over. `python docs/boards.py` writes this page. What the columns mean stands in
[benchmark](../benchmark/README.md), what the tracks are in [benchmark/leaderboard](../benchmark/leaderboard/README.md).

## All tracks

Kendall's tau by track (rank), and the gain in the mean over the recipe alone; †: runs the nets; -: no records on all of its
tasks.
"""


def main() -> None:
    """Replaces each board where it stands."""
    first, *others = leaderboard(ROOT / "data/results").boards()
    replaced(ROOT / "README.md", to_markdown(brief(first)))
    readmes = sorted(path for room in ("benchmark", "zoo", "metanets") for path in (ROOT / room).rglob("README.md"))
    left = [cells for cells in (first, *others) if not any(replaced(path, to_markdown(cells)) for path in readmes)]
    parts = [HEAD, *(f"## {about(cells)}\n\n{to_markdown(cells)}" for cells in left)]
    BOARDS.write_text("\n".join(parts))
    FINAL.write_text(final(leaderboard(ROOT / "data/final")))


def final(board: Leaderboard) -> str:
    """The page of the final zoos."""
    words = in_words(tracks(board)).rename_axis("metanet").reset_index()
    table = markdown_lines([words.columns, ["---"] * len(words.columns), *words.to_numpy()])
    told = [f"\n{line[0].upper()}{line[1:]}." for line in not_counted(board)]
    return "\n".join(
        [FINAL_HEAD, table, *told, "", *(f"## {about(cells)}\n\n{to_markdown(cells)}" for cells in board.boards())]
    )


def replaced(path: Path, board: str) -> bool:
    """Whether a page has a board of this title, which is then this board: its legend, its table, what is attainable."""
    text, title = path.read_text(), board.split(":", 1)[0]
    found = re.search(rf"^{re.escape(title)}:.*\n\n(\|.*\n)+(\nattainable by.*\n)?", text, re.MULTILINE)
    if found:
        path.write_text(text[: found.start()] + board + text[found.end() :])
    return found is not None


if __name__ == "__main__":
    main()
