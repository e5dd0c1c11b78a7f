"""What the site is made of: the leaderboard, with the tiers, submissions, symmetry reports and zoos that go with it."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zoo as zoos
from benchmark.analyses import connectivity
from benchmark.analyses.certificates import Report, kept
from benchmark.analyses.reports import all_of
from benchmark.leaderboard.entries import Key
from benchmark.leaderboard.leaderboard import Leaderboard, Result, from_records
from benchmark.leaderboard.notices import notices
from benchmark.records.readable import readable
from benchmark.records.records import Stored
from benchmark.scoring.task import reference
from benchmark.submissions.submission import NONE
from benchmark.submissions.verification import Tier, Verification, tier, verifications
from zoo.dataset.reader import Zoo

TIERS: tuple[Tier, ...] = ("self-reported", "verified", "reproduced")  # from the least verified on


@dataclass(frozen=True)
class Source:
    """What the pages are made of. `results`, `tiers` and `notices` are by key; `submissions` by metanet; `symmetries`,
    what is `connected`, and `opened` zoos by label. `remarks`: a line on each file that is not shown, or states other scores
    than its predictions.
    """

    board: Leaderboard
    results: dict[Key, Result]
    tiers: dict[Key, Tier]
    submissions: dict[str, list[dict[str, Any]]]
    symmetries: dict[str, list[Report]]
    connected: dict[str, connectivity.Report]
    opened: dict[str, Zoo]
    notices: dict[Key, list[str]]
    remarks: list[str]


def gathered(results: Path, zoo_folders: list[Path]) -> Source:
    """All that there is under a folder of results, and these zoos. Raises as `leaderboard` and `zoo.open` do."""
    found, unreadable = readable(results)
    certificates = kept(results)
    board = from_records(found, (*unreadable, *certificates.unread), certificates)
    verified, problems = verifications(results)
    homes: dict[Path, list[Stored]] = {}
    for one in found:
        homes.setdefault(one.path.parent, []).append(one)
    reached = {home: _tier(held, verified, results) for home, held in homes.items()}
    tiers: dict[Key, Tier] = {}
    submissions: dict[str, list[dict[str, Any]]] = {}
    for result in board.results:
        tiers[result.key] = min((reached[path.parent] for path in result.paths), key=TIERS.index)
        if result.submission is not None:
            told = asdict(result.submission) | {"external": result.submission.external or NONE}
            submissions.setdefault(result.label, []).append(told)
    connected, unread = all_of(results, connectivity.FILE, connectivity.read)
    problems += unread
    opened = {reference(zoo).label(): zoo for zoo in map(zoos.open, zoo_folders)}
    symmetries: dict[str, list[Report]] = {}
    for report in certificates.reports:
        symmetries.setdefault(report.zoo.label(), []).append(report)
    remarks = [*board.remarks(), *(f"left out: {line}" for line in problems)]
    remarks = [line.replace(f"{results}{os.sep}", "") for line in remarks]  # where it lies here is nobody's business
    by_key = {result.key: result for result in board.results}
    lines = {one.zoo.label(): one for one in connected}
    return Source(board, by_key, tiers, submissions, symmetries, lines, opened, notices(board.results), remarks)


def _tier(held: list[Stored], verified: list[Verification], results: Path) -> Tier:
    """What maintainers found of the records in a folder; self-reported where it was of other records."""
    try:
        return tier(held, verified, results)
    except ValueError:
        return TIERS[0]
