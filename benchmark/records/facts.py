"""What boards need to know of a zoo beside predictions: how many test images, and which hyper-parameters differ."""

from functools import cache
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from zoo import Spec, Zoo
from zoo.spec.columns import HYPER_PARAMETERS
from zoo.spec.imported import Imported
from zoo.spec.spec import SPECS, load
from zoo.tasks.image_tasks import TASKS

STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, config=STRICT)
class Facts:
    """Of a test zoo: `test_images` that its accuracies are shares of, and `varied` hyper-parameters. None: not known."""

    test_images: Annotated[int, Field(ge=1)] | None
    varied: list[Annotated[str, Field(min_length=1, max_length=200)]] | None


UNKNOWN = Facts(None, None)


def facts_of(zoo: Zoo) -> Facts:
    """Those of an opened zoo."""
    varied = [name for name in zoo.hyper_parameters if zoo.columns[name].nunique(dropna=False) > 1]
    return Facts(None if isinstance(zoo.spec, Imported) else _test_images(zoo.spec), varied)


@cache
def facts_by_name(zoo: str) -> Facts:
    """Those of the built-in spec of that name, for records that say none: any may have been changed by `--set`."""
    if zoo not in SPECS:
        return UNKNOWN
    spec = load(zoo)
    return Facts(_test_images(spec), [name for name in HYPER_PARAMETERS if _varies(spec, name)])


def _test_images(spec: Spec) -> int | None:
    """As asked for, or all that the task has where it is known."""
    there = TASKS[spec.images.task].test_images
    asked = [number for number in (spec.images.test, there) if number is not None]
    return min(asked, default=None)


def _varies(spec: Spec, name: str) -> bool:
    low, high = getattr(spec.recipe, name)
    return bool(low != high)
