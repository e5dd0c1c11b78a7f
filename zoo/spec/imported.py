"""What is known of a zoo that others trained: the counterpart of a spec, which would say how to train it again."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from zoo.booleans import no_booleans
from zoo.messages import COLUMN, LINE, Facts, facts_html, facts_text, some_names
from zoo.untrusted.schema import validated

STRICT = ConfigDict(extra="forbid", strict=False, allow_inf_nan=False)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Column = Annotated[str, Field(pattern=f"^{COLUMN}$")]
RESERVED = ("index", "diverged", "split", "weights")  # columns of every zoo: hyper-parameters are none of them, nor targets
OTHERS = f"{', '.join(RESERVED[:-1])} or {RESERVED[-1]}"
Line = Annotated[str, Field(max_length=LINE, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@dataclass(frozen=True, config=STRICT)
class Provenance:
    """Where an imported zoo comes from: `kind` is the importer, `files` the SHA-256 of each file or archive it read.

    Of folders with more files than a hundred, `files` has one digest of all: of the lines `sha256  path`, sorted.
    """

    kind: Line
    title: Line
    url: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9][^\s<>\"'@\\]{0,499})?$")]
    licence: Line
    citation: Line
    files: dict[Line, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    notes: tuple[Line, ...] = ()  # what was left out, and how many; what could not be decided

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        return f"Provenance: {self.title}, by the importer {self.kind}", {
            "url": self.url,
            "licence": self.licence,
            "citation": self.citation,
            "files": f"{len(self.files):,}",
            "notes": f"{len(self.notes):,}",
        }


@dataclass(frozen=True, config=STRICT)
class Imported:
    """A zoo that others trained: its names, its columns and where it comes from.

    `hyper_parameters` and `targets` say what each column is, as others measured it; `columns` are further ones, such as
    the lineage of a net, which no metanet sees. `text` names those whose values are words. `trajectory` are the epochs
    (or the source's own steps) of the checkpoints.
    """

    name: Name
    family: Name
    architecture: Name  # one of ARCHITECTURES where this package can run the nets, else the source's own name
    image_task: Name
    dtype: Literal["float32", "float16"]
    split: Line  # the rule of the splits; for a published one, its name
    provenance: Provenance
    hyper_parameters: dict[Column, Line]
    targets: dict[Column, Line]
    columns: dict[Column, Line]
    text: tuple[Column, ...] = ()
    trajectory: tuple[Annotated[int, Field(ge=0)], ...] = ()

    _numbers = no_booleans

    @property
    def architecture_text(self) -> str:
        """The architecture in words."""
        return self.architecture

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        return f"Imported {self.name}: {self.family} nets, {self.architecture}, on {self.image_task}", {
            "from": f"{self.provenance.title}, by the importer {self.provenance.kind}",
            "licence": self.provenance.licence,
            "hyper-parameters": some_names(self.hyper_parameters),
            "targets": some_names(self.targets),
            "other columns": some_names(self.columns),
            "split": self.split,
            "stored as": self.dtype,
        }


def lines_of(about: Imported) -> list[str]:
    """What was noted when it was imported, and what each column became, for people to read."""
    parts = {"target": about.targets, "hyper-parameter": about.hyper_parameters, "other column": about.columns}
    lines = [f"{part:16} {name}: {text}" for part, columns in parts.items() for name, text in columns.items()]
    none = "no hyper-parameters are known: the baseline that predicts from them alone can only predict a constant"
    return [*about.provenance.notes, *lines, *([] if about.hyper_parameters else [none])]


_IMPORTED = TypeAdapter(Imported).validate_json


def parse(fields: dict[str, Any], source: str) -> Imported:
    """What a zoo.json says of an imported zoo. Raises ValueError naming the fields at fault."""
    found = validated(f"{source}: what it says of an imported zoo", _IMPORTED, fields)
    named = [*found.hyper_parameters, *found.targets, *found.columns]
    if twice := [name for number, name in enumerate(named) if name in (*named[:number], *RESERVED)]:
        raise ValueError(
            f"{source}: column {twice[0]} must be one of hyper_parameters, targets and columns, and no {OTHERS}"
        )
    if wrong := [name for name in found.text if name in found.targets or name not in named]:
        raise ValueError(f"{source}: column {wrong[0]} is in `text`, so it must be a column, and no target")
    return found
