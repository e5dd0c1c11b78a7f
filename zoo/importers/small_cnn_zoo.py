"""The Small CNN Zoo of Unterthiner et al. 2020 (arXiv 2002.11448): a folder an image task, a row a checkpoint of a run.

`weights.npy` is [row, weight], `metrics.csv.gz` describes each of its rows, `layout.csv` says where each tensor lies:
bias before kernel, and kernels as TensorFlow has them, [height, width, in, out] or [in, out].
"""

import random
import re
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from zoo import foreign
from zoo.choices import unknown
from zoo.imported import Imported, Provenance
from zoo.importers import few
from zoo.importers.rows import BY_LINEAGE, Foreign, split_by_lineage
from zoo.importers.sources import digests
from zoo.layout import Layout, from_shapes

FILES = {  # what a file holds -> its name, and the one that it has in the authors' notebook
    "weights": ("weights.npy", "all_weights.npy"),
    "metrics": ("metrics.csv.gz", "all_metrics.csv"),
    "layout": ("layout.csv",),
}
WEIGHTS = 4970  # of each published net
HYPER_PARAMETERS = {  # the source's columns are config.NAME
    "activation": "activation of the hidden layers",
    "b_init": "how biases were initialised",
    "dropout": "dropout rate after each convolution",
    "epochs": "passes over the training images of the whole run",
    "init_std": "standard deviation of initial values, where w_init or b_init leaves it open",
    "l2reg": "factor of the kernels' squared norm in the training loss",
    "learning_rate": "learning rate",
    "optimizer": "optimiser",
    "train_fraction": "share of the training images that was trained on",
    "w_init": "how kernels were initialised",
}
TEXT = ("activation", "b_init", "optimizer", "w_init", "modeldir")
WHOLE = ("epochs", "step")
MEASURED = {
    "test_accuracy": "share of the test images classified rightly",
    "test_loss": "mean cross-entropy on the test images, nats, plus the penalty of l2reg, which Keras counts as loss",
    "train_accuracy": "share of the images trained on that are classified rightly, without dropout",
    "train_loss": "mean cross-entropy on the images trained on, nats, without dropout, plus the penalty of l2reg",
}
TARGETS = MEASURED | {"generalisation_gap": "train_accuracy - test_accuracy"}
COLUMNS = {
    "lineage": "number of the run: of its modeldir among all of the source, sorted",
    "modeldir": "the source's name of the run",
    "step": "epochs after which the weights were taken",
    "row": "the row of the source's weights",
}
TASKS = {"svhn_cropped": "svhn"}  # where our name differs from that of TensorFlow Datasets
NFN, NFN_STEP = "unterthiner/nfn-v1", 86  # the split of Zhou et al. 2023 (arXiv 2302.14040), which later papers share
MAX_CHECKPOINTS = 100  # of a net; published runs have 9
ROWS_AT_ONCE = 256
TURNED = {4: (3, 2, 0, 1), 2: (1, 0)}  # axes of a kernel -> PyTorch's: [out, in, height, width] and [out, in]
SHAPE = re.compile(r"\((\d{1,6}(?:, ?\d{1,6}){0,3}),?\)")  # what Python prints of a tuple of one to four whole numbers
WORD = r"[^\x00-\x1f\x7f-\x9f]{1,300}"
NETS = (
    "by the authors' script, a net is 3x3 convolutions of stride 2 without padding, the activation after each, the mean "
    "over positions, and a dense layer; images are in [-1, 1] and grey, the mean over colours"
)

DType = Literal["float32", "float16"]


