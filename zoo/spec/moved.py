"""What was done to a zoo's nets to make a zoo of moved copies."""

from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from zoo.booleans import no_booleans

Kind = Annotated[str, Field(pattern=r"^(permutation|scale|mix|size)$")]
LINEAGE = "number of the net in the zoo of which these are moved copies"

LARGEST = 30  # beyond it, the epsilon of norms changes what a net of small weights computes


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=False, allow_inf_nan=False))
class Moved:
    """Net i * copies + k is copy k of net i of the source, moved by the element of these kinds that (seed, i, k) draw.

    `source` is the SHA-256 of the source's manifest; `largest` bounds scales and sizes, see `zoo.symmetry.draw`.
    """

    source: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, max_length=4)]
    copies: Annotated[int, Field(ge=1, le=1000)]
    largest: Annotated[float, Field(ge=1, le=LARGEST)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]

    _numbers = no_booleans


def parse(value: object, source: str) -> Moved:
    """What a zoo.json says of moved copies. Raises ValueError naming the file where it is damaged."""
    try:
        return TypeAdapter(Moved).validate_python(value)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(f"{source}: what `moved` says is damaged: {where or 'it is no object'}") from None
