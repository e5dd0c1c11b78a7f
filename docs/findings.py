"""The tables and the picture of `docs/findings.md`, from records: `python docs/findings.py` writes them anew.

A table stands behind a line `<!-- NAME -->`, NAME in TABLES.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd

from benchmark.analyses.directions import SCORES, directions, read
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.tables import markdown_lines
from metanets.table import RECIPES
from zoo.dataset.figure import Figure
from zoo.dataset.plots import save

ROOT = Path(__file__).parent.parent
PAGE, PICTURE = ROOT / "docs/findings.md", ROOT / "docs/strength.png"
RESULTS, STRENGTH, WIDTHS, CONTROLS, FINAL = (
    ROOT / "data" / name for name in ("results", "strength", "widths", "directions", "final")
)
FAMILIES = ("standard", "w_asymmetric")
KEY = ["board", "task", "family", "metanet"]  # of a cell of the leaderboard
READERS = ("consensus_and_weights", "probe_and_weights", "trees_channels", "statnn")  # two that run nets, two that do not
TASKS = {  # of the CIFAR-10 zoos, in words
    "test_accuracy": "256 training nets",
    "test_accuracy,nets=128": "128",
    "test_accuracy,nets=64": "64",
    "test_accuracy,nets=32": "32",
    "test_accuracy,shift=epochs": "shift by epochs",
    "test_accuracy,shift=learning_rate": "shift by learning rate",
}


HIDDEN = {  # (images and hidden axis, target), in words
    ("digits-size-resnet8", "test_accuracy"): "few images: accuracy",
    ("digits-size-resnet8", "training_images"): "how many images",
    ("digits-labels-resnet8", "test_accuracy"): "wrong labels: accuracy",
    ("digits-corrupt-resnet8", "test_accuracy"): "corrupted images: accuracy",
    ("digits-imbalance-resnet8", "test_accuracy"): "uneven classes: accuracy",
}


def gains(cells: pd.DataFrame) -> list[list[str]]:
    """For each task and family: R² of the recipe, and the gains of READERS over it."""
    rows = [["task", "nets", "recipe R²", *(f"{name} gain" for name in READERS)]]
    for (task, words), family in product(TASKS.items(), FAMILIES):
        here = cells[(cells["task"] == task) & (cells["family"] == family)].set_index("metanet")
        told = [_gain(here.loc[name]) if name in here.index else "–" for name in READERS]
        rows.append([words, family, f"{here.loc[here['recipe'], 'r2_mean'].iloc[0]:.3f}", *told])
    return rows


def _gain(row: pd.Series) -> str:
    return f"{row['gain']:+.3f} [{row['gain_low']:+.3f}, {row['gain_high']:+.3f}]"


def hidden(cells: pd.DataFrame) -> list[list[str]]:
    """R² of metanets on nets of one recipe: of accuracy, where they saw few images or wrong labels; of how many images."""
    known = {*zip(cells["board"], cells["task"], cells["family"], strict=True)}
    columns = [(key, family) for key, family in product(HIDDEN, FAMILIES) if (*key, family) in known]
    rows = [["metanet", *(f"{HIDDEN[key]}, {family}" for key, family in columns)]]
    by_key = cells.set_index(KEY)
    here = cells[cells["board"].isin([board for board, _ in HIDDEN]) & ~cells["constant"]]
    order = here.groupby("metanet")["r2_mean"].mean().sort_values(ascending=False).index
    for name in order:
        at = [(*key, family, name) for key, family in columns]
        rows.append([name, *(_sure(by_key.loc[one]) if one in by_key.index else "–" for one in at)])
    return rows


def widths(cells: pd.DataFrame) -> list[list[str]]:
    """R² and tau of metanets fitted on nets of one width and tested on those of another."""
    pairs = [(one, other) for one, other in product(sorted(OF_WIDTH), repeat=2) if one != other]
    known = cells.assign(
        fitted=cells["fitted_on"].map(_width), tested=cells["zoo"].map(_width), name=cells["metanet"]
    ).set_index(["fitted", "tested", "name"])
    rows = [["metanet", *(f"{one} to {other}" for one, other in pairs)]]
    order = known.drop("mean", level="name").groupby("name")["tau_mean"].mean().sort_values(ascending=False).index
    for name in order:
        told = [known.loc[(*pair, name)] for pair in pairs]
        rows.append([name, *(f"{one['r2_mean']:.2f}, {one['tau_mean']:.2f}" for one in told)])
    return rows


SEALED = {  # (images and hidden axis, task, family) of the final zoos, in words
    ("cifar10-16px-resnet8", "test_accuracy", "standard"): "CIFAR-10, standard",
    ("digits-resnet8", "test_accuracy", "standard"): "digits, standard",
    ("digits-resnet8", "test_accuracy", "w_asymmetric"): "digits, w_asymmetric",
    **{(board, task, family): f"{words}, {family}" for (board, task), words in HIDDEN.items() for family in FAMILIES},
}


def final(cells: pd.DataFrame, own: pd.DataFrame) -> list[list[str]]:
    """R² on the final zoos, and in brackets that on the zoos which metanets were developed on, of which are `own` cells."""
    known = own[own["fitted_on"] == own["zoo"]].set_index(KEY)["r2_mean"].sort_index()
    here = cells[~cells["constant"] & (cells["fitted_on"] == cells["zoo"])]
    named = here.assign(board=here["board"].str.removeprefix("final-")).set_index(KEY)
    columns = [key for key in SEALED if key in named.index.droplevel("metanet")]
    rows = [["metanet", *(SEALED[key] for key in columns)]]
    whole = named["r2_mean"].unstack("metanet").loc[columns].dropna(axis=1)
    for name in whole.mean().sort_values(ascending=False).index:
        told = [(*key, name) for key in columns]
        before = (f" ({known.loc[at]:.2f})" if at in known.index else "" for at in told)
        rows.append([name, *(_sure(named.loc[at]) + old for at, old in zip(told, before, strict=True))])
    return rows


OF_WIDTH = (0.25, 0.5, 1.0)


def _width(label: str) -> float:
    told = re.search(r"width([\d.]+\d)", label)
    return float(told[1]) if told else OF_WIDTH[0]


def transfer(cells: pd.DataFrame) -> list[list[str]]:
    """R² and tau of metanets fitted on one family and tested on the other."""
    found = cells[cells["fitted_on"] != cells["zoo"]]
    rows = [["metanet", *(f"to {family}: R², tau" for family in FAMILIES)]]
    order = found.groupby("metanet")["tau_mean"].mean().sort_values(ascending=False).index
    for name in order.drop("mean"):
        here = found[found["metanet"] == name].set_index("family")
        told = [here.loc[family] for family in FAMILIES if family in here.index]
        if len(told) == len(FAMILIES):
            rows.append([name, *(f"{one['r2_mean']:.2f}, {one['tau_mean']:.2f}" for one in told)])
    return rows


def exactness(cells: pd.DataFrame) -> list[list[str]]:
    """What is exact, beside R² in the zoo and of moved nets."""
    here = cells[(cells["task"] == "test_accuracy") & (cells["exact"] != "") & ~cells["baseline"]]
    rows = [["metanet", "exact", "R²", "R² of moved nets", "R² at worst"]]
    for _, one in here.sort_values("r2_mean", ascending=False).iterrows():
        numbers = (f"{one[name]:.2f}" for name in ("r2_mean", "moved_r2", "worst_r2"))
        rows.append([one["metanet"], one["exact"], *numbers])
    return rows


def strength(cells: pd.DataFrame) -> list[list[str]]:
    """R² of metanets by how strong W-asymmetry is."""
    rows = [["filters fixed for each output", "kappa", *READERS_OF_STRENGTH]]
    for (fixed, kappa), here in by_strength(cells):
        named = here.set_index("metanet")
        rows.append([fixed, kappa, *(_sure(named.loc[name]) for name in READERS_OF_STRENGTH)])
    return rows


READERS_OF_STRENGTH = ("ridge", "mlp", "statnn", "trees_hyper_parameters", "probe_and_weights")


def by_strength(cells: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """(entries fixed for each unit, kappa) -> the cells of that zoo, none fixed first."""
    found = {}
    for name, here in cells.groupby("board"):
        told = re.fullmatch(r"digits-n(\d)-k([\d.]+)", str(name))
        found[(told[1], told[2]) if told else ("0", "–")] = here
    return sorted(found.items())


def _sure(row: pd.Series) -> str:
    return f"{row['r2_mean']:.2f} [{row['r2_low']:.2f}, {row['r2_high']:.2f}]"


Compared = dict[str, tuple[Path, str, str]]  # in words -> records, and two zoos by name
PAPER = ("mlp", "dmc", "deepsets", "statnn", RECIPES[0])  # the paper's four, and the recipe
CIFAR: Compared = {"CIFAR-10": (RESULTS, "cifar10-16px-resnet8-standard", "cifar10-16px-resnet8-w_asymmetric")}
EQUAL = {  # what is equal in both zoos, in words: the zoos' names
    "all three, normal": ("digits-resnet8-smaller", "digits-stem-trained-init-normal-resnet8-w_asymmetric"),
    "all three, uniform": ("digits-init-uniform-resnet8-smaller", "digits-stem-trained-resnet8-w_asymmetric"),
}
COMPARED: Compared = {
    "nothing, as in the paper": (CONTROLS, "digits-resnet8-standard", "digits-resnet8-w_asymmetric"),
    "initial scale, normal": (CONTROLS, "digits-resnet8-standard", "digits-init-normal-resnet8-w_asymmetric"),
    "initial scale, uniform": (CONTROLS, "digits-init-uniform-resnet8-standard", "digits-resnet8-w_asymmetric"),
    "a trained stem": (CONTROLS, "digits-resnet8-standard", "digits-stem-trained-resnet8-w_asymmetric"),
    "number of trained weights": (CONTROLS, "digits-resnet8-smaller", "digits-resnet8-w_asymmetric"),
    **{words: (CONTROLS, *zoos) for words, zoos in EQUAL.items()},
    "the recipe of all nets": (RESULTS, "digits-size-resnet8-standard", "digits-size-resnet8-w_asymmetric"),
}
OTHERS: Compared = {  # what standard nets are compared with
    words: (CONTROLS, "digits-resnet8-standard", zoo)
    for words, zoo in {
        "fewer weights, `smaller`": "digits-resnet8-smaller",
        "standard, drawn uniformly": "digits-init-uniform-resnet8-standard",
        "`sigma_asymmetric`": "digits-resnet8-sigma_asymmetric",
    }.items()
}


def directed(compared: Compared) -> list[list[str]]:
    """For each pair of zoos and each of PAPER: R² and tau on both, and the gains in all SCORES."""
    rows = [["zoos", "metanet", "R²", "tau", *(f"gain in {words}" for words in SCORES.values())]]
    for words, pair in compared.items():
        found = _between(*pair)
        for name in PAPER:
            here = found.loc[name]
            both = (f"{here.loc[score, 'one']:.2f}, {here.loc[score, 'other']:.2f}" for score in ("r2", "tau"))
            told = (_gain(here.loc[score]) if score in here.index else "–" for score in SCORES)
            rows.append([words, name, *both, *told])
    return rows


def controls(first: str, compared: Compared) -> list[list[str]]:
    """For each pair of zoos: the gains of PAPER in R² and in tau, the paper's eight directions and the recipe's two."""
    rows = [[first, "gain in", *PAPER]]
    for words, pair in compared.items():
        found = _between(*pair)
        rows += [[words, SCORES[score], *(_gain(found.loc[name, score]) for name in PAPER)] for score in ("r2", "tau")]
    return rows


READ = cache(read)  # some zoos are in several comparisons


@cache
def _between(folder: Path, *zoos: str) -> pd.DataFrame:
    """The gains from one zoo to another, by metanet and score, of their records in a folder."""
    paths = [next(folder.glob(f"{name}-{'?' * 8}/test_accuracy")) for name in zoos]
    found = directions(*map(READ, paths), metanets=PAPER)
    return found.rename(columns={"low": "gain_low", "high": "gain_high"}).set_index(["metanet", "score"])


# Name -> its records, the beginning of their zoos' names, and the table.
TABLES: dict[str, tuple[Path, str, Callable[[pd.DataFrame], list[list[str]]]]] = {
    "hidden": (RESULTS, "digits-", hidden),
    "gains": (RESULTS, "cifar10-16px", gains),
    "transfer": (RESULTS, "cifar10-16px", transfer),
    "widths": (WIDTHS, "", widths),
    "exactness": (RESULTS, "cifar10-16px", exactness),
    "strength": (STRENGTH, "", strength),
}
OF_TWO = {
    "directions": lambda: directed(CIFAR),
    "controls": lambda: controls("equal in both", COMPARED),
    "matched": lambda: directed({words: COMPARED[words] for words in EQUAL}),
    "others": lambda: controls("from standard nets to", OTHERS),
}


def page(text: str, known: Mapping[Path, pd.DataFrame] | None = None) -> str:
    """The page with all its tables from records; `known` are the cells of folders that were read before."""
    cells = dict(known or {})
    cells |= {of: leaderboard(of).cells for of in (RESULTS, STRENGTH, WIDTHS, FINAL) if of not in cells}
    tables = {"final": final(cells[FINAL], cells[RESULTS])}
    tables |= {name: made(cells[of][cells[of]["zoo"].str.startswith(zoos)]) for name, (of, zoos, made) in TABLES.items()}
    for name, (head, *rows) in (tables | {name: made() for name, made in OF_TWO.items()}).items():
        table = markdown_lines([head, ["---"] * len(head), *rows])
        text = re.sub(rf"(<!-- {name} -->\n)(\|.*\n)*", lambda mark, table=table: f"{mark[1]}{table}\n", text)
    return text


def picture() -> Figure:
    """R² against kappa, a line for each number of fixed entries; a panel a metanet."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    names = ("ridge", "statnn", "trees_hyper_parameters")
    found = by_strength(leaderboard(STRENGTH).cells)
    for axes, name in zip(figure.subplots(1, len(names), sharey=True), names, strict=True):
        for fixed in ("1", "2", "3"):
            own = [(float(kappa), here.set_index("metanet").loc[name]) for (of, kappa), here in found if of == fixed]
            at = [kappa for kappa, _ in own]
            axes.plot(at, [row["r2_mean"] for _, row in own], marker="o", label=f"{fixed} fixed for each output")
            axes.fill_between(at, [row["r2_low"] for _, row in own], [row["r2_high"] for _, row in own], alpha=0.12)
        axes.axhline(
            found[0][1].set_index("metanet").loc[name, "r2_mean"], color="0.5", linestyle=":", label="standard nets"
        )
        axes.set(xlabel="kappa", title=name, xscale="log", ylim=(-0.4, 1.02))
        axes.set_xticks([0.25, 1, 2], ["0.25", "1", "2"])
        axes.minorticks_off()
    figure.axes[0].set_ylabel("R² on test nets")
    figure.axes[0].legend(fontsize="x-small", loc="lower right")
    return figure


def main() -> None:
    """Writes both."""
    PAGE.write_text(page(PAGE.read_text()))
    save(picture(), PICTURE)


if __name__ == "__main__":
    main()
