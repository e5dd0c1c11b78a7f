"""The picture in the README, from what `metazoo demo` leaves: `python docs/picture.py` after it."""

from pathlib import Path

from benchmark.leaderboard.plots import predicted_against_true
from zoo.dataset.plots import save

SHOWN = ("mlp", "deepsets", "statnn", "trees_hyper_parameters")


def main(demo: Path = Path("data/demo"), to: Path = Path("docs/predicted.png")) -> Path:
    """Each test net of the demo's zoos, predicted by some of the metanets, against the truth."""
    records = [path for path in sorted(demo.glob("results/*/*/*/seed-0.json")) if path.parent.name in SHOWN]
    return save(predicted_against_true(records, sorted(demo.glob("zoos/*"))), to)


if __name__ == "__main__":
    print(main())
