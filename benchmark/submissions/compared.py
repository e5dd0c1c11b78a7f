"""How predictions of the same code, made twice, compare: the same, close, or different."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from benchmark.records.predictions import keys
from benchmark.records.records import Stored
from benchmark.statistics.derived import derived
from zoo.storage import files

Verdict = Literal["same", "close", "different"]
VERDICTS: tuple[Verdict, ...] = ("same", "close", "different")  # from the best on
# Seven metanets with three seeds on the two ResNet8 zoos of the Lite run, fitted with one thread, were fitted again with
# two, and with the kernels of an older processor. Of most, predictions moved by less than 4e-6 of the targets' spread, by
# rounding; but of DeepSets, whose training blows rounding up, by up to .095 (root mean square), and R² by .015. Someone who
# edits predictions gains no more than CLOSER in R² without being told different.
SAME = 1e-5  # standard deviations of the targets, on any net
CLOSE = 0.2  # standard deviations, root mean square: twice what was found
CLOSER = 0.03  # in R², of 1 - R² where that is more than 1: twice what was found


@dataclass(frozen=True)
class Compared:
    """A record and its second run: `file` below the leaderboard's folder, and its SHA-256.

    `largest` and `rms` are differences of predictions in standard deviations of the targets, of validation and test nets;
    `r2` and `tau` are theirs as submitted, and again.
    """

    file: str
    sha256: str
    seed: int
    verdict: Verdict
    largest: dict[str, float]
    rms: dict[str, float]
    r2: dict[str, tuple[float, float]]
    tau: dict[str, tuple[float, float]]

    def line(self) -> str:
        """In words."""
        scores = (
            f"{name} {one:.3f}, again {two:.3f}" for name, (one, two) in (("R²", self.r2["test"]), ("tau", self.tau["test"]))
        )
        far = f"test predictions differ by {self.rms['test']:.2g} of the targets' spread, at most {self.largest['test']:.2g}"
        return f"seed {self.seed}: {self.verdict}: {far}; {'; '.join(scores)}"


def compared(submitted: Stored, again: Stored, folder: str) -> Compared:
    """A record compared with what its code predicts now, for the same nets with the same targets."""
    one, two = _ordered(submitted.frame), _ordered(again.frame)
    largest, rms = dict[str, float](), dict[str, float]()
    for split in ("validation", "test"):
        part = (two["split"] == split).to_numpy()
        spread = two["target"].to_numpy()[part].std()
        with np.errstate(all="ignore"):  # what is enormous is different
            far = (one["prediction"].to_numpy() - two["prediction"].to_numpy())[part] / spread
            largest[split] = float(np.nan_to_num(np.abs(far).max()))  # JSON has no infinity
            rms[split] = float(np.nan_to_num(np.sqrt(np.square(far).mean())))
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
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts."""
    return max(verdicts, key=VERDICTS.index)


def _verdict(largest: float, rms: float, r2: Iterable[tuple[float, float]]) -> Verdict:
    if largest <= SAME:
        return "same"
    near = all(abs(one - two) <= CLOSER * max(1, 1 - two) for one, two in r2)
    return "close" if near and rms <= CLOSE else "different"


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["split", *keys(frame)], ignore_index=True)
