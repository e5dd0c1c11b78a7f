"""Checking a folder of records, with submissions or without: everything is derived again, and what is wrong is named.

Labels are compared with the zoo's where the zoo is given. Where it is not, those in the predictions are taken, and
records must only agree with each other; `Checked.labelled` counts which is which. A bad file hides no other: each is named.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.records import records
from benchmark.records.corrections import SUBMISSION, corrected, corrects, is_unfinished, stem
from benchmark.records.records import Record, Stored
from benchmark.scoring.task import opened, zoos_in
from benchmark.submissions.cross_checks import Seen, at_odds, other_nets, together
from benchmark.submissions.record_checks import examined, is_known
from benchmark.submissions.submission import read_submission
from benchmark.submissions.verification import STRAY, Verification, tier, verifications
from zoo.messages import plain


@dataclass(frozen=True)
class Checked:
    """What a check of a folder found: the problems, a line each; how many records, and of how many the labels compared."""

    problems: tuple[str, ...]
    records: int
    labelled: int


def check(folder: Path, zoo_folders: Sequence[Path] = ()) -> Checked:
    """Derives everything under a folder of records again, with submissions or without. Raises FileNotFoundError if none.

    Records of a zoo that is not given are taken at their labels; those of the same zoo must agree.
    """
    known, problems, found = opened(zoos_in(zoo_folders)), _links(folder), list[Record]()
    seen: dict[tuple[object, ...], tuple[Path, pd.Series]] = {}
    tasks: dict[tuple[str, str, str], Seen] = {}
    homes = sorted({path.parent for name in ("seed-*.json", SUBMISSION, STRAY) for path in folder.glob(f"**/{name}")})
    verified, unread = verifications(folder)
    if not homes:
        raise FileNotFoundError(f"{folder}: no records there; `metazoo score` writes them")
    for home in homes:
        here, wrong = examined(sorted(home.glob("seed-*.json")), known, below=folder)
        for one in here:
            wrong += [f"{one.path}: {line}" for line in (*_misplaced(one), *at_odds(one, seen), *other_nets(one, tasks))]
        problems += wrong + _home_problems(home, here, folder, verified)
        found += [one.record for one in here]
    problems += unread + _rivals(homes, folder)
    labelled = sum(is_known(record, known) for record in found)
    return Checked(tuple(map(plain, problems)), len(found), labelled)


def _links(folder: Path) -> list[str]:
    """Links under a folder: none is followed."""
    found = [Path(where) / name for where, folders, names in os.walk(folder) for name in (*folders, *names)]
    return [f"{path} is a link; expected files and folders only" for path in sorted(found) if path.is_symlink()]


def _misplaced(found: Stored) -> Iterator[str]:
    """Whether a record lies elsewhere than where the leaderboard's folders have it."""
    expected = records.path_of(Path(), found.record.task, found.record.metanet.name, found.record.seed).parent
    home = found.path.absolute().parent
    if (*home.parts[-3:-1], stem(home.name)) != expected.parts:
        yield f"expected it in {expected}"


def _home_problems(home: Path, found: list[Stored], below: Path, verified: list[Verification]) -> list[str]:
    """What is wrong with one folder beside its records one by one."""
    is_submitted = (home / SUBMISSION).exists()
    lines = together(found, submitted=is_submitted)
    stems = {path.stem for path in home.glob("seed-*.json")}
    for path in sorted(home.iterdir()):
        if path.name == STRAY:
            lines.append(f"{path} came with the records and gives them no tier; remove it")
        elif path.name != SUBMISSION and (path.stem not in stems or path.suffix not in (".json", ".parquet")):
            lines.append(f"{path} belongs to no record here; remove it")
    if is_unfinished(home):
        lines.append(f"{home}: a correction without {SUBMISSION}, which does not count; submit it again or remove it")
    if is_submitted and not stems:
        lines.append(f"{home}: a submission without records")
    try:
        if is_submitted:
            lines += _bad_supersession(home, read_submission(home / SUBMISSION, below=below).supersedes)
        tier(found, verified, below)
    except ValueError as error:
        lines.append(str(error))
    return lines


def _bad_supersession(home: Path, supersedes: str | None) -> Iterator[str]:
    if (supersedes is None) != (stem(home.name) == home.name):
        yield f"{home / SUBMISSION}: supersedes {supersedes}, but only a folder NAME.2, NAME.3 and so on is a correction"
    elif supersedes is not None and not (corrects(home, supersedes) and home.with_name(supersedes).is_dir()):
        yield f"{home / SUBMISSION}: supersedes {supersedes}, expected an earlier folder of the same metanet beside it"


def _rivals(homes: Iterable[Path], below: Path) -> list[str]:
    """Folders of one metanet on one task that count both: a correction that does not supersede the newest."""
    counting: dict[Path, list[str]] = {}
    gone = {_superseded(home, below) for home in homes}
    for home in homes:
        if home not in gone and not is_unfinished(home):
            counting.setdefault(home.with_name(stem(home.name)), []).append(home.name)
    more = "a correction supersedes the newest, and is by the same contact"
    return [
        f"{plain.parent}: {' and '.join(names)} both count; {more}" for plain, names in counting.items() if len(names) > 1
    ]


def _superseded(home: Path, below: Path) -> Path | None:
    try:
        return corrected(home / SUBMISSION, below=below)
    except ValueError:  # none there, or named as a problem already
        return None
