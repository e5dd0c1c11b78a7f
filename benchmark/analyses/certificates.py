"""Certificates: how far a metanet's predictions move when weights move and the functions do not, kept beside records."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from benchmark.analyses.reports import all_of, value_of
from benchmark.records.records import STRICT, Name, Record, ZooReference
from zoo.storage import files
from zoo.untrusted.schema import validated

NAME = "symmetry-{}.json"  # of the report on a target, in a zoo's folder of the results
SCHEMA: Literal["metazoo-symmetry-3"] = "metazoo-symmetry-3"
BEFORE = ("metazoo-symmetry-1", "metazoo-symmetry-2")
EXACT = 1e-5  # of the target's standard deviation: what float32 would leave of an equality; all is computed in float64
Positive = Annotated[float, Field(ge=0)]
Score = Annotated[float, Field(le=1)]  # R²
Kind = Literal["permutation", "scaling", "size", "together", "worst"]
KINDS: tuple[Kind, ...] = get_args(Kind)


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
    `version`, `code` (the SHA-256 of a user's own) and `training` are as in records, and say which metanet it is, fitted
    with `seed`; None: the report is of a version that does not say.
    """

    metanet: Name
    r2: Score
    changes: dict[Kind, Change]
    command: str
    moved_r2: Score | None = None
    worst_r2: Score | None = None
    exact: bool | None = None
    version: int | None = None
    code: str | None = None
    training: dict[str, Any] | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Certificate":
        """What is said of exactness must follow from the changes, where their largest are known."""
        free = _free(self.changes)
        if None not in free and self.exact != exactness(self.changes):
            raise ValueError(f"exact is {self.exact}, and the largest changes under permutation and scaling {free}")
        return self


@dataclass(frozen=True, config=STRICT)
class Report:
    """The certificates of metanets on a zoo and target, as they are kept beside the zoo's records."""

    schema: Literal["metazoo-symmetry-3"]
    zoo: ZooReference
    target: Name
    rows: Annotated[list[Certificate], Field(min_length=1)]


def exactness(changes: Mapping[Kind, Change]) -> bool | None:
    """Whether no change under permutations and scales is above EXACT; None where these nets have neither."""
    free = _free(changes)
    return all(one is not None and one <= EXACT for one in free) if free else None


def _free(changes: Mapping[Kind, Change]) -> list[float | None]:
    """The largest changes of the kinds that exactness is about."""
    return [change.largest for kind, change in changes.items() if kind in ("permutation", "scaling")]


_REPORT = TypeAdapter(Report).validate_json


def keep(results: Path, zoo: ZooReference, target: str, rows: list[Certificate]) -> Path:
    """Writes a report to the results' folder; returns the path. Certificates of other metanets stay in it.

    Raises ValueError where there is a report that cannot be read.
    """
    path = results / zoo.label() / NAME.format(target)
    before = read(path, below=results).rows if path.exists() else []
    anew = {row.metanet for row in rows}
    report = Report(schema=SCHEMA, zoo=zoo, target=target, rows=[*(row for row in before if row.metanet not in anew), *rows])
    files.write_json(path, asdict(report), below=results)
    return path


def read(path: Path, *, below: Path | None = None) -> Report:
    """A report from a file that may be hostile; `below` as in `records.stored`. Reports of versions before are read too.

    Raises ValueError naming the file and the fields at fault.
    """
    value = value_of(path, below)
    if value.get("schema") in BEFORE and isinstance(value.get("rows"), list):
        command = value.pop("command", None)
        value = {**value, "schema": SCHEMA, "rows": [_upgraded(row, command) for row in value["rows"]]}
    return validated(path, _REPORT, value)


def _upgraded(row: Any, command: Any) -> Any:
    """A row of a report of a version before, where each kind of change stood in two fields of its own."""
    if not isinstance(row, dict):
        return row
    told = [kind for kind in KINDS if row.get(kind) is not None]
    changes = {kind: {"mean": row[kind], "relative": row.get(f"{kind}_relative")} for kind in told}
    gone = {f"{kind}{ending}" for kind in KINDS for ending in ("", "_relative")}
    return {**{name: value for name, value in row.items() if name not in gone}, "changes": changes, "command": command}


@dataclass(frozen=True)
class Kept:
    """The reports in a folder of results by path, and a line on each that cannot be read."""

    reports: tuple[Report, ...] = ()
    unread: tuple[str, ...] = ()

    def of(self, record: Record) -> Certificate | None:
        """The certificate of a record's metanet on its zoo and target, of its version, code and training; or None.

        Certificates are of metanets that were trained on nets as they are, so there is none of augmented ones.
        """
        task, metanet = record.task, record.metanet
        told = metanet.name, metanet.version, metanet.code and metanet.code.sha256
        rows = [row for one in self.reports if (one.zoo, one.target) == (task.zoo, task.target) for row in one.rows]
        for row in rows if not record.augment else ():
            if (row.metanet, row.version, row.code) == told and row.training == record.tuned.get("training"):
                return row
        return None


def kept(results: Path) -> Kept:
    """The reports that lie in a folder of results."""
    found, unread = all_of(results, NAME.format("*"), read)
    return Kept(tuple(found), tuple(unread))
