"""Certificates: how far a metanet's predictions move when weights move and the functions do not, kept beside records."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from benchmark.analyses.reports import all_of, value_of
from benchmark.records.records import STRICT, Name, ZooReference, validated
from benchmark.scoring.find import name_of
from zoo.storage import files

NAME = "symmetry-{}.json"  # of the report on a target, in a zoo's folder of the results
SCHEMA: Literal["metazoo-symmetry-3"] = "metazoo-symmetry-3"
BEFORE = ("metazoo-symmetry-1", "metazoo-symmetry-2")
EXACT = 1e-5  # of the target's standard deviation: what float32 would leave of an equality; all is computed in float64
Positive = Annotated[float, Field(ge=0)]
Kind = Literal["permutation", "scaling", "size", "together", "worst"]


@dataclass(frozen=True, config=STRICT)
class Change:
    """How far predictions move: their mean absolute change over nets and draws, in the target's units.

    `relative` is that in standard deviations of the predictions; None: these are all equal. `share` is the share of nets,
    over draws, whose prediction moves by more than EXACT of the target's standard deviation, and `largest` the largest
    change, in that standard deviation; None: the report is of a version that does not say.
    """

    mean: Positive
    relative: Positive | None
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    largest: Positive | None = None


@dataclass(frozen=True, config=STRICT)
class Certificate:
    """What moving nets does to one metanet, on the validation nets: `changes` has those that these nets' group allows.

    `r2` is of the nets as they are, `moved_r2` of nets moved by all symmetries `together`, `worst_r2` of the worst case.
    `exact`: under permutations and scales no prediction moves by more than EXACT of the target's standard deviation.
    """

    metanet: Name
    r2: float
    changes: dict[Kind, Change]
    moved_r2: float | None = None
    worst_r2: float | None = None
    exact: bool | None = None


@dataclass(frozen=True, config=STRICT)
class Report:
    """The certificates of metanets on a zoo and target, as they are kept beside the zoo's records."""

    schema: Literal["metazoo-symmetry-3"]
    zoo: ZooReference
    target: Name
    command: str
    rows: list[Certificate]


_REPORT = TypeAdapter(Report).validate_json


def keep(results: Path, zoo: ZooReference, target: str, rows: list[Certificate], command: str) -> Path:
    """Writes a report to the results' folder; returns the path."""
    path = results / zoo.label() / NAME.format(target)
    report = Report(schema=SCHEMA, zoo=zoo, target=target, command=command, rows=rows)
    files.write_json(path, asdict(report), below=results)
    return path


def read(path: Path, *, below: Path | None = None) -> Report:
    """A report from a file that may be hostile; `below` as in `records.stored`. Reports of versions before are read too.

    Raises ValueError naming the file and the fields at fault.
    """
    value = value_of(path, below)
    if value.get("schema") in BEFORE and isinstance(value.get("rows"), list):
        value = {**value, "schema": SCHEMA, "rows": [_upgraded(row) for row in value["rows"]]}
    return validated(path, _REPORT, value)


def _upgraded(row: Any) -> Any:
    """A row of a report of a version before, where each kind of change stood in two fields of its own."""
    if not isinstance(row, dict):
        return row
    kinds = [kind for kind in ("permutation", "scaling", "size", "together", "worst") if row.get(kind) is not None]
    changes = {kind: {"mean": row[kind], "relative": row.get(f"{kind}_relative")} for kind in kinds}
    gone = {
        f"{kind}{ending}" for kind in ("permutation", "scaling", "size", "together", "worst") for ending in ("", "_relative")
    }
    return {**{name: value for name, value in row.items() if name not in gone}, "changes": changes}


@dataclass(frozen=True)
class Kept:
    """The reports in a folder of results by path, and a line on each that cannot be read."""

    reports: tuple[Report, ...] = ()
    unread: tuple[str, ...] = ()

    def of(self, zoo: str, target: str, metanet: str) -> Certificate | None:
        """The certificate of a metanet, by its name in records, on the zoo of this label; None where there is none."""
        rows = (row for one in self.reports if (one.zoo.label(), one.target) == (zoo, target) for row in one.rows)
        return next((row for row in rows if name_of(row.metanet) == metanet), None)


def kept(results: Path) -> Kept:
    """The reports that lie in a folder of results."""
    found, unread = all_of(results, NAME.format("*"), read)
    return Kept(tuple(found), tuple(unread))
