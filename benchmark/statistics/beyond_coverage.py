"""How often the intervals of what is known beyond a baseline cover the truth, in simulations where it is known.

`python -m benchmark.statistics.beyond_coverage` prints it for several sizes.
"""

import numpy as np

from benchmark.statistics.beyond import tables_beyond
from benchmark.statistics.intervals import interval_of
from zoo.seeds import stable_seed

OWN = 0.5  # standard deviation of what each seed adds, where that of what all seeds share is 1


def covered(knows: float, *, nets: int, seeds: int, simulations: int, resamples: int, seed: int = 0) -> dict[str, float]:
    """Metric -> the share of 95% intervals that hold its population value.

    Target and prediction are the baseline's plus what it leaves; that has the correlation `knows` in target and prediction,
    all normal, so that the partial R² is `knows`² and tau 2 / pi arcsin(knows) (Greiner 1909).
    """
    rng = np.random.default_rng(stable_seed(seed, "coverage", nets, seeds))
    wanted = {"r2": knows**2, "tau": 2 / np.pi * np.arcsin(knows)}
    held = dict.fromkeys(wanted, 0)
    for _ in range(simulations):
        baseline, rest = rng.normal(size=(2, nets))
        shared, own = rng.normal(size=nets), rng.normal(size=(seeds, nets))
        noise = (shared + OWN * own) / np.sqrt(1 + OWN**2)
        predicted = 0.5 * baseline + knows * rest + np.sqrt(1 - knows**2) * noise
        tables = tables_beyond(2 * baseline + rest, predicted, baseline, resamples=resamples)
        for name, table in zip(wanted, tables, strict=True):
            found = interval_of(table)
            held[name] += found.low <= wanted[name] <= found.high
    return {name: count / simulations for name, count in held.items()}


def main() -> None:
    """Prints a line for each size: nets, seeds, what is known, and the shares."""
    for nets, seeds in ((60, 5), (122, 1), (122, 5), (500, 5)):
        for knows in (0.0, 0.3, 0.7):
            shares = covered(knows, nets=nets, seeds=seeds, simulations=1000, resamples=500)
            told = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
            print(f"{nets} nets, {seeds} seeds, correlation {knows}: {told}", flush=True)


if __name__ == "__main__":
    main()
