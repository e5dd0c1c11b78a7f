"""Which track a task belongs to: tracks are tasks of one question each."""

from benchmark.records.facts import facts_by_name
from benchmark.records.records import Task

# Track -> its question, in the order of a table's columns.
TRACKS = {
    "in zoo": "other nets of the same zoo",
    "shift": "nets whose hyper-parameter lies beyond those fitted on",
    "transfer": "nets of another zoo: another family or width, or moved copies",
    "few nets": "as in zoo, fitted on few nets",
    "hidden axes": "nets of one recipe, where hyper-parameters say nothing",
    "pairs": "a number of two nets, such as the barrier between them",
}


def track_of(task: Task) -> str:
    """The track of a task, which follows from it alone; a zoo whose recipe is not known is no zoo of one recipe."""
    if task.pairs is not None:
        return "pairs"
    if task.train_nets is not None:
        return "few nets"
    if task.shift is not None:
        return "shift"
    if task.zoo != task.test_zoo:
        return "transfer"
    return "hidden axes" if (task.facts or facts_by_name(task.test_zoo.name)).varied == [] else "in zoo"
