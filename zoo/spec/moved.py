"""What was done to a zoo's nets to make a zoo of moved copies."""

from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from zoo.booleans import no_booleans
from zoo.untrusted.schema import validated

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


_MOVED = TypeAdapter(Moved).validate_json


def parse(value: object, source: str) -> Moved:
    """What a zoo.json says of moved copies. Raises ValueError naming the file and the fields at fault."""
    return validated(f"{source}: what `moved` says", _MOVED, value)
