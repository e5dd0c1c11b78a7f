"""Nets of your own: a folder of state dicts of one architecture, and a CSV that says what was measured of each."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zoo import foreign
from zoo.choices import unknown
from zoo.imported import Imported, Provenance, is_column, plain_column, plain_name
from zoo.importers.rows import BY_HASH, Foreign, one_by_one, split_by_lineage
from zoo.importers.shapes import check_alike, in_layout, inferred_layout, resnet8_layout, shapes_of, without_statistics
from zoo.importers.sources import digests, unwrapped
from zoo.layout import Layout, total
from zoo.nets import ARCHITECTURES
from zoo.recipe import SPLITS

PICKLED, SAFETENSORS = (".pt", ".pth"), ".safetensors"
KEYS = ("state_dict", "model", "model_state_dict")
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
ALIASES = {  # other names of columns -> ours, which mean the same
    "lr": "learning_rate",
    "wd": "weight_decay",
    "test_acc": "test_accuracy",
    "train_acc": "train_accuracy",
    "val_acc": "validation_accuracy",
    "val_accuracy": "validation_accuracy",
    "val_loss": "validation_loss",
    "generalization_gap": "generalisation_gap",
    "index": "source_index",
    "unnamed_0": "source_index",  # what pandas calls a first column without a name
}
NO_FEATURES = ("file", "split", "lineage", "diverged")  # columns that have another meaning
NO_TARGETS = (*NO_FEATURES, "source_index", "seed", "id")  # unless the option names them
RESERVED = ("weights", "trajectory")  # columns that every zoo, or none, has
FEW = 3  # names that a message gives of many


@dataclass(frozen=True)
class _Columns:
    """The table under the names of our columns, and what each of them is."""

    frame: pd.DataFrame
    hyper_parameters: dict[str, str]
    targets: dict[str, str]
    columns: dict[str, str]
    text: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _State:
    """A net's tensors in float32, and what its file has besides."""

    tensors: dict[str, Tensor]
    left_out: tuple[str, ...]  # integer buffers and what is no tensor
    converted: tuple[str, ...]  # other float types


