"""What the site is made of: the leaderboard, with the tiers, submissions, symmetry reports and zoos that go with it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zoo as zoos
from benchmark.analyses import symmetry
from benchmark.analyses.symmetry import NAME, Report
from benchmark.leaderboard.leaderboard import Leaderboard, Result, from_records, key_of
from benchmark.records import records
from benchmark.records.corrections import SUBMISSION
from benchmark.records.records import Stored
from benchmark.scoring.task import reference
from benchmark.submissions.submission import read_submission
from benchmark.submissions.verification import tier
from zoo.dataset.reader import Zoo

SELF_REPORTED = "self-reported"
TIERS = (SELF_REPORTED, "verified", "reproduced")  # from the least verified on


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
    found = records.load(results)
    board = from_records(found)
    homes: dict[Path, list[Stored]] = {}
    for one in found:
        homes.setdefault(one.path.parent, []).append(one)
    tiers: dict[tuple[str, str, str], str] = {}
    submissions: dict[str, list[dict[str, Any]]] = {}
    for folder, held in homes.items():
        is_submitted, reached = (folder / SUBMISSION).exists(), _tier(folder, held, results)
        for key in dict.fromkeys(key_of(one.record) for one in held):
            tiers[key] = min(tiers.get(key, TIERS[-1]), reached, key=TIERS.index)
            if is_submitted:
                about = asdict(read_submission(folder / SUBMISSION, below=results))
                submissions.setdefault(key[2], []).append(about)
    opened = {reference(zoo).label(): zoo for zoo in map(zoos.open, zoo_folders)}
    symmetries: dict[str, list[Report]] = {}
    for path in sorted(results.glob("*/" + NAME.format("*"))):
        report = symmetry.read(path, below=results)
        symmetries.setdefault(report.zoo.label(), []).append(report)
    return Source(board, {result.key: result for result in board.results}, tiers, submissions, symmetries, opened)


def _tier(folder: Path, held: list[Stored], below: Path) -> str:
    """What maintainers found of the records in a folder; self-reported where that is damaged, or of other records."""
    try:
        return tier(folder, held, below=below)
    except (OSError, ValueError):
        return SELF_REPORTED
