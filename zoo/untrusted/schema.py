"""What JSON says, checked against the classes that it is of: what is wrong is named field by field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

_Loaded = TypeVar("_Loaded")
NAMED = 5  # faults in one message


def validated(path: Path | str, validate: Callable[..., _Loaded], value: object) -> _Loaded:
    """The value as `validate`, a TypeAdapter's `validate_json`, has it. Raises ValueError naming the fields at fault.

    `path` is what messages name: the file, or what of it the value is.
    """
    try:
        return validate(json.dumps(value))
    except RecursionError:
        raise ValueError(f"{path} is damaged: nested too deeply") from None
    except ValidationError as error:
        said = ((".".join(map(str, fault["loc"])), fault["msg"].lower()) for fault in error.errors()[:NAMED])
        faults = "; ".join(f"{where}: {what}" if where else what for where, what in said)
        raise ValueError(f"{path} does not fit its schema: {faults}") from None