def state_dicts(
    path: Path,
    *,
    table: str = "",
    hyper_parameters: str = "",
    targets: str = "",
    percent: str = "",
    lineage: str = "",
    split: str = "",
    key: str = "",
    name: str = "",
    architecture: str = "",
    family: str = "",
    images: str = "",
    licence: str = "not stated",
    citation: str = "",
    url: str = "",
) -> Foreign:
    """The nets in a folder: a file with a state dict for each, and a CSV with a row for each.

    A net is a `.safetensors` file, or a `.pt` or `.pth` file that `torch.load(weights_only=True)` reads: a state dict, or
    a dict with one under `state_dict`, `model` or `model_state_dict`. All have tensors of the same names and shapes. The
    CSV has a column `file`, the path in the folder, and any others; a smallest example:

        file,learning_rate,test_accuracy
        nets/0.safetensors,0.1,0.913
        nets/1.safetensors,0.3,0.887

        metazoo import state-dicts FOLDER --set hyper_parameters=learning_rate --out ZOO

    Options are texts; columns are named as in the CSV, several with commas between them:

    - `table`: the CSV, by its path in the folder. Default: the only `.csv` there.
    - `hyper_parameters`: columns that are known before training, numbers or words; metanets may see them.
    - `targets`: columns to predict, numbers. Default: all other columns of numbers, but `index`, `id`, `seed`.
    - `percent`: columns that are in percent. They are divided by 100: an accuracy in a zoo is a share from 0 to 1.
    - `lineage`: the column that groups nets of one run, such as its checkpoints, or nets fine-tuned from one start; they
      come into one split, so that no metanet is tested on nets that it has all but seen. Default: the column
      `lineage`, and without one, each net is its own.
    - `split`: the column with `train`, `validation` or `test`. Default: the column `split`, and without one, 50/25/25 by
      a stable hash of the lineage. With your own splits, a lineage that lies in two of them is an error.
    - `key`: where in a `.pt` file's dict the state dict is, if not under one of the names above.
    - `name`, `architecture`, `family`, `images` (the image task): names for the leaderboard, of letters, digits, dots,
      dashes and underscores. Default: the folder's name, `unknown` for the images. `licence`, `citation`, `url`: who may
      use the nets, and where they come from.

    Column names become lower case with underscores, and ours where they mean the same (`lr` is `learning_rate`,
    `test_acc` is `test_accuracy`); other columns are kept too, and no metanet sees them. A column `diverged` of 0 and 1
    marks nets that are kept but not scored; so are nets with weights that are not finite. Empty cells are missing values.

    What each tensor is follows from its name, axes and neighbours: three to five axes a convolution (but embeddings and
    tokens), two axes a linear layer or embedding, scale and shift of a norm, bias, and `running_mean` or `running_var`,
    which is kept as a statistic and no input of metanets. Integer tensors such as `num_batches_tracked` are left out and
    other float types become float32, both noted in the provenance. Floating-point buffers of other names cannot be told
    from parameters. With exactly the names and shapes of this package's ResNet8 the architecture is `resnet8`, which can
    be run and has known symmetries; otherwise floors, MLP, DMC, DeepSets and StatNN work, as on every zoo.

    Raises FileNotFoundError where the folder, table or a net is missing, ValueError naming the file, and the column or
    tensor, at fault.
    """
    path = unwrapped(path)
    folder = path.name if re.search("[A-Za-z0-9]", path.name) else path.resolve().name
    csv = _table(path, table)
    rows = foreign.table(csv)
    paths, extra = _paths(path, csv, rows)
    chosen = _Choice(csv, hyper_parameters, targets, percent, lineage, split)
    given = _columns(rows, chosen)
    first = _state(paths[0], key)
    layout, of = _layout(first, paths[0], architecture, _label(folder))
    finite, notes = _checked(paths, key, layout)
    if extra:
        notes.append(f"{extra:,} files of nets in the folder are not in {csv.name} and were left out")
    about = Imported(
        name=name or _label(folder),
        family=family or _label(folder),
        architecture=of,
        image_task=images or "unknown",
        dtype="float32",
        split=chosen.rule(rows),
        provenance=Provenance(
            kind="state-dicts",
            title=_label(folder),
            url=url,
            licence=licence,
            citation=citation,
            files=digests({str(part.relative_to(path)): part for part in (*paths, csv)}),
            notes=(*given.notes, *notes),
        ),
        hyper_parameters=given.hyper_parameters,
        targets=given.targets,
        columns=given.columns,
        text=given.text,
    )
    weights = one_by_one(lambda row: _vector(_state(paths[row], key), layout, paths[row], paths[0]), layout)
    frame = given.frame.assign(diverged=given.frame["diverged"].to_numpy() | ~finite)
    return Foreign(about, layout, frame, weights, *without_statistics(layout))


def _label(text: str) -> str:
    """A text as the name of a zoo, family or architecture."""
    return plain_name(text) or "nets"


