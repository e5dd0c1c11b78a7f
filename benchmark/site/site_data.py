"""What the site is made of: the leaderboard, with the tiers, submissions, symmetry reports and zoos that go with it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zoo as zoos
from benchmark.analyses import symmetry
from benchmark.analyses.symmetry import NAME, Report
from benchmark.leaderboard.leaderboard import Leaderboard, Result, from_paths, key_of
from benchmark.records import records
from benchmark.records.records import SUBMISSION
from benchmark.scoring.task import reference
from benchmark.submissions.submission import read_submission
from benchmark.submissions.verification import tier
from zoo.dataset.reader import Zoo

SELF_REPORTED = "self-reported"
TIERS = (SELF_REPORTED, "verified", "reproduced")  # from the least trusted on


@dataclass(frozen=True)
class Source:
    """What the pages are made of. `results` and `tiers` are by key;
    `submissions` by metanet; `symmetries` and `opened` zoos by label."""

    board: Leaderboard
    results: dict[tuple[str, str, str], Result]
    tiers: dict[tuple[str, str, str], str]
    submissions: dict[str, list[dict[str, Any]]]
    symmetries: dict[str, list[Report]]
    opened: dict[str, Zoo]


def gathered(results: Path, zoo_folders: list[Path]) -> Source:
    """All that there is under a folder of results, and these zoos. Raises as `leaderboard` and `zoo.open` do."""
    paths = records.paths(results)
    board = from_paths(paths)
    tiers: dict[tuple[str, str, str], str] = {}
    submissions: dict[str, list[dict[str, Any]]] = {}
    for folder, key in dict.fromkeys((path.parent, key_of(records.read(path))) for path in paths):
        tiers[key] = min(tiers.get(key, TIERS[-1]), _tier(folder), key=TIERS.index)
        if (folder / SUBMISSION).exists():
            submissions.setdefault(key[2], []).append(asdict(read_submission(folder / SUBMISSION)))
    opened = {reference(zoo).label(): zoo for zoo in map(zoos.open, zoo_folders)}
    symmetries: dict[str, list[Report]] = {}
    for path in sorted(results.glob("*/" + NAME.format("*"))):
        report = symmetry.read(path)
        symmetries.setdefault(report.zoo.label(), []).append(report)
    return Source(board, {result.key: result for result in board.results}, tiers, submissions, symmetries, opened)


def _tier(folder: Path) -> str:
    """What maintainers found of the records in a folder; self-reported where that is damaged, or of other records."""
    try:
        return tier(folder)
    except (OSError, ValueError):
        return SELF_REPORTED
