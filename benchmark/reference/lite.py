"""The Lite run, which is the reference's smallest size, and which task of the reference a record is of."""

from functools import cache

from benchmark.records import records
from benchmark.reference.reference import Reference, Task, read

LITE = "tiny"  # the size of a Lite run


@cache
def _reference() -> Reference:
    return read()


def is_lite(zoo: str) -> bool:
    """Whether a zoo of that name is one of the Lite run's."""
    entry = _reference().by_name.get(zoo)
    return entry is not None and entry.size == LITE


def task_of(task: records.Task) -> Task | None:
    """The task of `reference-v1` that a record's task is, by the names of its zoos, whatever their bytes; None: of none."""
    zoos = {task.zoo.name, task.test_zoo.name}
    options = task.target, task.inputs, task.shift, task.pairs
    for one in _reference().tasks:
        number = task.train_nets in (one.train_nets or (None,))
        on = zoos <= {*one.zoos} and (one.transfer or len(zoos) == 1)
        if on and number and options == (one.target, one.inputs, one.shift, one.pairs):
            return one
    return None
