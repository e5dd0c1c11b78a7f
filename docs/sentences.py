"""The numbers in sentences and tables of the READMEs that follow from records: `python docs/sentences.py` writes them anew.

A phrase of PHRASES stands once on its page, wherever its lines break; each format in braces is a number, .95 for 0.95.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

from benchmark.analyses import certificates, connectivity
from benchmark.leaderboard.compare import comparison
from benchmark.leaderboard.leaderboard import Leaderboard, Result, leaderboard
from benchmark.leaderboard.power import power_of
from benchmark.records import records
from benchmark.statistics.metrics import r2

ROOT = Path(__file__).parent.parent
RESULTS, STRENGTH = ROOT / "data/results", ROOT / "data/strength"
CIFAR, CIFAR_W, DIGITS, DIGITS_W = (
    f"{images}-resnet8-{family}" for images in ("cifar10-16px", "digits") for family in ("standard", "w_asymmetric")
)
FEW_IMAGES = "digits-size-resnet8-standard"
PLAIN, BARRIERS, FEW, SHIFT = (
    "test_accuracy",
    "barrier_mid,pairs=900",
    "test_accuracy,nets=32",
    "test_accuracy,shift=learning_rate",
)
RECIPE, TREES = "gp_hyper_parameters", "trees_hyper_parameters"
SURE = "{:.3f} [{:.3f}, {:.3f}]"
OF_R2 = ("r2_mean", "r2_low", "r2_high")
MORE = "more seeds"  # where no number of test nets is enough
NUMBER = rf"([+-]?[\d,]*\.?\d+|{MORE})"


@dataclass(frozen=True)
class Records:
    """What can be asked of the records in git. A zoo is told by its name."""

    board: Leaderboard

    def cells(self, zoo: str, metanets: str, *columns: str, task: str = PLAIN) -> list[float]:
        """These columns of the leaderboard's cells, metanet after metanet."""
        cells = self.board.cells
        here = cells[(cells["task"] == task) & cells["zoo"].str.fullmatch(f"{zoo}-[0-9a-f]+")].set_index("metanet")
        return [float(here.at[name, column]) for name in metanets.split() for column in columns]

    def above(self, zoo: str, one: str, other: str) -> list[float]:
        """By how much one metanet's R² is above the other's, and the interval, as `metazoo compare` has them."""
        of = {result.label: result for result in self.board.results if _is(result, PLAIN, zoo)}
        found = comparison(of[one], of[other])
        return [found.value, found.low, found.high]

    def power(self, task: str, *zoos: str, columns: Sequence[str] = ("nets", "least", "needed")) -> list[float]:
        """The columns of `benchmark.leaderboard.power` on some zoos; the nets are the same on all."""
        found = [power_of([one for one in self.board.results if _is(one, task, zoo)]).iloc[0] for zoo in zoos]
        return [float(one[name]) for name in columns for one in (found[:1] if name == "nets" else found)]

    def zoo_for(self, zoo: str, nets: int) -> float:
        """How large a zoo must be for .01 to be found, to hundreds; `nets` has this one."""
        has, needed = self.power(PLAIN, zoo, columns=("nets", "needed"))
        return round(needed / has * nets, -2)

    def certificate(self, metanet: str) -> certificates.Certificate:
        """The certificate on the standard CIFAR-10 nets."""
        (found,) = [
            row
            for one in certificates.kept(RESULTS).reports
            for row in one.rows
            if (one.zoo.name, row.metanet) == (CIFAR, metanet)
        ]
        return found

    def barriers(self, zoo: str, remove: str) -> list[float]:
        """Means and intervals of the barriers of `metazoo connect`: of the loss in the middle, at most, and of accuracy."""
        (path,) = RESULTS.glob(f"{zoo}-*/{connectivity.FILE}")
        (row,) = [row for row in connectivity.read(path).rows if row.remove == remove]
        told = [row.barriers[name] for name in ("barrier_mid", "barrier_max", "accuracy_barrier_mid")]
        return [float(value or 0) for one in told for value in (one.mean, one.low, one.high)]

    def by_strength(self, zoo: str, metanet: str = TREES) -> tuple[float, float]:
        """A metanet's R², and the median accuracy of the test nets, of a zoo of data/strength."""
        paths = STRENGTH.glob(f"{zoo}-*/{PLAIN}/{metanet}/seed-*.json")
        frames = [records.read_predictions(path, records.read(path)).query("split == 'test'") for path in paths]
        scores = [r2(one["target"].to_numpy(), one["prediction"].to_numpy()) for one in frames]
        return mean(scores), median(frames[0]["target"])