def _table(path: Path, name: str) -> Path:
    """The CSV of that name, or the only one."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder; expected one with state dicts and a CSV")
    found = [path / name] if name else sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} files *.csv; name the table of the nets with table=NAME")
    if not found[0].resolve().is_relative_to(path.resolve()):
        raise ValueError(f"{found[0]}: the table must be in {path}")
    if not found[0].is_file():
        raise FileNotFoundError(f"{found[0]}: no such table")
    return found[0]


def _paths(path: Path, csv: Path, rows: pd.DataFrame) -> tuple[list[Path], int]:
    """The file of each row, and how many other files of nets there are."""
    if "file" not in rows or not len(rows):
        raise ValueError(f"{csv}: {len(rows)} rows, columns {', '.join(map(str, rows.columns))}; expected a column file")
    root, places = path.resolve(), [path / str(text) for text in rows["file"]]
    for place in places:
        if not place.resolve().is_relative_to(root):
            raise ValueError(f"{csv}: {place} is outside {path}; every net must be in the folder")
        if place.suffix not in (*PICKLED, SAFETENSORS):
            raise ValueError(f"{csv}: {place} is no file of a net; expected {', '.join((SAFETENSORS, *PICKLED))}")
    if missing := [place for place in places if not place.is_file()]:
        raise FileNotFoundError(
            f"{missing[0]}: no such file; {csv.name} names it, and {len(missing) - 1} more that are missing"
        )
    real = pd.Series([place.resolve() for place in places])
    if twice := np.flatnonzero(real.duplicated()).tolist():
        raise ValueError(f"{csv}: {places[twice[0]]} stands there more than once; each row is a net of its own")
    found = {part.resolve() for part in path.rglob("*") if part.suffix in (*PICKLED, SAFETENSORS) and part.is_file()}
    return places, len(found - set(real))


@dataclass(frozen=True)
class _Choice:
    """What the options say of the table's columns."""

    csv: Path
    hyper_parameters: str
    targets: str
    percent: str
    lineage: str
    split: str

    def listed(self, option: str, rows: pd.DataFrame) -> list[str]:
        """The columns that the option names, or those of its own name where that is its default."""
        text = getattr(self, option)
        if not text and option in ("lineage", "split"):
            return [option] if option in rows else []
        found = [name.strip() for name in text.split(",") if name.strip()]
        for name in found:
            if name not in rows:
                raise ValueError(f"{self.csv}: {option}: {unknown('column', name, map(str, rows.columns))}")
        if option in ("lineage", "split") and len(found) != 1:
            raise ValueError(f"{option} is one column, found {text!r}")
        return found

    def rule(self, rows: pd.DataFrame) -> str:
        """How the splits come about, in words."""
        if split := self.listed("split", rows):
            return f"column {split[0]} of {self.csv.name}"
        return f"{BY_HASH} {'the lineage' if self.listed('lineage', rows) else 'file'}"


def _columns(rows: pd.DataFrame, chosen: _Choice) -> _Columns:
    """The table in our names and types. Raises ValueError naming the column at fault."""
    hyper, targets, percent, lineage, split = (
        chosen.listed(option, rows) for option in ("hyper_parameters", "targets", "percent", "lineage", "split")
    )
    if both := {*hyper} & {*targets}:
        raise ValueError(f"{chosen.csv}: column {min(both)} cannot be a hyper-parameter and a target")
    names = _names(rows, chosen.csv, dict.fromkeys(lineage, "lineage") | dict.fromkeys(split, "split"))
    for column in (*hyper, *targets):
        if names[column] in NO_FEATURES:
            raise ValueError(f"{chosen.csv}: column {column} is the {names[column]}, no hyper-parameter and no target")
    frame, text, notes = {}, [], []
    about: dict[str, dict[str, str]] = {"hyper_parameters": {}, "targets": {}, "columns": {}}
    diverged = np.zeros(len(rows), bool)
    for column, our in names.items():
        values = _values(rows[column], f"{chosen.csv}: column {column}", words=column not in {*targets, *percent})
        if values.dtype.kind == "f" and (infinite := np.isinf(values)).any():
            notes.append(f"{infinite.sum():,} nets have an infinite {our}: the value is missing, the net marked diverged")
            values, diverged = np.where(infinite, np.nan, values), diverged | infinite
        values = values / 100 if column in percent else values
        _check(our, values, f"{chosen.csv}: column {column}")
        if our == "diverged":
            diverged |= values.astype(bool)
            continue
        frame[our] = values
        if our == "split":
            continue
        words = values.dtype.kind == "O"
        text += [our] * words
        default = not targets and not words and our not in NO_TARGETS
        part = "hyper_parameters" if column in hyper else "targets" if column in targets or default else "columns"
        about[part][our] = f"column {column} of {chosen.csv.name}" + ", divided by 100" * (column in percent)
    if not about["targets"]:
        raise ValueError(f"{chosen.csv}: no column of numbers to predict; name some with targets=COLUMN,COLUMN")
    if "split" not in frame:
        groups = frame["lineage"] if lineage else frame["file"]
        frame["split"] = split_by_lineage(groups.tolist())
    elif lineage and (torn := _torn(frame["lineage"], frame["split"])) is not None:
        raise ValueError(f"{chosen.csv}: lineage {torn} is in more than one split; its nets are not independent")
    return _Columns(pd.DataFrame({**frame, "diverged": diverged}), **about, text=tuple(text), notes=tuple(notes))


