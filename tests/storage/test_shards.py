import io

import datasets
import h5py
import numpy as np
import pytest

import zoo
from zoo.storage import shards
from zoo.storage.manifest import read_manifest

COLUMNS = {
    "index": np.arange(5),
    "rate": np.linspace(0, 1, 5),
    "accuracy": np.array([0.1, np.nan, 0.3, 0.4, 0.5], np.float32),
    "diverged": np.array([0, 1, 0, 0, 0], bool),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard.h5"


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_written_shard_reads_back_exactly(path, dtype):
    weights = np.random.default_rng(0).normal(size=(5, 33)).astype(dtype)
    path.write_bytes(shards.image(weights, COLUMNS, {"spec": "{}"}))
    found = shards.read(path)
    assert isinstance(found.weights, np.memmap)
    np.testing.assert_array_equal(found.weights, weights)
    assert found.weights.dtype == dtype
    assert found.attributes == {"format": shards.FORMAT, "spec": "{}"}
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(found.columns[name], values)
        assert found.columns[name].dtype == values.dtype


def test_equal_nets_give_equal_bytes():
    weights = np.ones((5, 8), np.float32)
    assert shards.image(weights, COLUMNS, {"a": "b"}) == shards.image(weights.copy(), dict(COLUMNS), {"a": "b"})


@pytest.mark.parametrize("family", ["standard", "asymmetric"])
def test_load_dataset_reads_a_shard_as_it_is(request, tmp_path, family):
    made = zoo.open(request.getfixturevalue(family))
    file = next(made.folder / name for name in read_manifest(made.folder) if "train" in name)
    rows = datasets.load_dataset("hdf5", data_files=[str(file)], split="train", cache_dir=str(tmp_path))
    np.testing.assert_array_equal(rows.with_format("numpy")["weights"][:], made.arrays("train")[0])
    frame = made.columns[made.columns["split"] == "train"].drop(columns="split")
    assert set(rows.column_names) == {*frame.columns, "weights"}
    for name in frame.columns:
        np.testing.assert_array_equal(rows[name], frame[name])


def with_file(path, change):
    """A good shard, changed through h5py."""
    memory = io.BytesIO(shards.image(np.ones((5, 8), np.float32), COLUMNS, {}))
    with h5py.File(memory, "r+") as file:
        change(file)
    path.write_bytes(memory.getvalue())


def replaced(name, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda file: file.attrs.__setitem__("format", "metazoo-99"), "metazoo-99"),
        (lambda file: file.attrs.__delitem__("format"), "format None"),
        (lambda file: file.create_group("more"), "more is not a plain column"),
        (lambda file: file.__setitem__("secret", h5py.ExternalLink("/etc/passwd", "/")), "secret is not a plain column"),
        (lambda file: file.__setitem__("alias", h5py.SoftLink("/weights")), "alias is not a plain column"),
        (lambda file: file.__delitem__("weights"), "damaged or no shard"),
        (replaced("rate", data=np.ones(4)), "differ in length"),
        (replaced("weights", data=np.ones((5, 8), np.float32), chunks=(1, 8)), "contiguous"),
        (replaced("weights", data=np.ones((5, 8), np.float32), compression="gzip"), "contiguous"),
        (replaced("weights", data=np.ones((5, 8))), "found \\(5, 8\\) float64"),
        (replaced("weights", data=np.ones((5, 8), ">f4")), "contiguous float16 or float32"),
        (replaced("weights", data=np.ones(40, np.float32)), "must be \\[net, weight\\]"),
    ],
)
def test_what_is_no_shard_is_refused_with_its_reason(path, change, found):
    with_file(path, change)
    with pytest.raises(ValueError, match=found):
        shards.read(path)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:600], lambda data: b"", lambda data: b"x" * 9999]
)
def test_truncated_files_and_garbage_are_refused(path, damage):
    path.write_bytes(damage(shards.image(np.ones((5, 8), np.float32), COLUMNS, {})))
    with pytest.raises(ValueError, match=r"shard\.h5"):
        shards.read(path)


def test_a_missing_shard_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"shard\.h5"):
        shards.read(path)