def _is(result: Result, task: str, zoo: str) -> bool:
    return result.key[0] == task and result.key[1].rsplit("-", 1)[0] == zoo


def _certified(of: Records) -> list[float]:
    plain, canonical = of.certificate("trees_statistics"), of.certificate("trees_statistics+canonical")
    paid = of.certificate("statnn").r2 - of.certificate("statnn+canonical").r2
    return [canonical.r2, plain.r2, plain.moved_r2 or 0, paid]


PHRASES: dict[str, dict[str, Callable[[Records], list[float]]]] = {
    "README.md": {
        "explains {:.2f} of that, `probe_and_weights` {:.2f}, `hybrid`, which reads weights alone, {:.2f}": (
            lambda of: of.cells(CIFAR, "consensus_and_weights probe_and_weights hybrid", "r2_beyond")
        ),
        "Trees on statistics fall from R² {:.2f} to {:.2f}": lambda of: _certified(of)[1:3],
        "trees on them have R² {:.3f} and {:.3f}, a Gaussian process {:.3f} and {:.3f}": (
            lambda of: [x for name in (TREES, RECIPE) for zoo in (CIFAR, CIFAR_W) for x in of.cells(zoo, name, "r2_mean")]
        ),
        "`consensus` has {:.3f} on standard digits nets, where no other that was tried has more than {:.3f}": (
            lambda of: of.cells(FEW_IMAGES, "consensus probe_and_channels", "r2_mean")
        ),
    },
    "benchmark/README.md": {
        "| CIFAR-10 at 16 x 16, standard / W-asymmetric | {:.0f} | {:.3f} / {:.3f} | {:,.0f} / {:,.0f} |": (
            lambda of: of.power(PLAIN, CIFAR, CIFAR_W)
        ),
        "| digits, standard / W-asymmetric | {:.0f} | {:.3f} / {:.3f} | {:,.0f} / {:,.0f} |": (
            lambda of: of.power(PLAIN, DIGITS, DIGITS_W)
        ),
        "| barriers of digits nets, standard / W-asymmetric | {:.0f} | {:.3f} / {:.3f} | {:,.0f} / {:,.0f} |": (
            lambda of: of.power(BARRIERS, DIGITS, DIGITS_W)
        ),
        "for standard ones it takes a zoo of {:,.0f}": lambda of: [of.zoo_for(CIFAR, 512)],
        f"above trees on hyper-parameters by {SURE}": lambda of: of.above(DIGITS, "probe_and_weights", TREES),
        f"above a Gaussian process by {SURE}": lambda of: of.above(DIGITS, "probe_and_weights", RECIPE),
        f"above statistics by {SURE} on standard nets": (
            lambda of: of.above(DIGITS, "probe_and_weights", "trees_statistics")
        ),
        f"above statistics by {SURE} on W-asymmetric": (
            lambda of: of.above(DIGITS_W, "probe_and_weights", "trees_statistics")
        ),
    },
    "benchmark/statistics/README.md": {
        "on hyper-parameters alone has R² {:.2f} on standard CIFAR-10 nets": (lambda of: of.cells(CIFAR, RECIPE, "r2_mean")),
    },
    "metanets/structured/README.md": {
        f"| `{name}` | {{:,.0f}} |": lambda of, name=name: of.cells(CIFAR, name, "parameters")
        for name in ("mp_gmn", "mp_scale_gmn", "scale_gmn", "nfn", "nfn_np", "set_of_channels", "hybrid")
    },
    "zoo/landscape/README.md": {
        **{
            f"| `standard`, {what} | {SURE} | {SURE} | {SURE} |": lambda of, what=what: of.barriers(CIFAR, what)
            for what in ("none", "permutation", "scale", "scale+permutation")
        },
        f"| `w_asymmetric`, none | **{SURE}** | {SURE} | {SURE} |": lambda of: of.barriers(CIFAR_W, "none"),
    },
    "docs/fair-comparison.md": {
        "hyper-parameters alone has R² {:.3f} on standard nets and {:.3f} on W-asymmetric ones": (
            lambda of: of.cells(CIFAR, RECIPE, "r2_mean") + of.cells(CIFAR_W, RECIPE, "r2_mean")
        ),
        "R² {:.3f} on the standard CIFAR-10 nets": lambda of: of.cells(CIFAR, RECIPE, "noise_ceiling"),
        "{:.0f} tell {:.3f} on standard nets and {:.3f} on W-asymmetric ones": (
            lambda of: of.power(PLAIN, CIFAR, CIFAR_W, columns=("nets", "least"))
        ),
        "from 32 standard CIFAR-10 nets trees on the recipe have R² {:.3f}, a Gaussian process {:.3f}": (
            lambda of: of.cells(CIFAR, f"{TREES} {RECIPE}", "r2_mean", task=FEW)
        ),
    },
    "docs/findings.md": {
        "ridge has {:.2f} [{:.2f}, {:.2f}], a gain of {:.3f} [{:.3f}, {:.3f}]": (
            lambda of: of.cells(CIFAR_W, "ridge", *OF_R2, "gain", "gain_low", "gain_high", task=SHIFT)
        ),
        "`set_of_channels` gains {:.3f} [{:.3f}, {:.3f}]": (
            lambda of: of.cells(CIFAR_W, "set_of_channels", "gain", "gain_low", "gain_high", task=SHIFT)
        ),
        "trees, which have {:.3f} from 32 standard nets where it has {:.3f}": (
            lambda of: of.cells(CIFAR, f"{TREES} {RECIPE}", "r2_mean", task=FEW)
        ),
        "`consensus_and_weights` gained {:.3f}": (
            lambda of: [np.subtract(*of.cells(CIFAR, f"consensus_and_weights {TREES}", "r2_mean", task=FEW))]
        ),
        "`consensus_and_weights` explains {:.2f} [{:.2f}, {:.2f}]": (
            lambda of: of.cells(CIFAR, "consensus_and_weights", "r2_beyond", "r2_beyond_low", "r2_beyond_high")
        ),
        "which reads weights alone, {:.2f} [{:.2f}, {:.2f}]": (
            lambda of: of.cells(CIFAR, "hybrid", "r2_beyond", "r2_beyond_low", "r2_beyond_high")
        ),
        "R² {:.2f} by `probe_and_weights` where trees on both recipes have {:.2f} on standard nets": (
            lambda of: of.cells(DIGITS, f"probe_and_weights {TREES}", "r2_mean", task=BARRIERS)
        ),
        "({:.3f} on validation nets, where plain ones have {:.3f} and fall to {:.2f} on moved nets); StatNN pays {:.2f}": (
            _certified
        ),
        "ScaleGMN ({:.2f}) is not above NFN ({:.2f}, {:.2f})": (
            lambda of: of.cells(CIFAR, "scale_gmn nfn nfn_np", "r2_mean")
        ),
        "ridge goes from nothing to {:.2f}": lambda of: [of.by_strength("digits-n3-k2.0-w_asymmetric", "ridge")[0]],
        "its test nets have a median of {:.2f}, standard ones {:.2f}": (
            lambda of: [of.by_strength(zoo)[1] for zoo in ("digits-n1-k0.25-w_asymmetric", "digits-resnet8-standard")]
        ),
        "(median {:.2f})": lambda of: [of.by_strength("digits-n3-k2.0-w_asymmetric")[1]],
    },
}


