"""Types are checked at each call in tests: by jaxtyping where they speak of shapes, which takes many times as long, and by
the type checker alone where they do not.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ForwardRef, Literal, get_args, get_origin

import jaxtyping

_jaxtyped = jaxtyping.jaxtyped


def speaks_of_shapes(annotation: Any) -> bool:
    """Whether an array type stands in it; of a text, which names what is not known yet, that is assumed."""
    if isinstance(annotation, list | tuple):
        return any(map(speaks_of_shapes, annotation))
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    if get_origin(annotation) is Literal:
        return False
    return isinstance(annotation, str | ForwardRef) or speaks_of_shapes(get_args(annotation))


def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """What jaxtyping puts on each function and class of the packages it checks."""

    def decorated(made: Any) -> Any:
        function = made.__init__ if dataclasses.is_dataclass(made) else made
        if not inspect.isfunction(function) or speaks_of_shapes([*inspect.get_annotations(function).values()]):
            return _jaxtyped(made, typechecker=typechecker)
        if function is made:
            return typechecker(made)
        made.__init__ = typechecker(function)
        return made

    return decorated


jaxtyping.jaxtyped = jaxtyped  # what its import hook, of `--jaxtyping-packages`, writes before each function and class
