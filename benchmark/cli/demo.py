"""The demo: both main families on the embedded digits, from images to leaderboard, pictures and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

import zoo as zoos
from benchmark.leaderboard.leaderboard import Leaderboard, from_records
from benchmark.leaderboard.plots import predicted_against_true
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import METANETS, Training
from metanets.table import fitting
from zoo.dataset import plots
from zoo.jobs.status import Status

FAMILIES = ("standard", "w_asymmetric")
NETS, SEEDS, TARGET = 512, 3, "test_accuracy"
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
    sentence: str


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
    """Builds both zoos, scores NAMES, draws pictures; what exists in `out` is kept."""
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
    return Demo(board, pictures, sentence(board.cells))


def sentence(cells: pd.DataFrame) -> str:
    """What this run shows of the paper's finding, whatever it is; from the mean scores of the MLP and the best of all."""
    boards = {name: cells[cells["family"] == name].set_index("metanet").sort_values("r2_mean") for name in FAMILIES}
    mlp = {name: board.loc["mlp"] for name, board in boards.items()}
    gain = mlp["w_asymmetric"]["r2_mean"] - mlp["standard"]["r2_mean"]
    noise = 2 * max(row["r2_std"] for row in mlp.values())
    if gain > noise:
        verdict = "weights are easier to read where W-asymmetry has removed their symmetries, as the paper found"
    elif gain > -noise:
        verdict = "within the seeds' spread, so this run does not show the paper's finding"
    else:
        verdict = "the opposite of what the paper found"
    scores = [f"{row['r2_mean']:.2f} (tau {row['tau_mean']:.2f}) on {name} nets" for name, row in mlp.items()]
    parts = [f"The MLP on the plain vector of weights has R² {' and '.join(scores)}: {verdict}."]
    for name, board in boards.items():
        metanet, baseline = (board[board["baseline"] == kind].iloc[-1] for kind in (False, True))
        lead = metanet["r2_mean"] - baseline["r2_mean"]
        level = abs(lead) <= 2 * max(metanet["r2_std"], baseline["r2_std"])
        relation = "level with" if level else "above" if lead > 0 else "below"
        parts.append(
            f"On {name} nets the best metanet, {metanet.name} ({metanet['r2_mean']:.2f}), is {relation} the best baseline, "
            f"{baseline.name} ({baseline['r2_mean']:.2f})."
        )
    return " ".join(parts)
