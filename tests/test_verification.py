import json
import shutil

import h5py
import numpy as np
import pytest
import safetensors.numpy
from strangers import sign

import zoo

SHARD = "data/test-00000-of-00001.h5"


@pytest.fixture
def copy(asymmetric, tmp_path):
    return shutil.copytree(asymmetric, tmp_path / "zoo")


def test_whole_zoos_have_nothing_wrong(standard, asymmetric):
    assert zoo.verify(standard, nets=3) == []
    assert zoo.verify(asymmetric, nets=3, seed=1) == []


@pytest.mark.parametrize("where", [100, 5000, -1])
@pytest.mark.parametrize("name", [SHARD, "zoo.json", "fixed.safetensors"])
def test_a_flipped_bit_anywhere_is_found(copy, name, where):
    data = bytearray((copy / name).read_bytes())
    if name == "zoo.json":
        data[data.index(b"seed") + 1] = ord("E")  # still JSON, in a text about the columns
    else:
        data[where % len(data)] ^= 1
    (copy / name).write_bytes(data)
    assert any(name in problem for problem in zoo.verify(copy, nets=0))


@pytest.mark.parametrize(
    ("column", "change", "found"),
    [
        ("learning_rate", lambda values: values * 2, "the spec draws"),
        ("seed", lambda values: values + 1, "not those of its index"),
        ("test_accuracy", lambda values: np.full_like(values, np.nan), "must have finite accuracies"),
        ("test_accuracy", lambda values: values * 0.5 + 0.25, "measured again"),
        ("weights", lambda values: np.where(values == values.max(), np.inf, values), "not finite"),
        ("weights", lambda values: values * 1.5, "fixed entries that are not the zoo's"),
    ],
)
def test_signed_but_wrong_rows_are_found(copy, column, change, found):
    with h5py.File(copy / SHARD, "r+") as file:
        file[column][...] = change(file[column][...])
    sign(copy)
    nets = len(zoo.open(copy)) if found == "measured again" else 0
    assert any(found in problem for problem in zoo.verify(copy, nets=nets))


def other_shape(folder):
    """As many weights, which make nine times as many channels."""
    value = json.loads((folder / "zoo.json").read_text())
    first = value["layout"][0]
    first["shape"] = [9 * first["shape"][0], 1, 1, 1]
    (folder / "zoo.json").write_text(json.dumps(value))


def other_matrix(folder):
    """A matrix of a thousand channels where there are two, in a family that has none."""
    shared = safetensors.numpy.load_file(folder / "fixed.safetensors")
    made = safetensors.numpy.save({**shared, "nonlin1.F_mat": np.zeros((1000, 1000), "f4")})
    (folder / "fixed.safetensors").write_bytes(made)


@pytest.mark.parametrize("change", [other_shape, other_matrix])
def test_nets_that_are_not_the_specs_are_not_run(copy, change):
    change(copy)
    sign(copy)
    problems = zoo.verify(copy)
    assert problems == [f"{copy}: its tensors are not those that its spec's nets have; nothing was measured again"]
