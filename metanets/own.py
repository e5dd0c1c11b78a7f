"""Metanets that users bring along: what may be one, and how it becomes a `Metanet`."""

import ast
import inspect
import linecache
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from metanets.fit import by_gradient
from metanets.inputs import batch, canonical
from metanets.inputs.table import INPUTS, Input
from metanets.metanet import Examples, Fit, Fitted, Metanet
from metanets.mistakes import MistakeError, mistakes_named
from metanets.regressor import by_regressor
from zoo.messages import unknown


def metanet_of(found: Any, name: str) -> Metanet:
    """The metanet that an object is: a `Metanet`, an `nn.Module` class, or a regressor of scikit-learn's kind.

    A class says by its attribute `reads` which of INPUTS it reads, the vector unless it does. Raises ValueError by its
    `name` where it is none of these.
    """
    if isinstance(found, Metanet):
        return replace(found, fit=apart(found.fit))
    reads = getattr(found, "reads", "vector")
    if isinstance(found, type) and issubclass(found, nn.Module):
        made = Metanet(reads, by_gradient(found), trained_by_gradient=True)
    elif callable(getattr(found, "fit", None)) and callable(getattr(found, "predict", None)):
        made = Metanet(reads, by_regressor(found))
    else:
        kinds = "a metanets.Metanet, a torch.nn.Module class or a regressor of scikit-learn's kind"
        raise ValueError(f"{name} is a {type(found).__name__}; expected {kinds}")
    if isinstance(reads, str) and canonical.split(reads)[0] not in INPUTS:
        raise ValueError(f"{name}: {unknown('input', reads, INPUTS)}")
    if not isinstance(reads, str | Input) and not callable(reads):
        raise ValueError(
            f"{name}: `reads` is a {type(reads).__name__}; expected one of {', '.join(INPUTS)}, or a function of Nets"
        )
    return made


def own_name(given: Any) -> str:
    """What an object of a user's own is called: `module:NAME`, or `own:NAME` of a notebook or script."""
    kind = given if isinstance(given, type) else type(given)
    home = "own" if kind is Metanet or kind.__module__ == "__main__" else kind.__module__
    return f"{home}:{kind.__name__}"


def source_of(kind: type) -> str | None:
    """The source of a class; of a notebook's, where `inspect` does not look, in the cell of its methods.

    None where there is none.
    """
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        methods = [inspect.unwrap(part) for part in vars(kind).values() if inspect.isfunction(part)]
    lines = linecache.getlines(methods[0].__code__.co_filename) if methods else []
    classes = [node for node in ast.walk(ast.parse("".join(lines))) if isinstance(node, ast.ClassDef)]
    found = [node for node in classes if node.name == kind.__name__]
    return "".join(lines[found[-1].lineno - 1 : found[-1].end_lineno]) if found else None


def apart(fit: Callable[..., Fitted]) -> Callable[..., Fitted]:
    """A `fit` of a user's own that changes nothing for the seeds after it: it is given copies, and so is its `predict`.

    What it raises, and whatever it returns but a Fitted, is a MistakeError.
    """

    def fitted(train: Examples, validation: Examples, **options: Any) -> Fitted:
        with mistakes_named():
            own: object = fit(_copied(train), _copied(validation), **options)
        if not isinstance(own, Fitted):
            raise MistakeError(f"its fit returned a {type(own).__name__}; expected a metanets.Fitted")
        return replace(own, predict=lambda features: own.predict(batch.copied(features)))

    return Fit(fitted, fit.restore) if isinstance(fit, Fit) else fitted


def _copied(examples: Examples) -> Examples:
    return replace(examples, features=batch.copied(examples.features), target=examples.target.copy())
