"""What a folder of trials does not say of itself: which results are a checkpoint's, and in which unit accuracies are.

Both are read off all trials together, and asked for where these leave more than one reading.
"""

from pathlib import Path

from zoo.importers.modelzoos.results import accuracies
from zoo.importers.modelzoos.trials import Trial
from zoo.messages import some_numbers

UNITS = {"auto": 0.0, "share": 1.0, "percent": 100.0}  # what the source writes for 1


def offsets(trial: Trial) -> set[int]:
    """The offsets with which every checkpoint has its results; the net before training, number 0, may have none.

    Where there are results from before training (iteration 0), Ray kept a checkpoint of them, so numbers are iterations.
    """
    fits = {0} if trial.checkpoints.keys() - {0} <= trial.results.keys() else set()
    shifted = {number + 1 for number in trial.checkpoints} <= trial.results.keys() and 0 not in trial.results
    return fits | ({1} if shifted else set())


def check_paired(trial: Trial) -> None:
    """Raises ValueError where with no offset every checkpoint has its results."""
    if not offsets(trial):
        raise ValueError(f"{_ranges(trial)}, which do not belong together; offset=0 or offset=1 says which do")


def _ranges(trial: Trial) -> str:
    checkpoints, iterations = some_numbers(trial.checkpoints), some_numbers(trial.results)
    return f"{trial.folder}: checkpoints {checkpoints}, results of training_iteration {iterations}"


def offset(root: Path, trials: list[Trial]) -> int:
    """The only offset that fits all trials, each of which has one. Raises ValueError where both do, or none."""
    fits = set.intersection(*map(offsets, trials))
    if len(fits) == 1:
        return fits.pop()
    if not fits:
        alone = [next(trial for trial in trials if offsets(trial) == {at}) for at in (0, 1)]
        raise ValueError(
            f"{root}: no offset fits all trials: {_ranges(alone[0])}; {_ranges(alone[1])}; set offset to 0 or 1"
        )
    raise ValueError(
        f"{_ranges(trials[0])}: checkpoint n may have the results of iteration n (offset=0, as the authors' loader reads "
        "them: checkpoint 0 is the net before training) or of iteration n + 1 (offset=1, if the program that trained "
        "numbered checkpoints from 0 and iterations from 1); set offset to the one that holds"
    )


def unit(root: Path, trials: list[Trial]) -> float:
    """What the source writes for an accuracy of 1. Raises ValueError where trials differ."""
    peaks = {trial.folder.name: max(values) for trial in trials if (values := accuracies(trial.results))}
    percent = [name for name, peak in peaks.items() if peak > 1]
    if percent and len(percent) < len(peaks):
        share = next(name for name in peaks if name not in percent)
        raise ValueError(
            f"{root}: accuracies of {percent[0]} reach {peaks[percent[0]]:g}, those of {share} only {peaks[share]:g}; "
            "set accuracy to percent or share"
        )
    return UNITS["percent" if percent else "share"]


def check_accuracies(trials: list[Trial], unit: float) -> None:
    """Raises ValueError naming the first trial with an accuracy that is none in this unit."""
    for trial in trials:
        if wrong := [value for value in accuracies(trial.results) if not 0 <= value <= unit]:
            raise ValueError(f"{trial.folder / 'result.json'}: an accuracy of {wrong[0]:g}, expected 0 to {unit:g}")