def pattern(phrase: str) -> str:
    """A regular expression of the phrase with any numbers, a group each, and any white space."""
    parts = re.split(r"\{:.*?\}", phrase)
    return NUMBER.join(re.escape(part).replace(r"\ ", r"\s+") for part in parts)


def told(phrase: str, values: Sequence[float]) -> list[str]:
    """Each value in its format. Raises ValueError where there are more or fewer than formats."""
    formats = re.findall(r"\{:.*?\}", phrase)
    words = [form.format(value) if abs(value) < float("inf") else MORE for form, value in zip(formats, values, strict=True)]
    return [re.sub(r"^([+-]?)0\.", r"\1.", word) for word in words]


def written(text: str, phrase: str, values: Sequence[float]) -> str:
    """The text with these numbers in its phrase. Raises ValueError where that does not stand there just once."""
    found = list(re.finditer(pattern(phrase), text))
    if len(found) != 1:
        raise ValueError(
            f"the phrase stands there {len(found)} times, expected once; write it so, or change PHRASES: {phrase}"
        )
    for number, word in reversed(list(enumerate(told(phrase, values), start=1))):
        text = text[: found[0].start(number)] + word + text[found[0].end(number) :]
    return text


def pages(board: Leaderboard) -> dict[str, str]:
    """Each page of PHRASES, with the numbers of the records. Raises ValueError naming a page and a phrase."""
    of, made = Records(board), {}
    for page, phrases in PHRASES.items():
        text = (ROOT / page).read_text()
        for phrase, values in phrases.items():
            try:
                text = written(text, phrase, values(of))
            except ValueError as error:
                raise ValueError(f"{page}: {error}") from None
        made[page] = text
    return made


def main() -> None:
    """Writes them."""
    for page, text in pages(leaderboard(RESULTS)).items():
        (ROOT / page).write_text(text)


if __name__ == "__main__":
    main()
