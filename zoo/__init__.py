"""metazoo's zoos: images -> trained nets -> shards -> a data set of weights.

Public names are imported when they are first asked for, so that limited children and the command line's help, which
import parts of this package, do not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.dataset.nets import Nets
    from zoo.dataset.reader import Zoo
    from zoo.hub.fetch import open
    from zoo.jobs.build import build
    from zoo.jobs.status import Status, status
    from zoo.jobs.workers import work
    from zoo.spec.spec import Spec, load
    from zoo.verification import verify

__all__ = ["Nets", "Spec", "Status", "Zoo", "build", "load", "open", "status", "verify", "work"]

_HOMES = {
    "Nets": "dataset.nets",
    "Spec": "spec.spec",
    "Status": "jobs.status",
    "Zoo": "dataset.reader",
    "build": "jobs.build",
    "load": "spec.spec",
    "open": "hub.fetch",
    "status": "jobs.status",
    "verify": "verification",
    "work": "jobs.workers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(import_module(f"zoo.{_HOMES[name]}"), name)