def _names(rows: pd.DataFrame, csv: Path, given: dict[str, str]) -> dict[str, str]:
    """Our name of each column of the table."""
    names: dict[str, str] = {}
    for column in rows.columns:
        plain = plain_column(str(column))
        our = given.get(column, ALIASES.get(plain, plain))
        if not is_column(our) or our in RESERVED or our.startswith("trajectory_"):
            raise ValueError(f"{csv}: column {column!r} cannot be named {our!r} in a zoo; rename it in the table")
        if our in names.values():
            raise ValueError(f"{csv}: two columns are {our}, one of them {column!r}; rename one in the table")
        names[column] = our
    return names


def _values(column: pd.Series, what: str, *, words: bool) -> np.ndarray:
    """Whole numbers, other numbers, or words where those are allowed."""
    if column.dtype.kind in "biu":
        return column.to_numpy(np.int64)
    if column.dtype.kind == "f":
        return column.to_numpy(np.float64)
    if not words:
        wrong = column[pd.to_numeric(column, errors="coerce").isna()]
        raise ValueError(f"{what} must be numbers, found {wrong.iloc[0] if len(wrong) else column.iloc[0]!r}")
    return column.astype(str).to_numpy(object)


def _check(our: str, values: np.ndarray, what: str) -> None:
    """Raises ValueError where a column that has a meaning for every zoo has values that it cannot have."""
    numbers, known = values.dtype.kind != "O", set(np.unique(values).tolist())
    if our.endswith("accuracy") and numbers and not ((values >= 0) & (values <= 1) | np.isnan(values)).all():
        raise ValueError(
            f"{what} is an accuracy, from 0 to 1, found {np.nanmax(values):g}; if it is in percent, see percent="
        )
    if our == "diverged" and not known <= {0, 1}:
        raise ValueError(f"{what} must be 0 or 1")
    if our == "split" and not known <= {*SPLITS}:
        raise ValueError(
            f"{what} must be one of {', '.join(SPLITS)}, found {', '.join(map(repr, sorted(known - {*SPLITS})[:FEW]))}"
        )
    if our == "lineage" and (values.dtype.kind == "f" or "" in known):
        raise ValueError(f"{what} must name the lineage of every net, by a whole number or a word")


def _torn(lineages: np.ndarray, splits: np.ndarray) -> Any:
    """A lineage that has nets in more than one split."""
    counts = pd.Series(splits).groupby(lineages).nunique()
    return counts.index[counts > 1][0] if (counts > 1).any() else None


