"""Whether bfloat16 changes the science: two zoos of one spec, float32 and bfloat16, and the metanets' scores on both.

    python -m benchmark.analyses.precision FLOAT32_ZOO BFLOAT16_ZOO [--records FLOAT32_RESULTS BFLOAT16_RESULTS]

The zoos have the same nets but for rounding: seeds, hyper-parameters, splits. Printed are the quartiles of each target,
the Kolmogorov-Smirnov test of equal distributions, the paired mean difference with its 95% interval (bootstrap over
nets) and the rank correlation; with records of `metazoo score`, the difference of each metanet's R² with its 95%
interval (bootstrap over test nets, the same in both zoos, and over seeds).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, ks_2samp

import zoo
from benchmark.records.records import read, read_predictions
from benchmark.scoring.task import reference
from benchmark.statistics.metrics import r2
from zoo.messages import ending_in_words

DRAWS = 2000
TARGETS = ("test_accuracy", "train_accuracy", "test_loss", "train_loss")


def interval(values: np.ndarray) -> str:
    """The middle 95% of bootstrap draws."""
    low, high = np.quantile(values, [0.025, 0.975])
    return f"[{low:+.4f}, {high:+.4f}]"


def targets(one: zoo.Zoo, other: zoo.Zoo, rng: np.random.Generator) -> None:
    """A line for each target."""
    if not (one.columns["seed"] == other.columns["seed"]).all():
        raise ValueError(f"{one.folder} and {other.folder} do not have the same nets; build both from one spec")
    for name in TARGETS:
        a, b = one.columns[name], other.columns[name]
        both = a.notna() & b.notna()
        a, b = a[both].to_numpy(), b[both].to_numpy()
        means = rng.choice(b - a, (DRAWS, len(a))).mean(axis=1)
        quartiles = " ".join(f"{x:.3f}" for x in np.quantile(a, [0.25, 0.5, 0.75]))
        others = " ".join(f"{x:.3f}" for x in np.quantile(b, [0.25, 0.5, 0.75]))
        print(
            f"  {name:15} quartiles {quartiles} | {others}   KS p {ks_2samp(a, b).pvalue:.3f}   "
            f"difference {np.mean(b - a):+.4f} {interval(means)}   tau {kendalltau(a, b).statistic:.3f}"
        )


def predictions(results: Path, opened: zoo.Zoo) -> dict[str, list[pd.DataFrame]]:
    """Each metanet's test predictions beside the truth, a frame a seed."""
    found: dict[str, list[pd.DataFrame]] = {}
    for path in sorted((results / reference(opened).label()).glob("test_accuracy/*/seed-*.json")):
        record = read(path)
        frame = read_predictions(path, record).query("split == 'test'").set_index("index")
        found.setdefault(record.metanet.name, []).append(frame.rename(columns={"target": "truth"}))
    if not found:
        raise FileNotFoundError(f"{results}: no records of test_accuracy on {opened.folder}; `metazoo score` writes them")
    return found


def scores(one: dict[str, list[pd.DataFrame]], other: dict[str, list[pd.DataFrame]], rng: np.random.Generator) -> None:
    """A line for each metanet that both have."""
    for name in sorted(one.keys() & other.keys()):
        index = one[name][0].index.intersection(other[name][0].index)
        means = [np.mean([r2(f["truth"].to_numpy(), f["prediction"].to_numpy()) for f in zs[name]]) for zs in (one, other)]
        differences = []
        for _ in range(DRAWS):
            rows = rng.choice(index, len(index))
            drawn = []
            for frames in (one[name], other[name]):
                chosen = [frames[i].loc[rows] for i in rng.integers(len(frames), size=len(frames))]
                drawn.append(np.mean([r2(f["truth"].to_numpy(), f["prediction"].to_numpy()) for f in chosen]))
            differences.append(drawn[1] - drawn[0])
        low, high = np.quantile(differences, [0.025, 0.975])
        verdict = "" if low <= 0 <= high else "   differs"
        print(f"  {name:23} R² {means[0]:.3f} | {means[1]:.3f}   difference {interval(np.array(differences))}{verdict}")


@ending_in_words()
def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoos", nargs=2, type=Path)
    parser.add_argument("--records", nargs=2, type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    one, other = (zoo.open(folder) for folder in given.zoos)
    precisions = [getattr(made.spec, "precision", "unknown") for made in (one, other)]
    print(f"{one.spec.name}: {len(one)} nets, {' | '.join(precisions)}")
    targets(one, other, rng)
    if given.records:
        scores(predictions(given.records[0], one), predictions(given.records[1], other), rng)


if __name__ == "__main__":
    main()