@dataclass(frozen=True)
class Source:
    """The rows of the weights file, and for each weight of our layout its place in them."""

    path: Path
    array: np.memmap
    order: np.ndarray
    dtype: DType

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """These rows [row, weight] in our layout; NaN where a number is below 0.

        They are read from the file, and in its order: pages that are mapped would count as memory in use.
        """
        gathered = np.full((len(numbers), len(self.order)), np.nan, self.dtype)
        places = np.argsort(numbers, kind="stable")
        places = places[numbers[places] >= 0]
        with self.path.open("rb", buffering=0) as file, np.errstate(over="ignore"):  # float64 beyond float32: infinite
            for start in range(0, len(places), ROWS_AT_ONCE):
                part = places[start : start + ROWS_AT_ONCE]
                gathered[part] = self._block(file, numbers[part])[:, self.order]
        return gathered

    def _block(self, file: FileIO, numbers: np.ndarray) -> np.ndarray:
        """Rows in ascending order, each run of neighbours read at once."""
        width, pieces = self.array.shape[1], []
        ends = [*(np.flatnonzero(np.diff(numbers) != 1) + 1), len(numbers)]
        for first, last in zip([0, *ends], ends, strict=False):
            file.seek(self.array.offset + int(numbers[first]) * width * self.array.itemsize)
            pieces.append(np.fromfile(file, self.array.dtype, (last - first) * width))
            if len(pieces[-1]) != (last - first) * width:
                raise ValueError(f"{self.path} ends within row {numbers[last - 1]}; it changed while it was read")
        return np.concatenate(pieces).reshape(-1, width)


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
    array = _weights(found["weights"])
    layout, order = _layout(found["layout"], array.shape[1])
    metrics, left_out = _metrics(found["metrics"], len(array))
    metrics["split"] = _published(found["split"], metrics["step"] == at) if split == NFN else _hashed(metrics)
    once = metrics.drop_duplicates(["lineage", "step"])
    nets = once[once["step"] == at].sort_values("lineage")
    if not len(nets):
        raise ValueError(f"{found['metrics']}: no run has step {at}; there are steps {few.names(metrics['step'])}")
    steps = _steps(trajectory, once.loc[once["lineage"].isin(nets["lineage"]), "step"])
    table = _checkpoints(once, nets["lineage"], steps)
    source = Source(found["weights"], array, order, "float16" if array.dtype.itemsize == 2 else "float32")
    notes = [NETS, *_counts(metrics, once, nets, table, split), *_conformance(array), *left_out]
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
        raise ValueError(f"{found['metrics']}: expected one name in config.dataset, found {few.names(datasets)}")
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
    places = [
        place for place in (path, *sorted(path.iterdir())) if any((place / name).is_file() for name in FILES["weights"])
    ]
    if len(places) > 1:
        raise ValueError(f"{path} has several zoos, {few.names(place.name for place in places)}; give the folder of one")
    folder = places[0] if places else path
    return {what: _file(folder, names) for what, names in FILES.items()}


