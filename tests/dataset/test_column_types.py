"""A column of any type that HDF5 has: vetting refuses it by name, or every reader reads it."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import h5py
import imported_zoo
import numpy as np
import pytest
from conftest import small
from h5py import h5d, h5s, h5t
from strangers import SHARD, sign, travelling

import zoo
from benchmark.scoring.task import check_task, task_of
from zoo.dataset import plots
from zoo.dataset.export import export
from zoo.dataset.summary import summary
from zoo.hub.card import card
from zoo.hub.citation import About
from zoo.hub.release import index
from zoo.importers.source_zoo import write
from zoo.untrusted import vetting
from zoo.untrusted.vetting import types
from zoo.untrusted.vetting.manifests import ABOUT

UNUSUAL: dict[str, Callable[[], h5t.TypeID]] = {  # types that numpy has not, or not as h5py writes them
    "vlen": lambda: h5t.vlen_create(h5t.IEEE_F32LE),
    "opaque": lambda: h5t.create(h5t.OPAQUE, 4),
    "array": lambda: h5t.array_create(h5t.IEEE_F32LE, (2,)),
    "bitfield": lambda: h5t.STD_B8LE,
    "time": lambda: h5t.UNIX_D32LE,
    "reference": lambda: h5t.STD_REF_OBJ,
    "ascii": lambda: h5t.C_S1,
    "latin": lambda: h5t.py_create(h5py.string_dtype("ascii"), logical=True),
    "colours": lambda: h5t.py_create(h5py.enum_dtype({"RED": 0, "BLUE": 1}, "i1"), logical=True),
    "wide bool": lambda: h5t.py_create(h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, "i4"), logical=True),
    "odd float": lambda: _changed(h5t.IEEE_F32LE, "set_ebias", 100),
    "odd int": lambda: _changed(h5t.STD_I64LE, "set_precision", 40),
}
NUMPY = [
    *(f"{order}{kind}" for order in "<>" for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8", "c8")),
    *("i1", "u1", "bool", "longdouble", "S8"),
]
KINDS = [*NUMPY, "text", *UNUSUAL]
ANY = [kind for kind in NUMPY if kind in ("i1", "u1", "bool") or (kind[0] == "<" and kind != "<c8")]
BUILT = ["index", "seed", "learning_rate", "epochs", "test_accuracy", "diverged", "another"]
BUILT += ["weights", "trajectory", "trajectory_test_loss"]
IMPORTED = ["rate", "activation", "test_accuracy", "lineage", "diverged"]


def _changed(kind: h5t.TypeID, setting: str, value: int) -> h5t.TypeID:
    copied = kind.copy()
    getattr(copied, setting)(value)
    return copied


def rewrite(path: Path, name: str, kind: str) -> None:
    """Gives a column of a shard this type, with the values that it had as far as the type can hold them."""
    with h5py.File(path, "r+") as file:
        values = file[name][()] if name in file else np.arange(len(file["weights"]))
        if name in file:
            del file[name]
        if values.dtype.kind == "O" and kind != "text":
            values = np.arange(len(values))
        if kind == "text":
            rows = np.array([f"{value}" if value.ndim == 0 else "x" for value in map(np.asarray, values)], object)
            file.create_dataset(name, data=rows, dtype=h5py.string_dtype())
        elif kind in NUMPY:
            with np.errstate(all="ignore"):
                file.create_dataset(name, data=values.astype(kind))
        else:
            h5d.create(file.id, name.encode(), UNUSUAL[kind](), h5s.create_simple(values.shape))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    spec = small(nets=48, trajectory=(0, 1))
    return travelling(
        zoo.build(spec, tmp_path_factory.mktemp("zoos") / "x", workers=2), tmp_path_factory.mktemp("b") / "zoo"
    )


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("zoos") / "foreign"
    folder.mkdir()
    write(imported_zoo.foreign(96), folder)
    return folder


def use(folder: Path, out: Path) -> None:
    """What verbs do with a zoo. A task may be refused in words, as where nets are few; anything else may not."""
    made = zoo.open(folder)
    for split in made.parts:
        for inputs in ("trained", "all"):
            nets = made.nets(split, inputs=inputs)
            assert nets.weights.shape[0] == len(nets.index) == len(nets.hyper_parameters)
        assert len(made.trajectories(split)) in (0, len(made.arrays(split)))
        made.curves(split)
    assert made.net(len(made) - 1)
    summary(made)
    assert all(isinstance(line, str) for line in zoo.verify(folder, nets=0))
    for target in made.targets:
        with contextlib.suppress(ValueError):
            check_task(made, target)
        with contextlib.suppress(ValueError):
            task_of(made, made, target, "trained", made.hyper_parameters[0], None)
    plots.histograms([made], made.targets[0])
    export(made, 0, out, kind="safetensors", overwrite=True)
    index({"a": made})
    card({"a": made}, About("x"), pictures={})


def passes(path: Path, about: vetting.About, name: str) -> bool:
    """Whether vetting lets a shard pass; else it must name the column."""
    try:
        vetting.shard(path, about)
    except ValueError:
        with pytest.raises(ValueError, match=rf"\.h5: column {name} "):
            vetting.shard(path, about)
        return False
    return True


@pytest.mark.parametrize(
    ("whose", "name"), [*(("built", name) for name in BUILT), *(("foreign", name) for name in IMPORTED)]
)
def test_a_column_of_any_type_is_refused_by_name_or_read_by_all(request, tmp_path, monkeypatch, whose, name):
    original = request.getfixturevalue(whose)
    monkeypatch.setattr("zoo.dataset.vet.once", lambda folder, local: None)  # it is vetted here
    about, passed = vetting.read_about(original / ABOUT), []
    for kind in KINDS:
        rewrite(Path(shutil.copy(original / SHARD, tmp_path / "x.h5")), name, kind)
        if passes(tmp_path / "x.h5", about, name):
            passed.append(kind)
            folder = shutil.copytree(original, tmp_path / f"zoo{len(passed)}")
            for path in (folder / "data").glob("*.h5"):
                rewrite(path, name, kind)
            sign(folder)
            vetting.check(str(folder))
            use(folder, tmp_path / "net")
    assert passed == allowed(whose, name)


def allowed(whose: str, name: str) -> list[str]:
    """The types that a column may have."""
    if name in ("index", "diverged") or (whose == "built" and name in ("seed", "epochs")):
        return ["bool"] if name == "diverged" else ["<i8"]
    if name in ("weights", "trajectory"):
        return ["<f2", "<f4"]
    if name.startswith("trajectory_"):
        return ["<f2", "<f4", "<f8"]
    if whose == "built" and name == "learning_rate":
        return ["<f8"]
    return ["text"] if name == "activation" else ANY


def test_datasets_read_a_column_of_each_type_that_passes(built, tmp_path):
    path = Path(shutil.copy(built / SHARD, tmp_path / "x.h5"))
    assert len(ANY) == len(types.NUMBERS) + 1  # and bools
    for number, kind in enumerate(ANY):
        rewrite(path, f"a{number}", kind)
    vetting.shard(path, vetting.read_about(built / ABOUT))
    rows = datasets.load_dataset("hdf5", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    with h5py.File(path) as file:
        for number in range(len(ANY)):
            assert np.array_equal(np.array(rows[f"a{number}"][:]), file[f"a{number}"][()])


@pytest.mark.parametrize("kind", ["<f4", "bool"])
def test_a_column_of_one_type_here_and_another_there_is_refused_by_name(foreign, tmp_path, kind):
    folder = shutil.copytree(foreign, tmp_path / "zoo")
    rewrite(folder / SHARD, "lineage", kind)
    sign(folder)
    with pytest.raises(ValueError, match=r"zoo: .*column lineage .*in test-00000-of-00001\.h5"):
        vetting.check(str(folder))
