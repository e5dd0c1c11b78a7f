"""The demo: both main families on the embedded digits, from images to leaderboard, pictures and a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import zoo as zoos
from benchmark.leaderboard.compare import LEVEL, comparison
from benchmark.leaderboard.leaderboard import Leaderboard, Result, from_records
from benchmark.leaderboard.plots import predicted_against_true
from benchmark.records import records
from benchmark.scoring.score import score
from benchmark.site.writing import write
from benchmark.statistics.intervals import difference_of, resampled
from benchmark.statistics.metrics import r2
from metanets import METANETS, Training
from metanets.table import fitting
from zoo import Zoo
from zoo.dataset import plots
from zoo.dataset.start import initial
from zoo.jobs.status import Status

FAMILIES = ("standard", "w_asymmetric")
NETS, SEEDS, TARGET = 512, 3, "test_accuracy"
STARTS = 4  # nets whose initial weights are looked at
NAMES = (  # the paper's four, two that read structure, and the baselines
    *("mlp", "dmc", "deepsets", "statnn", "probe_and_weights", "hybrid"),
    *(name for name in fitting(pairs=False) if METANETS[name].baseline),
)
# Small batches and few rates, for some 250 training nets and a few minutes; the paper's are Training()'s defaults.
EPOCHS = 15  # of those with a recipe, whose cosine ends there: 40 take two minutes more, and R² .917 for .913
TRAINING = Training(epochs=40, batch=8, learning_rates=(1e-3, 5e-3))


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    board: Leaderboard
    pictures: list[Path]
    site: Path
    finding: str
    next: tuple[str, ...]  # commands


def demo(
    out: Path,
    *,
    nets: int = NETS,
    seeds: int = SEEDS,
    training: Training = TRAINING,
    workers: int = 1,
    overwrite: bool = False,
    command: str = "metazoo demo",
    report: Callable[[str, Status], None] = lambda name, status: None,
    say: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Builds both zoos, scores NAMES, draws pictures, writes a site; zoos and records that exist in `out` are kept."""
    folders = []
    for family in FAMILIES:
        spec = zoos.load(f"digits-resnet8-{family}", {"nets": nets})
        folder = out / "zoos" / spec.name
        say(f"zoo {spec.name}: {nets} nets")
        zoos.build(spec, folder, workers=workers, overwrite=overwrite, report=partial(report, spec.name))
        folders.append(folder)
    say(f"scoring {len(NAMES)} metanets and baselines on both, {seeds} seeds each")
    own = [name for name in NAMES if METANETS[name].recipe]  # trained in batches of their own
    scored = partial(score, folders, target=TARGET, out=out / "results", seeds=seeds, workers=workers)
    scored = partial(scored, overwrite=overwrite, command=command, report=say)
    few = min(training.epochs, EPOCHS)
    paths = scored(own, training=replace(training, batch=Training().batch, epochs=few))
    paths += scored([name for name in NAMES if name not in own], training=training)
    found = [records.stored(path) for path in paths]
    opened = [zoos.open(folder) for folder in folders]
    pictures = [
        plots.save(plots.histograms(opened, TARGET), out / "histograms.png"),
        plots.save(plots.against_hyper_parameters(opened, TARGET), out / "hyper_parameters.png"),
        plots.save(predicted_against_true(found, folders), out / "predicted.png"),
    ]
    board = from_records(found)
    site = write(out / "results", out / "site", zoo_folders=folders, overwrite=True)
    return Demo(board, pictures, site, finding(board.results, opened), _next(out, folders[0]))


def _next(out: Path, zoo: Path) -> tuple[str, ...]:
    """What to try then: another metanet, two compared, how far symmetries move predictions."""
    return (
        f"metazoo score {zoo} --metanet nfn --seeds 1 --out {out / 'results'}",
        f"metazoo compare hybrid trees_statistics --results {out / 'results'}",
        f"metazoo symmetry {zoo} --metanet statnn --epochs 40 --batch 8 --learning-rate 0.005",
    )


def finding(results: Sequence[Result], opened: Sequence[Zoo]) -> str:
    """What this run shows of the paper's finding, by the statistics of `compare`, and what else may be why."""
    at = {(result.records[0].task.test_zoo.family, result.label): result for result in results}
    tables = [resampled(of.target, of.predicted, r2) for of in (at[family, "mlp"] for family in reversed(FAMILIES))]
    gain = difference_of(*tables)
    if gain.p > 1 - LEVEL:
        verdict = "no significant difference, so this run does not show the paper's finding"
    elif gain.value > 0:
        verdict = "weights are easier to read where W-asymmetry has removed their symmetries, as the paper found"
    else:
        verdict = "the opposite of what the paper found"
    scores = " and ".join(f"{_r2(at[family, 'mlp']):.2f} on {family} nets" for family in FAMILIES)
    parts = [
        f"The MLP on the plain vector of weights has R² {scores}, a difference of {gain.value:+.2f} [{gain.low:+.2f}, "
        f"{gain.high:+.2f}]: {verdict}.",
        f"The two differ in more than symmetry: {_confounds(opened)}.",
    ]
    for family in FAMILIES:
        best, baseline = (
            max((one for (of, _), one in at.items() if of == family and one.baseline == kind), key=_r2)
            for kind in (False, True)
        )
        found = comparison(best, baseline)
        relation = "level with" if not found.significant else "above" if found.value > 0 else "below"
        parts.append(
            f"On {family} nets the best metanet, {best.label} ({_r2(best):.2f}), is {relation} the best baseline, "
            f"{baseline.label} ({_r2(baseline):.2f}), {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]."
        )
    return " ".join(parts)


def _r2(result: Result) -> float:
    return float(np.mean([r2(result.target, row) for row in result.predicted]))


def _confounds(opened: Sequence[Zoo]) -> str:
    """How zoos differ beside their symmetries: in the spread of what is predicted, and in the scale of initial weights."""
    spreads, scales = [], []
    for one in opened:
        settled = one.columns[~one.columns["diverged"]]
        spreads.append(f"{settled[TARGET].std():.2f}")
        start = initial(one, settled.index[:STARTS].tolist())[:, one.blueprint.trained]
        scales.append(f"{float(start.square().mean().sqrt()):.3f}")
    return f"accuracy has a standard deviation of {' and '.join(spreads)}, initial weights one of {' and '.join(scales)}"