def _file(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: no {' or '.join(names)}; give the folder of one image task of the Small CNN Zoo")


def _weights(path: Path) -> np.memmap:
    array = foreign.array(path)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{path}: expected numbers [row, weight] in floating point, found {array.shape} of {array.dtype}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{path} has one column after the other; save it anew row by row, with numpy.ascontiguousarray")
    return array


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    frame = foreign.table(path)
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {few.names(frame.columns)}")
    return frame


def _numbers(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """A column of numbers; NaN where the source has none."""
    values = pd.to_numeric(frame[name], errors="coerce")
    wrong = np.flatnonzero(values.isna() & frame[name].notna())
    if len(wrong):
        raise ValueError(f"{path}: {name} is {str(frame[name][wrong[0]])[:80]!r} in row {wrong[0]}, expected a number")
    return values.to_numpy(np.float64)


def _whole_numbers(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    values = _numbers(frame, name, path)
    wrong = np.flatnonzero(~((values >= 0) & (values < 2**53) & (values == np.floor(values))))
    if len(wrong):
        raise ValueError(f"{path}: {name} is {values[wrong[0]]:g} in row {wrong[0]}, expected a whole number of 0 or more")
    return values.astype(np.int64)


def _words(frame: pd.DataFrame, name: str, path: Path) -> pd.Series:
    words = frame[name].fillna("").astype(str)
    wrong = np.flatnonzero(~words.str.fullmatch(WORD))
    if len(wrong):
        raise ValueError(f"{path}: {name} is {words[wrong[0]][:80]!r} in row {wrong[0]}, expected 1 to 300 plain characters")
    return words


def _layout(path: Path, width: int) -> tuple[Layout, np.ndarray]:
    """Our layout, and for each of its weights the place in a row of the source."""
    frame = _table(path, ["varname", "start_idx", "end_idx", "shape"])
    starts, ends = (_whole_numbers(frame, name, path) for name in ("start_idx", "end_idx"))
    layers: dict[str, dict[str, np.ndarray]] = {}  # name -> its kernel and bias, as places in a row
    at = 0
    for row in np.argsort(starts, kind="stable"):
        name, shape = str(frame["varname"][row]), _shape(frame["shape"][row], path)
        if (starts[row], ends[row]) != (at, at + prod(shape)) or ends[row] > width:
            raise ValueError(
                f"{path}: {name!r} of shape {shape} is {starts[row]}:{ends[row]}, expected {at}:{at + prod(shape)}; "
                f"the tensors must fill a net's {width} weights without gaps"
            )
        layer, _, kind = name.rpartition("/")
        if kind in layers.get(layer, {}):
            raise ValueError(f"{path}: two tensors are named {name!r}")
        layers.setdefault(layer, {})[kind] = np.arange(at, ends[row]).reshape(shape)
        at = int(ends[row])
    if at != width:
        raise ValueError(f"{path}: its tensors end at {at}, but a net has {width} weights")
    return _ordered(layers, path)


def _shape(text: object, path: Path) -> tuple[int, ...]:
    """The shape that a tuple's text says; nothing is evaluated."""
    if not isinstance(text, str) or not SHAPE.fullmatch(text):
        raise ValueError(f"{path}: expected a shape such as (3, 3, 1, 16), found {str(text)[:80]!r}")
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _ordered(layers: dict[str, dict[str, np.ndarray]], path: Path) -> tuple[Layout, np.ndarray]:
    """Each layer's weight, turned as PyTorch has it, before its bias. Nothing is said of channels that can be permuted."""
    tensors: list[tuple[str, tuple[int, ...], str, tuple[str | None, ...]]] = []
    order, seen = [], {"conv": 0, "linear": 0}
    lone = sum(part["kernel:0"].ndim == 2 for part in layers.values() if "kernel:0" in part) == 1
    for layer, parts in layers.items():
        if parts.keys() != {"kernel:0", "bias:0"} or parts["kernel:0"].ndim not in TURNED:
            raise ValueError(
                f"{path}: layer {layer!r} must have a kernel:0 of 4 or 2 axes and a bias:0, it has {few.names(parts)}"
            )
        weight, bias = parts["kernel:0"].transpose(TURNED[parts["kernel:0"].ndim]), parts["bias:0"]
        if bias.shape != weight.shape[:1]:
            raise ValueError(f"{path}: layer {layer!r} has {weight.shape[0]} outputs, but a bias of shape {bias.shape}")
        role = "conv" if weight.ndim == 4 else "linear"
        seen[role] += 1
        name = role if role == "linear" and lone else f"{role}{seen[role]}"
        tensors.append((f"{name}.weight", weight.shape, role, (None,) * weight.ndim))
        tensors.append((f"{name}.bias", bias.shape, "bias", (None,)))
        order += [weight.ravel(), bias]
    return from_shapes(tensors), np.concatenate(order)


def _metrics(path: Path, rows: int) -> tuple[pd.DataFrame, list[str]]:
    """What is known of each row of the weights, under our names; and in words, which columns were left out."""
    prefixed = {name: f"config.{name}" for name in ("dataset", *HYPER_PARAMETERS)}
    named = prefixed | {name: name for name in ("modeldir", "step", *MEASURED)}  # our name -> the source's
    frame = _table(path, list(named.values()))
    if len(frame) != rows:
        raise ValueError(f"{path}: {len(frame)} rows for {rows} rows of weights; the files belong to different zoos")
    metrics = pd.DataFrame({"row": np.arange(rows)})
    for name, source in named.items():
        convert = _words if name in TEXT or name == "dataset" else _whole_numbers if name in WHOLE else _numbers
        metrics[name] = convert(frame, source, path)
    for name in ("test_accuracy", "train_accuracy"):
        wrong = np.flatnonzero((metrics[name] < 0) | (metrics[name] > 1))
        if len(wrong):
            raise ValueError(f"{path}: {name} is {metrics[name][wrong[0]]:g} in row {wrong[0]}, expected a share in [0, 1]")
    metrics["generalisation_gap"] = metrics["train_accuracy"] - metrics["test_accuracy"]
    metrics["lineage"] = pd.factorize(metrics["modeldir"], sort=True)[0].astype(np.int64)
    left_out = [name for name in frame if name not in named.values()]
    return metrics, [f"columns left out: {few.names(left_out)}"] * bool(left_out)


def _hashed(metrics: pd.DataFrame) -> np.ndarray:
    return split_by_lineage(metrics["modeldir"].tolist())


def _split_file(split: str, split_file: str, step: int) -> dict[str, Path]:
    """The file of a published split, by what it holds; none is needed for our own."""
    if split not in ("lineage", NFN):
        raise ValueError(unknown("split", split, ("lineage", NFN)))
    if (split == NFN) != bool(split_file):
        raise ValueError(f"split {NFN} and split_file=PATH, its published *_split.csv, go together; give both or none")
    if split == NFN and step != NFN_STEP:
        raise ValueError(f"split {NFN} is one of the nets of step {NFN_STEP}, not {step}")
    return {"split": Path(split_file)} if split == NFN else {}


def _published(path: Path, final: pd.Series) -> np.ndarray:
    """The split of each row of the source as the code of Zhou et al. 2023 decides it; none of those that are not final.

    That code reads the header of the file, a 0, as a number too, so row 0 comes twice. It is no final one in a source
    that begins with a run's first checkpoint; if it is, and falls into two splits, it is in the test split here.
    """
    numbers = np.concatenate([[0], _permutation(path, len(final))])
    numbers = numbers[final.to_numpy()[numbers]]
    half = int(0.5 * len(numbers))
    known = list(range(half))
    random.Random(0).shuffle(known)
    cut = int(0.8 * half)
    splits = np.full(len(final), "", object)
    splits[numbers[known[:cut]]] = "train"
    splits[numbers[known[cut:]]] = "validation"
    splits[numbers[half:]] = "test"
    return splits


def _permutation(path: Path, rows: int) -> np.ndarray:
    """All numbers of rows in the file's order. Raises ValueError naming the first that is wrong."""
    frame = foreign.table(path)
    if [str(name) for name in frame.columns] != ["0"]:
        raise ValueError(f"{path}: expected the one column 0, found {few.names(frame.columns)}")
    numbers = _whole_numbers(frame, frame.columns[0], path)
    if len(beyond := numbers[numbers >= rows]):
        raise ValueError(f"{path} names row {beyond[0]}, but the zoo has {rows} rows; the file is of another zoo")
    if len(again := np.flatnonzero(pd.Series(numbers).duplicated())):
        raise ValueError(f"{path} names row {numbers[again[0]]} twice; expected each of {rows} rows once")
    if len(missing := np.setdiff1d(np.arange(rows), numbers)):
        raise ValueError(f"{path} lacks row {missing[0]}; expected each of {rows} rows once, found {len(numbers)}")
    return numbers


def _whole(text: str, option: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{option}={text!r}: expected a whole number of epochs, such as 86")
    return int(text)


def _steps(text: str, known: pd.Series) -> tuple[int, ...]:
    """The checkpoints that the option asks for, ascending."""
    there = {int(step) for step in known.unique()}
    steps = set() if text == "none" else there if text == "all" else {_whole(part, "trajectory") for part in text.split(",")}
    if missing := sorted(steps - there):
        raise ValueError(f"trajectory={text!r}: no run has step {missing[0]}; there are steps {few.names(sorted(there))}")
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
