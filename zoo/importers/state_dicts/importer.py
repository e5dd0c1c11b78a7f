"""Nets of your own: a folder of state dicts of one architecture, and a CSV that says what was measured of each."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from zoo.importers.fixed_matrices import gated_layout
from zoo.importers.infer_layout import check_alike, inferred_layout, shapes_of, without_statistics
from zoo.importers.source_files import digests, unwrapped
from zoo.importers.source_zoo import Foreign, one_by_one
from zoo.importers.state_dicts import columns, state_files
from zoo.importers.state_dicts import table as net_tables
from zoo.importers.state_dicts.state_files import State
from zoo.messages import plain_line, plain_name
from zoo.nets import resnet
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.layout import Layout, shapes_in, total
from zoo.spec.imported import Imported, Provenance
from zoo.untrusted import tables

FEW = 3  # names that a note gives of many


def state_dicts(
    path: Path,
    *,
    table: str = "",
    hyper_parameters: str = "",
    targets: str = "",
    percent: str = "",
    words: str = "",
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

    A net is a safetensors file, or one of PyTorch that `torch.load(weights_only=True)` reads, by its content, whatever its
    name ends with: a state dict, or a dict with one under `state_dict`, `model` or `model_state_dict`. All have tensors of
    the same names and shapes. The CSV has a column `file`, the path in the folder, and any others; a smallest example:

        file,learning_rate,test_accuracy
        nets/0.safetensors,0.1,0.913
        nets/1.safetensors,0.3,0.887

        metazoo import state-dicts FOLDER --set hyper_parameters=learning_rate --out ZOO

    Options are texts; columns are named as in the CSV, several with commas between them:

    - `table`: the CSV, by its path in the folder. Default: the only `.csv` there.
    - `hyper_parameters`: columns that are known before training, numbers or words; metanets may see them. Default: those
      whose names say so (`lr`, `epochs`, `batch_size`, `optimizer`, `width` and others; see `names.py`), and numbers
      below `config/` but seeds, accuracies and losses; `none` for none.
    - `targets`: columns to predict, numbers. Default: all other columns of numbers, but `index`, seeds and
      ids (`seed`, `data_seed`, `run_id`) and those whose names are of hyper-parameters.
    - `percent`: columns that are in percent. They are divided by 100: an accuracy in a zoo is a share from 0 to 1. So are
      entries with a per cent sign.
    - `words`: columns of words that may look like numbers with mistakes in them.
    - `lineage`: the column that groups nets of one run, such as its checkpoints, or nets fine-tuned from one start; they
      come into one split, so that no metanet is tested on nets that it has all but seen. Default: the column
      `lineage`, and without one, each net is its own.
    - `split`: the column with `train`, `validation` (or `val`, `valid`) or `test`. Default: the column `split`, and without
      one, 50/25/25 by a stable hash of the lineage. With your own splits, a lineage that lies in two of them is an error.
    - `key`: where in a file's dict the state dict is, if not under one of the names above.
    - `name`, `architecture`, `family`, `images` (the image task): names for the leaderboard, of letters, digits, dots,
      dashes and underscores. Default: the folder's name, `unknown` for the images. `licence`, `citation`, `url`: who may
      use the nets, and where they come from.

    Column names become lower case with underscores, and ours where they mean the same (`lr` is `learning_rate`,
    `test_acc` is `test_accuracy`); other columns are kept too, and no metanet sees them. A column `diverged` of 0 and 1
    marks nets that are kept but not scored; so are nets with weights that are not finite. Missing values are
    empty cells, or `NA`, `None`, `nan` and the like; other words in a column of numbers are an error.

    What each tensor is follows from its name, axes and neighbours: three to five axes a convolution (but embeddings and
    tokens), two axes a linear layer or embedding, scale and shift of a norm, bias, and `running_mean` or `running_var`,
    which is kept as a statistic and no input of metanets, as is `F_mat` of sigma-asymmetric nets. Integer tensors such as
    `num_batches_tracked` are left out and other float types become float32, both noted in the provenance. Floating-point
    buffers of other names cannot be told from parameters. With exactly the names and shapes of this package's ResNet8 the
    architecture is `resnet8`, which can be run and has known symmetries; otherwise the baselines, MLP, DMC, DeepSets and
    StatNN work, as on every zoo.

    Raises FileNotFoundError where the folder, table or a net is missing, ValueError naming the file, and the column or
    tensor, at fault.
    """
    path = unwrapped(path)
    folder = path.name if re.search("[A-Za-z0-9]", path.name) else path.resolve().name
    csv = net_tables.find(path, table)
    read = tables.read(csv)
    paths, extra = net_tables.nets(path, read)
    names = [place.relative_to(path).as_posix() for place in paths]  # whole paths say where, not what
    rows = replace(read, frame=read.frame.assign(file=names))
    options = {"hyper_parameters": hyper_parameters, "targets": targets, "percent": percent, "words": words}
    choice = columns.choice(rows, **options, lineage=lineage, split=split)
    given = columns.columns(rows, choice)
    first = state_files.read(paths[0], key)
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
        split=choice.rule,
        provenance=Provenance(
            kind="state-dicts",
            title=_label(folder),
            url=url,
            licence=licence,
            citation=citation,
            files=digests({str(part.relative_to(path)): part for part in (*paths, csv)}),
            notes=tuple(map(plain_line, (*given.notes, *notes))),
        ),
        hyper_parameters=given.hyper_parameters,
        targets=given.targets,
        columns=given.columns,
        text=given.text,
    )
    weights = one_by_one(lambda row: _vector(state_files.read(paths[row], key), layout, paths[row], paths[0]), layout)
    frame = given.frame.assign(diverged=given.frame["diverged"].to_numpy() | ~finite)
    return Foreign(about, layout, frame, weights, *without_statistics(layout))


def _label(text: str) -> str:
    """A text as the name of a zoo, family or architecture."""
    return plain_name(text) or "nets"


def _layout(state: State, path: Path, architecture: str, label: str) -> tuple[Layout, str]:
    """Where each tensor lies, and the name of the architecture."""
    shapes = shapes_of(state.tensors)
    ours = resnet.like(shapes) or gated_layout(shapes)
    if ours is None and architecture in ARCHITECTURES:
        raise ValueError(
            f"{path}: its tensors are not those of this package's {architecture}; name the architecture otherwise"
        )
    if ours is not None and architecture in ("", "resnet8"):
        return ours, "resnet8"
    return inferred_layout(shapes), architecture or (f"{label}-other" if label in ARCHITECTURES else label)


def _vector(state: State, layout: Layout, path: Path, first: Path) -> np.ndarray:
    """A net's tensors one after the other. Raises ValueError naming the tensor that is not the first net's."""
    check_alike(path, shapes_of(state.tensors), first, shapes_in(layout))
    return torch.cat([state.tensors[entry.name].reshape(-1) for entry in layout]).numpy()


def _checked(paths: list[Path], key: str, layout: Layout) -> tuple[np.ndarray, list[str]]:
    """Whether each net is finite, and what is worth saying; reads every file, one at a time."""
    finite, same, first = np.empty(len(paths), bool), np.ones(total(layout), bool), None
    left_out: dict[str, int] = {}
    converted: dict[str, int] = {}
    for row, path in enumerate(paths):
        state = state_files.read(path, key)
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
