"""What is known of a zoo that others trained: the counterpart of a spec, which would say how to train it again."""

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=False, allow_inf_nan=False)
LINE, NAME = 1000, 100  # characters at most
COLUMN = "[a-z][a-z0-9_]{0,63}"
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Column = Annotated[str, Field(pattern=f"^{COLUMN}$")]
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

    @property
    def architecture_text(self) -> str:
        """The architecture in words."""
        return self.architecture


def parse(fields: dict[str, Any], source: str) -> Imported:
    """What a zoo.json says of an imported zoo. Raises ValueError naming the fields at fault."""
    try:
        return TypeAdapter(Imported).validate_python(fields)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()[:5])
        raise ValueError(f"{source}: what it says of an imported zoo is damaged: {faults}") from None


def plain_line(text: str) -> str:
    """A text of a stranger as a `Line`: ? for what cannot be printed, and cut where it is too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= LINE else f"{plain[: LINE - 3]}..."


def plain_name(text: str) -> str:
    """A text as near to a `Name` as it may be; empty where nothing of it can stay."""
    return re.sub("[^A-Za-z0-9._-]+", "-", text).strip("-._")[:NAME]


def plain_column(text: str) -> str:
    """A text in small letters and underscores, as names of columns are; `is_column` says whether it is one."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def is_column(name: str) -> bool:
    """Whether a text is a `Column`."""
    return bool(re.fullmatch(COLUMN, name))
