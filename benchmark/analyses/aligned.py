"""Whether putting all nets of a zoo in one order makes weights readable, as removing the symmetry before training does.

    python -m benchmark.analyses.aligned ZOO [--target test_accuracy]

Ridge reads the weights as they are; in canonical form; and in canonical form with the channels of each net in the order that
is nearest to one training net (Git Re-Basin, arXiv 2209.04836), or nearest to the mean of all training nets, so aligned,
again and again. What no symmetry of the zoo's nets allows, as in W-asymmetric ones, is left as it is.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import zoo as zoos
from benchmark.scoring.task import check_task
from benchmark.statistics.intervals import Interval, interval
from benchmark.statistics.metrics import METRICS
from metanets import METANETS, Examples, Training
from zoo import Nets, Zoo
from zoo.messages import ending_in_words
from zoo.symmetry import act, canonical
from zoo.symmetry.align import align
from zoo.symmetry.group import Group

ROUNDS = 3  # of alignment to the mean; the order hardly changes after the second
SPLITS = ("train", "validation", "test")
Weights = dict[str, Float[Tensor, "_net _weight"]]  # by split


def readable(zoo: Zoo, *, target: str = "test_accuracy") -> dict[str, dict[str, Interval]]:
    """Form of the weights -> metric -> ridge's score on the test nets, with its interval over test nets.

    Raises ValueError where the target cannot be scored, or the zoo's nets have no symmetries that are known.
    """
    check_task(zoo, target)
    nets = {split: zoo.nets(split, inputs="all") for split in SPLITS}
    targets = {split: zoo.columns[target].to_numpy(np.float64)[of.index] for split, of in nets.items()}
    return {form: _scored(weights, targets) for form, weights in _forms(nets)}


def _forms(nets: dict[str, Nets]) -> Iterator[tuple[str, Weights]]:
    first = nets["train"]
    if first.group is None:
        raise ValueError(
            "the symmetries of these nets are not known, so there is nothing to align; expected nets of a layout"
        )
    yield "as they are", {split: of.whole().double() for split, of in nets.items()}
    plain = {split: canonical(of.whole(), of.layout, first.group) for split, of in nets.items()}
    yield "canonical", plain
    found = {split: aligned(weights, plain["train"][0], first, first.group) for split, weights in plain.items()}
    yield "aligned to one net", found
    for _ in range(ROUNDS):
        mean = found["train"].mean(dim=0)
        found = {split: aligned(weights, mean, first, first.group) for split, weights in found.items()}
    yield "aligned to the mean", found


def aligned(
    weights: Float[Tensor, "net weight"], to: Float[Tensor, " weight"], nets: Nets, group: Group
) -> Float[Tensor, "net weight"]:
    """Each net with its channels in the order that is nearest to `to`."""
    if not group.orders:
        return weights
    return act(weights, nets.layout, align(to.expand_as(weights), weights, nets.layout, group))


def _scored(weights: Weights, targets: dict[str, np.ndarray]) -> dict[str, Interval]:
    parts = [Examples(weights[split].float(), targets[split]) for split in SPLITS]
    predict = METANETS["ridge"].fit(*parts[:2], training=Training(), seed=0).predict
    predicted = predict(parts[2].features)[None]
    return {name: interval(targets["test"], predicted, METRICS[name]) for name in ("r2", "tau")}


@ending_in_words()
def main() -> None:
    """Prints ridge's scores on one zoo, form by form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path, help="a zoo's folder")
    parser.add_argument("--target", default="test_accuracy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for form, scores in readable(zoos.open(given.zoo), target=given.target).items():
        said = ", ".join(f"{name} {of.value:.3f} [{of.low:.3f}, {of.high:.3f}]" for name, of in scores.items())
        print(f"ridge on weights {form}: {said}")


if __name__ == "__main__":
    main()
