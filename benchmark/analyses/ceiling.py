"""What could be read of nets by who had images of their task: a ceiling for `probe`, and no metanet, which gets none.

    python -m benchmark.analyses.ceiling ZOO [--images FOLDER] [--seeds 5]

Everything is as in `probe`, but in place of noise stand 128 training images, without their labels.
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

import zoo as zoos
from benchmark.scoring.task import check_task
from benchmark.statistics.intervals import Interval, interval
from benchmark.statistics.metrics import METRICS
from metanets import METANETS, Examples, Training
from metanets.inputs.probes import PROBES, answers_to
from zoo import Zoo
from zoo.landscape.material import images_of
from zoo.landscape.paths import some
from zoo.messages import ending_in_words
from zoo.tasks.augment import normalise
from zoo.tasks.images import ImageSet


def ceiling(zoo: Zoo, images: ImageSet, *, target: str = "test_accuracy", seeds: int = 5) -> dict[str, Interval]:
    """Metric -> the score on the test nets with its interval, of `probe` with real images, which chooses nothing.

    Raises ValueError where the target cannot be scored, or the nets cannot be run.
    """
    check_task(zoo, target)
    chosen = some(images, "train", PROBES)
    seen = normalise(chosen.images, chosen.mean, chosen.std)
    parts = {split: _examples(zoo, split, seen, target) for split in ("train", "validation", "test")}
    fits = [
        METANETS["probe"].fit(parts["train"], parts["validation"], training=Training(), seed=seed) for seed in range(seeds)
    ]
    predicted = np.array([fit.predict(parts["test"].features) for fit in fits])
    return {name: interval(parts["test"].target, predicted, METRICS[name]) for name in ("r2", "tau")}


def _examples(zoo: Zoo, split: str, images: Float[Tensor, "image channel height width"], target: str) -> Examples:
    nets = zoo.nets(split, inputs="all")
    return Examples(answers_to(images, nets), zoo.columns[target].to_numpy(np.float64)[nets.index])


@ending_in_words()
def main() -> None:
    """Prints the ceiling of one zoo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path, help="a zoo's folder")
    parser.add_argument("--images", type=Path, help="a folder of the task's images, in the hub's layout")
    parser.add_argument("--target", default="test_accuracy")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    zoo = zoos.open(given.zoo)
    for name, found in ceiling(zoo, images_of(zoo, folder=given.images), target=given.target, seeds=given.seeds).items():
        print(f"{zoo.spec.name}, ceiling by real images, {name}: {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]")


if __name__ == "__main__":
    main()
