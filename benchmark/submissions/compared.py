"""How predictions of the same code, made twice, compare: the same, close, or different."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchmark.records.predictions import keys
from benchmark.records.records import Stored
from benchmark.statistics.derived import derived
from zoo.storage import files

Verdict = Literal["same", "close", "different"]
VERDICTS: tuple[Verdict, ...] = ("same", "close", "different")  # from the best on
# Six metanets with three seeds on the two ResNet8 zoos of the Lite run, fitted with one thread, were fitted again with two,
# and with the kernels of an older processor. Most predictions moved by less than 4e-6 of the targets' spread, by rounding;
# those of DeepSets, whose training blows rounding up, by up to .095 (root mean square), and R² by .015. DMC, with other
# kernels, moved by .58 and R² by .22, as far as another seed would: it is told different unless the processor is alike,
# which is why it is said how far seeds are apart. Predictions moved towards the labels may be close too, by CLOSER in R².
# Rounding moves R² and tau up as often as down, so over seeds it gains nothing, and edits do: more than GAIN of either is
# not called verified, nor where predictions are the same: to put nets that are predicted alike in the order of their labels
# takes less than SAME.
SAME = 1e-5  # standard deviations of the targets, on any net
CLOSE = 0.2  # standard deviations, root mean square: twice what was found
CLOSER = 0.03  # in R², of 1 - R² where that is more than 1: twice what was found
GAIN = 0.005  # in R² or tau of test nets, as submitted less again, mean over records


@dataclass(frozen=True)
class Compared:
    """A record and its second run: `file` below the leaderboard's folder, and its SHA-256.

    `largest` and `rms` are differences of predictions in standard deviations of the targets, of validation and test nets;
    `r2` and `tau` are theirs as submitted, and again. `apart`: as `rms`, of the test nets, between the record and those of
    other seeds, at most; None where there are none.
    """

    file: str
    sha256: str
    seed: int
    verdict: Verdict
    largest: dict[str, float]
    rms: dict[str, float]
    r2: dict[str, tuple[float, float]]
    tau: dict[str, tuple[float, float]]
    apart: float | None

    def line(self) -> str:
        """In words."""
        scores = (
            f"{name} {one:.3f}, again {two:.3f}" for name, (one, two) in (("R²", self.r2["test"]), ("tau", self.tau["test"]))
        )
        far = f"test predictions differ by {self.rms['test']:.2g} of the targets' spread, at most {self.largest['test']:.2g}"
        seeds = "" if self.verdict == "same" or self.apart is None else f"; seeds are up to {self.apart:.2g} apart"
        return f"seed {self.seed}: {self.verdict}: {far}; {'; '.join(scores)}{seeds}"


def compared(submitted: Stored, again: Stored, folder: str, others: Sequence[Stored] = ()) -> Compared:
    """A record compared with what its code predicts now for the same nets and targets; `others`: of its other seeds."""
    far = {split: _differences(submitted, again, split) for split in ("validation", "test")}
    largest, rms = ({split: how(one) for split, one in far.items()} for how in (_largest, _rms))
    apart = [_rms(_differences(submitted, other, "test")) for other in others]
    scores = derived(submitted.frame), derived(again.frame)
    r2, tau = ({split: tuple(getattr(one, split)[name] for one in scores) for split in largest} for name in ("r2", "tau"))
    return Compared(
        file=f"{folder}/{submitted.path.name}",
        sha256=files.hash_of(submitted.data),
        seed=submitted.record.seed,
        verdict=_verdict(max(largest.values()), max(rms.values()), list(r2.values())),
        largest=largest,
        rms=rms,
        r2=r2,
        tau=tau,
        apart=max(apart, default=None),
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts."""
    return max(verdicts, key=VERDICTS.index)


def gained(found: Sequence[Compared]) -> dict[str, float]:
    """How much more R² and tau of the test nets records have as submitted than again: the mean over them, with its sign."""
    scores = {"R²": [one.r2["test"] for one in found], "tau": [one.tau["test"] for one in found]}
    return {name: float(np.mean([one - two for one, two in pairs])) for name, pairs in scores.items()}


def _verdict(largest: float, rms: float, r2: Iterable[tuple[float, float]]) -> Verdict:
    if largest <= SAME:
        return "same"
    near = all(abs(one - two) <= CLOSER * max(1, 1 - two) for one, two in r2)
    return "close" if near and rms <= CLOSE else "different"


def _differences(one: Stored, two: Stored, split: str) -> Float[np.ndarray, " net"]:
    """How far the predictions of a split's nets are apart, in standard deviations of their targets."""
    first, second = (_ordered(found.frame, split) for found in (one, two))
    with np.errstate(all="ignore"):  # what is enormous is different
        far = first["prediction"].to_numpy() - second["prediction"].to_numpy()
        return np.nan_to_num(far / second["target"].to_numpy().std())  # JSON has no infinity


def _ordered(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    return frame[frame["split"] == split].sort_values(keys(frame), ignore_index=True)


def _largest(far: Float[np.ndarray, " net"]) -> float:
    return float(np.abs(far).max())


def _rms(far: Float[np.ndarray, " net"]) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.sqrt(np.square(far).mean())))
