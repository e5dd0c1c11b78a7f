"""The Small CNN Zoo of Unterthiner et al. 2020 (arXiv 2002.11448): a folder an image task, a row a checkpoint of a run.

`weights.npy` is [row, weight], `metrics.csv.gz` describes each of its rows, `layout.csv` says where each tensor lies.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.importers.small_cnn_zoo import layout as keras_layout
from zoo.importers.small_cnn_zoo import metrics as small_cnn_metrics
from zoo.importers.small_cnn_zoo import split as nfn_split
from zoo.importers.small_cnn_zoo import weights
from zoo.importers.small_cnn_zoo.metrics import COLUMNS, HYPER_PARAMETERS, TARGETS, TEXT
from zoo.importers.small_cnn_zoo.split import NFN
from zoo.importers.small_cnn_zoo.weights import ArrayRows, DType
from zoo.importers.source_files import digests
from zoo.importers.source_zoo import BY_LINEAGE, Foreign, split_by_lineage
from zoo.messages import some_names, unknown
from zoo.spec.imported import Imported, Provenance
from zoo.untrusted.litter import inside

FILES = {  # what a file holds -> its name, and the one that it has in the authors' notebook
    "weights": ("weights.npy", "all_weights.npy"),
    "metrics": ("metrics.csv.gz", "all_metrics.csv"),
    "layout": ("layout.csv",),
}
WEIGHTS = 4970  # of each published net
TASKS = {"svhn_cropped": "svhn"}  # where our name differs from that of TensorFlow Datasets
MAX_CHECKPOINTS = 100  # of a net; published runs have 9
NETS = (
    "by the authors' script, a net is 3x3 convolutions of stride 2 without padding, the activation after each, the mean "
    "over positions, and a dense layer; images are in [-1, 1] and grey, the mean over colours"
)


def small_cnn_zoo(
    path: Path, *, step: str = "86", trajectory: str = "none", split: str = "lineage", split_file: str = ""
) -> Foreign:
    """The zoo in a folder of the published files: a net is a run, with its weights after `step` epochs.

    `trajectory` adds other checkpoints and curves of the targets: `all`, or steps such as `0,1,86`. `split` is `lineage`,
    a hash of the run, or `unterthiner/nfn-v1`, which needs `split_file`, the published `*_split.csv`. Runs without the step
    are left out, and counted in the provenance; a missing checkpoint is NaN. Diverged nets are kept. Raises
    FileNotFoundError where a file is missing, ValueError naming the file that is not of this format, or the option.
    """
    at = _whole(step, "step")
    found = _files(path) | _split_file(split, split_file, at)
    array = weights.opened(found["weights"])
    layout, order = keras_layout.read(found["layout"], array.shape[1])
    metrics, told = small_cnn_metrics.read(found["metrics"], len(array))
    if split == NFN:
        metrics["split"] = nfn_split.published(found["split"], metrics["step"] == at)
    else:
        metrics["split"] = split_by_lineage(metrics["modeldir"].tolist())
    once = metrics.drop_duplicates(["lineage", "step"])
    nets = once[once["step"] == at].sort_values("lineage")
    if not len(nets):
        raise ValueError(f"{found['metrics']}: no run has step {at}; there are steps {some_names(metrics['step'])}")
    steps = _steps(trajectory, once.loc[once["lineage"].isin(nets["lineage"]), "step"])
    table = _checkpoints(once, nets["lineage"], steps)
    source = ArrayRows(found["weights"], array, order)
    notes = [NETS, *_counts(metrics, once, nets, table, split), *_conformance(array), *told]
    return Foreign(
        about=_about(found, nets["dataset"], source.dtype, split=split, steps=steps, notes=notes),
        layout=layout,
        columns=nets.drop(columns="dataset").reset_index(drop=True),
        weights=lambda rows: source.rows(nets["row"].to_numpy()[rows]),
        trajectory=(lambda rows: source.rows(table[rows].ravel()).reshape(*table[rows].shape, -1)) if steps else None,
        curves={name: np.where(table < 0, np.nan, metrics[name].to_numpy()[table]) for name in TARGETS} if steps else {},
    )


def _about(
    found: dict[str, Path], datasets: pd.Series, dtype: DType, *, split: str, steps: tuple[int, ...], notes: list[str]
) -> Imported:
    """What the zoo is. Raises ValueError where its nets were trained on more than one image task."""
    names = sorted(datasets.unique())
    if len(names) != 1 or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", names[0]):
        raise ValueError(f"{found['metrics']}: expected one name in config.dataset, found {some_names(datasets)}")
    return Imported(
        name=f"small-cnn-zoo-{names[0]}",
        family="standard",
        architecture="small_cnn",
        image_task=TASKS.get(names[0], names[0]),
        dtype=dtype,
        split=NFN if split == NFN else BY_LINEAGE,
        provenance=Provenance(
            kind="small-cnn-zoo",
            title=f"Small CNN Zoo, {names[0]} in grey",
            url="https://github.com/google-research/google-research/tree/master/dnn_predict_accuracy",
            licence="CC-BY-4.0",
            citation="Unterthiner, Keysers, Gelly, Bousquet, Tolstikhin: Predicting Neural Network Accuracy from Weights. "
            "arXiv:2002.11448, 2020",
            files=digests({file.name: file for file in found.values()}),
            notes=tuple(notes),
        ),
        hyper_parameters=HYPER_PARAMETERS,
        targets=TARGETS,
        columns=COLUMNS,
        text=TEXT,
        trajectory=steps,
    )


def _files(path: Path) -> dict[str, Path]:
    """The files by what they hold, in the folder or, as an archive has them, in the only one below it that is a zoo."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no folder; give that of one image task of the Small CNN Zoo")
    places = [place for place in (path, *inside(path)) if any((place / name).is_file() for name in FILES["weights"])]
    if len(places) > 1:
        raise ValueError(f"{path} has several zoos, {some_names(place.name for place in places)}; give the folder of one")
    folder = places[0] if places else path
    return {what: _file(folder, names) for what, names in FILES.items()}


