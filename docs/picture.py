"""The picture in the README, from what `metazoo demo` leaves: `python docs/picture.py` after it."""

from pathlib import Path

from benchmark.leaderboard.plots import predicted_against_true
from benchmark.records.records import stored
from zoo.dataset.plots import save

SHOWN = ("mlp", "deepsets", "statnn", "trees_hyper_parameters")


def main(demo: Path = Path("data/demo"), to: Path = Path("docs/predicted.png")) -> Path:
    """Each test net of the demo's zoos, predicted by some of the metanets, against the truth."""
    paths = [path for path in sorted(demo.glob("results/*/*/*/seed-*.json")) if path.parent.name in SHOWN]
    return save(predicted_against_true([*map(stored, paths)], sorted(demo.glob("zoos/*"))), to)


if __name__ == "__main__":
    print(main())