def _state(path: Path, key: str) -> _State:
    """A net's tensors, floats only and in float32."""
    if path.suffix == SAFETENSORS:
        value = foreign.safetensors(path)
        value = {name: value[name] for name in sorted(value, key=_natural)}
    else:
        value = _inside(foreign.tensors(path), path, key)
    while prefix := next((start for start in WRAPPERS if value and all(name.startswith(start) for name in value)), ""):
        value = {name.removeprefix(prefix): tensor for name, tensor in value.items()}
    floats = {n: t for n, t in value.items() if isinstance(t, Tensor) and t.is_floating_point() and t.numel()}
    if not floats:
        raise ValueError(f"{path}: no tensors of floating-point numbers")
    other = {str(tensor.dtype).removeprefix("torch.") for tensor in floats.values()} - {"float32"}
    tensors = {name: tensor.float().reshape(tensor.shape or (1,)) for name, tensor in floats.items()}
    return _State(tensors, tuple(name for name in value if name not in floats), tuple(sorted(other)))


def _natural(name: str) -> list[Any]:
    """Sorts layer2 before layer10, and a layer's weight before its bias, as PyTorch has them."""
    module, _, leaf = name.rpartition(".")
    parts = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", module)]
    return [parts, ("weight", "bias").index(leaf) if leaf in ("weight", "bias") else 2, leaf]


def _inside(value: Any, path: Path, key: str) -> dict[str, Any]:
    """The state dict in what a .pt file holds."""
    if isinstance(value, dict):
        keys = [key] if key else [name for name in KEYS if isinstance(value.get(name), dict)]
        if key and key not in value:
            raise ValueError(f"{path}: {unknown('key', key, map(str, value))}")
        value = value[keys[0]] if keys else value
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{path}: expected a state dict, or a dict with one (see key=), found a {type(value).__name__}")
    if not any(isinstance(tensor, Tensor) for tensor in value.values()):
        raise ValueError(
            f"{path}: no tensors in it; its keys are {', '.join(list(value)[:8])}; key=NAME says where they are"
        )
    return value


def _layout(state: _State, path: Path, architecture: str, label: str) -> tuple[Layout, str]:
    """Where each tensor lies, and the name of the architecture."""
    shapes = shapes_of(state.tensors)
    ours = resnet8_layout(shapes)
    if ours is None and architecture in ARCHITECTURES:
        raise ValueError(
            f"{path}: its tensors are not those of this package's {architecture}; name the architecture otherwise"
        )
    if ours is not None and architecture in ("", "resnet8"):
        return ours, "resnet8"
    return inferred_layout(shapes), architecture or (f"{label}-other" if label in ARCHITECTURES else label)


def _vector(state: _State, layout: Layout, path: Path, first: Path) -> np.ndarray:
    """A net's tensors one after the other. Raises ValueError naming the tensor that is not the first net's."""
    check_alike(path, shapes_of(state.tensors), first, in_layout(layout))
    return torch.cat([state.tensors[entry.name].reshape(-1) for entry in layout]).numpy()


def _checked(paths: list[Path], key: str, layout: Layout) -> tuple[np.ndarray, list[str]]:
    """Whether each net is finite, and what is worth saying; reads every file, one at a time."""
    finite, same, first = np.empty(len(paths), bool), np.ones(total(layout), bool), None
    left_out: dict[str, int] = {}
    converted: dict[str, int] = {}
    for row, path in enumerate(paths):
        state = _state(path, key)
        vector = _vector(state, layout, path, paths[0])
        first = vector if first is None else first
        finite[row], same = np.isfinite(vector).all(), same & (vector == first)
        for counts, names in ((left_out, state.left_out), (converted, state.converted)):
            counts |= {name: counts.get(name, 0) + 1 for name in names}
    notes = [f"{count:,} nets have {dtype} tensors, which became float32" for dtype, count in converted.items()]
    if left_out:
        few = ", ".join([*left_out][:FEW]) + ", ..." * (len(left_out) > FEW)
        notes.append(f"{len(left_out)} names in the files are no tensors of real numbers and were left out: {few}")
    if not finite.all():
        notes.append(f"{int((~finite).sum()):,} nets with weights that are not finite are kept, marked diverged")
    if same.any() and len(paths) > 1:
        notes.append(f"{int(same.sum()):,} of {len(same):,} entries are the same in all nets")
    return finite, notes