def _file(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: no {' or '.join(names)}; give the folder of one image task of the Small CNN Zoo")


def _split_file(split: str, split_file: str, step: int) -> dict[str, Path]:
    """The file of a published split, by what it holds; none is needed for our own."""
    if split not in ("lineage", NFN):
        raise ValueError(unknown("split", split, ("lineage", NFN)))
    if (split == NFN) != bool(split_file):
        raise ValueError(f"split {NFN} and split_file=PATH, its published *_split.csv, go together; give both or none")
    if split == NFN and step != nfn_split.STEP:
        raise ValueError(f"split {NFN} is one of the nets of step {nfn_split.STEP}, not {step}")
    return {"split": Path(split_file)} if split == NFN else {}


def _whole(text: str, option: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{option}={text!r}: expected a whole number of epochs, such as 86")
    return int(text)


def _steps(text: str, known: pd.Series) -> tuple[int, ...]:
    """The checkpoints that the option asks for, ascending."""
    there = {int(step) for step in known.unique()}
    steps = set() if text == "none" else there if text == "all" else {_whole(part, "trajectory") for part in text.split(",")}
    if missing := sorted(steps - there):
        raise ValueError(f"trajectory={text!r}: no run has step {missing[0]}; there are steps {some_names(sorted(there))}")
    if len(steps) > MAX_CHECKPOINTS:
        raise ValueError(
            f"trajectory={text!r}: {len(steps)} checkpoints a net, at most {MAX_CHECKPOINTS}; name those wanted"
        )
    return tuple(sorted(steps))


def _checkpoints(once: pd.DataFrame, lineages: pd.Series, steps: tuple[int, ...]) -> np.ndarray:
    """The source's row of each net and checkpoint, [net, checkpoint]; -1 where there is none."""
    table = np.full((len(lineages), len(steps)), -1)
    net, checkpoint = pd.Index(lineages).get_indexer(once["lineage"]), pd.Index(steps).get_indexer(once["step"])
    wanted = (net >= 0) & (checkpoint >= 0)
    table[net[wanted], checkpoint[wanted]] = once["row"][wanted]
    return table


def _counts(metrics: pd.DataFrame, once: pd.DataFrame, nets: pd.DataFrame, table: np.ndarray, split: str) -> list[str]:
    """What was left out, and how many; what could not be kept."""
    runs, at = once["lineage"].nunique(), nets["step"].iloc[0]
    taken = len(np.union1d(nets["row"], table[table >= 0]))
    counts = {
        f"of {len(metrics)} rows of {runs} runs are imported, the weights of nets from step {at}": taken,
        f"of {runs} runs have no step {at} and are left out": runs - len(nets),
        "rows repeat the run and step of an earlier row and are left out": len(metrics) - len(once),
        f"of {table.size} checkpoints are missing, and NaN": int((table < 0).sum()),
    }
    twice = "row 0 is a net, which the published split has twice; if it is in two parts of it, it is in test here"
    notes = [f"{count} {what}" for what, count in counts.items() if count]
    return [*notes, twice] if split == NFN and metrics["step"].iloc[0] == at else notes


def _conformance(array: np.memmap) -> list[str]:
    size = f"nets of {array.shape[1]} weights, not of {WEIGHTS} as the published ones"
    rounded = "weights are rounded from float64 to float32"
    return [size] * (array.shape[1] != WEIGHTS) + [rounded] * (array.dtype.itemsize == 8)
