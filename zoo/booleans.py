"""True and false where a number belongs: pydantic would have them be 1 and 0."""

from typing import Any, get_args

from pydantic import field_validator


def _refuse(cls: type, value: Any, info: Any) -> Any:
    kind = cls.__annotations__[str(info.field_name)]
    if bool not in (kind, *get_args(kind)) and _holds_one(value):
        raise ValueError("expected a number, and neither true nor false")
    return value


def _holds_one(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_one, value)))


no_booleans = field_validator("*", mode="before")(
    _refuse
)  # to be an attribute of a pydantic dataclass: holds for its fields
