"""Hidden axes: what varies between the nets of a zoo and is no hyper-parameter, so that only the weights can tell it."""

import dataclasses
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from zoo.booleans import no_booleans

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=1)]
Range = tuple[float, float] | tuple[int, int]  # (low, high), both ends included


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=False, allow_inf_nan=False))
class Hidden:
    """Ranges (low, high) that are drawn from once a net; None: no such axis. All are about the training images alone.

    They are columns and targets of a zoo and none of its hyper-parameters, which metanets may see. The number of steps
    does not depend on them: a net that sees few images passes over them again until an epoch's steps are done. Images are
    counted behind the held-out ones. What nets are measured on is clean, with true labels.
    """

    wrong_labels: tuple[Share, Share] | None = None  # share of the images seen with another class as label; uniform, < 1
    training_images: tuple[Count, Count] | None = None  # distinct images seen; whole numbers, log-uniform
    corrupted_images: tuple[Share, Share] | None = None  # share of the images seen under Gaussian noise; uniform
    imbalance: tuple[Ratio, Ratio] | None = None  # images of the most frequent class for one of the least; log-uniform

    _numbers = no_booleans

    @property
    def axes(self) -> dict[str, Range]:
        """The axes that there are, with their ranges."""
        ranges = {axis.name: getattr(self, axis.name) for axis in dataclasses.fields(self)}
        return {name: ends for name, ends in ranges.items() if ends is not None}

    def __str__(self) -> str:
        return ", ".join(f"{name} {ends}" for name, ends in self.axes.items()) or "none"

    @field_validator("wrong_labels", "training_images", "corrupted_images", "imbalance")
    @classmethod
    def _ordered(cls, ends: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
        if ends is not None and ends[0] > ends[1]:
            raise ValueError(f"a range is (low, high), found {ends}")
        return ends

    @field_validator("wrong_labels")
    @classmethod
    def _some_right(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and ends[1] >= 1:
            raise ValueError(f"wrong labels lie in [0, 1), found {ends}")
        return ends

    @model_validator(mode="after")
    def _one_number_of_images(self) -> "Hidden":
        if self.training_images is not None and self.imbalance is not None:
            raise ValueError("imbalance says how many images are seen, and so does training_images; give one of them")
        return self
