import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from conftest import small
from stores import lay_out

import zoo
from zoo.hub.pictures import pictures
from zoo.hub.release import Release, _check_paths, _named, index, release
from zoo.hub.store import RELEASE
from zoo.storage import files, shards
from zoo.storage.manifest import check_bytes, read_manifest
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json


def bits(values) -> bytes:
    return np.ascontiguousarray(values).tobytes()


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = small(dtype="float16", nets=16, name="half", trajectory=(0, 1))
    return zoo.build(spec, tmp_path_factory.mktemp("zoos") / "half", workers=1)


@pytest.fixture(scope="module")
def released(standard: Path, asymmetric: Path, half: Path) -> Release:
    return release([standard, asymmetric, half], name="Three zoos")


@pytest.fixture(scope="module")
def folder(released: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(released, tmp_path_factory.mktemp("release"))


@pytest.fixture
def at_home(standard, asymmetric, half):
    return {"digits-resnet8-standard": standard, "digits-resnet8-w_asymmetric": asymmetric, "half": half}


CONFIGS = ["digits-resnet8-standard", "digits-resnet8-w_asymmetric", "half"]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_datasets_alone_loads_each_config_bit_for_bit(folder, at_home, config, split, tmp_path):
    (shard,) = zoo.open(at_home[config]).parts[split]
    rows = datasets.load_dataset(str(folder), config, split=split, cache_dir=str(tmp_path))
    points = {} if shard.trajectory is None else {"trajectory": shard.trajectory}
    assert set(rows.column_names) == {"weights", *shard.columns, *points}
    weights = rows.with_format("numpy", columns=["weights"], dtype=shard.weights.dtype)[:]["weights"]
    assert weights.dtype == shard.weights.dtype
    assert bits(weights) == bits(shard.weights)
    for name, values in {**shard.columns, **points}.items():
        assert bits(np.array(rows[name][:], values.dtype)) == bits(values), name


@pytest.mark.parametrize("config", CONFIGS)
def test_datasets_alone_streams_each_config_bit_for_bit(folder, at_home, config, tmp_path):
    (shard,) = zoo.open(at_home[config]).parts["train"]
    stream = datasets.load_dataset(str(folder), config, split="train", streaming=True, cache_dir=str(tmp_path))
    rows = list(stream)
    assert bits(np.array([row["weights"] for row in rows], shard.weights.dtype)) == bits(shard.weights)
    for name, values in shard.columns.items():
        assert bits(np.array([row[name] for row in rows], values.dtype)) == bits(values), name


def test_each_config_is_the_zoo_itself_less_what_is_of_use_only_at_home(released, folder, at_home):
    for config, home in at_home.items():
        assert (home / "plan.json").exists()
        assert (home / "units").is_dir()
        there = {path.removeprefix(f"{config}/") for path in released.files if path.startswith(f"{config}/")}
        assert there == {*read_manifest(home), "MANIFEST.sha256"}
        assert zoo.open(folder / config).manifest_sha256 == zoo.open(home).manifest_sha256
        assert not list(check_bytes(folder / config))


def test_the_manifest_checks_and_names_every_other_file(released, folder):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "MANIFEST.sha256"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    named = [line.partition("  ")[2] for line in (folder / "MANIFEST.sha256").read_text().splitlines()]
    assert named == sorted(released.files.keys() - {"MANIFEST.sha256"})


def test_digests_and_sizes_are_those_of_the_files(released, folder):
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert paths == released.files.keys() == released.digests.keys() == released.sizes.keys()
    for path in paths:
        assert sha256(folder / path) == released.digests[path]
        assert (folder / path).stat().st_size == released.sizes[path]


def test_zoo_json_says_which_zoos_these_are(folder, at_home):
    about = read_json(folder / "zoo.json")
    assert about["format"] == RELEASE
    assert [config["name"] for config in about["configs"]] == CONFIGS
    for config in about["configs"]:
        home = zoo.open(at_home[config["name"]])
        assert config["manifest_sha256"] == home.manifest_sha256
        assert config["nets"] == home.columns["split"].value_counts().to_dict()
        assert (config["spec_name"], config["family"]) == (home.spec.name, home.spec.family)


def test_equal_zoos_are_released_as_equal_bytes_wherever_they_lie(standard, asymmetric, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / "elsewhere" / folder.name) for folder in (standard, asymmetric)]
    (copies[0] / "cache").mkdir(exist_ok=True)
    first, second = (release(folders, name="x") for folders in ([standard, asymmetric], copies))
    assert first.digests == second.digests
    first, second = (lay_out(one, tmp_path / name) for one, name in ((first, "first"), (second, "second")))
    for path in (path for path in first.rglob("*") if path.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


@pytest.mark.parametrize("name", ["zoo.json", "fixed.safetensors", "data/test-00000-of-00001.h5"])
def test_a_zoo_with_an_altered_byte_is_refused(standard, tmp_path, name):
    copy = shutil.copytree(standard, tmp_path / "copy")
    data = bytearray((copy / name).read_bytes())
    data[-1] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"cannot be released.*\n.*{name}: altered"):
        release([copy], name="x")


@pytest.mark.parametrize("extra", ["plan.json", "cache/x.npy", "units/0.json", "data/extra-00000-of-00001.h5"])
def test_a_manifest_that_names_what_stays_at_home_is_refused(standard, tmp_path, extra):
    copy = shutil.copytree(standard, tmp_path / "copy")
    (copy / extra).parent.mkdir(exist_ok=True)
    (copy / extra).write_bytes(b"x")
    with (copy / "MANIFEST.sha256").open("a") as manifest:
        manifest.write(f"{files.hash_of(b'x')}  {extra}\n")
    with pytest.raises(ValueError, match=f"'{extra}' is no file of a zoo"):
        release([copy], name="x")


def test_a_manifest_that_leaves_out_a_file_of_the_zoo_is_refused(standard, tmp_path):
    copy = shutil.copytree(standard, tmp_path / "copy")
    lines = (copy / "MANIFEST.sha256").read_text().splitlines(keepends=True)
    (copy / "MANIFEST.sha256").write_text("".join(line for line in lines if "fixed" not in line))
    with pytest.raises(ValueError, match=r"fixed\.safetensors"):
        release([copy], name="x")


def test_only_finished_zoos_are_released(tmp_path, standard):
    with pytest.raises(FileNotFoundError, match="is no zoo"):
        release([tmp_path], name="x")
    copy = shutil.copytree(standard, tmp_path / "copy")
    (copy / "MANIFEST.sha256").unlink()
    with pytest.raises(FileNotFoundError, match="unfinished"):
        release([copy], name="x")
    with pytest.raises(ValueError, match="one zoo at least"):
        release([], name="x")


def test_a_config_is_named_by_architecture_and_family_where_that_is_unique(standard, asymmetric):
    released = release([standard, asymmetric], name="x")
    assert {path.split("/")[0] for path in released.files if path.endswith(".h5")} == {
        "resnet8-standard",
        "resnet8-w_asymmetric",
    }


def test_one_zoo_twice_is_refused(standard):
    with pytest.raises(ValueError, match="two zoos would be the config 'digits-resnet8-standard'"):
        release([standard, standard], name="x")


def test_nets_without_a_target_are_left_out_of_the_pictures_and_counted(standard):
    first = zoo.open(standard)
    columns = first.columns.copy()
    columns.loc[[3, 4, 5], "test_accuracy"] = [np.nan, np.inf, np.nan]
    columns.loc[5, "diverged"] = True
    histogram, scatter = pictures([replace(first, columns=columns)]).values()
    assert histogram[0] == "Histogram: test accuracy of resnet8 nets on digits (2 without one are left out)"
    assert sum(patch.get_height() for patch in histogram[1].axes[0].patches) == 61
    assert all(len(axes.collections[0].get_offsets()) == 61 for axes in scatter[1].axes)
    assert not any("left out" in caption for caption, _ in pictures([first]).values())


def test_names_that_a_release_needs_itself_are_refused(standard, asymmetric):
    first, second = zoo.open(standard), zoo.open(asymmetric)
    with pytest.raises(ValueError, match="column 'config' is the release's own"):
        _named([replace(first, columns=first.columns.assign(config="x"))])
    twins = [replace(first, spec=replace(first.spec, name="pictures")), first]
    with pytest.raises(ValueError, match="a config cannot be called 'pictures'"):
        _named(twins)
    assert [*_named([first, second])] == ["resnet8-standard", "resnet8-w_asymmetric"]


def test_the_index_has_every_scalar_column_with_the_zoos_values(folder, at_home):
    table = pd.read_parquet(folder / "index.parquet")
    assert [*table["config"].unique()] == CONFIGS
    for config, home in at_home.items():
        columns = zoo.open(home).columns
        rows = table[table["config"] == config].drop(columns="config").reset_index(drop=True)
        assert set(rows.columns) == set(columns.columns)
        for name in columns:
            assert rows[name].dtype.kind == columns[name].dtype.kind
            assert np.array_equal(rows[name], columns[name], equal_nan=columns[name].dtype.kind == "f"), name


def test_the_index_is_the_union_of_columns_with_words_as_words_and_nulls_where_there_is_nothing(standard):
    first = zoo.open(standard)
    words = pd.Series(["relu", "tanh"] * 32).astype("category")
    accuracy = first.columns["test_accuracy"].where(first.columns["index"] > 3)
    columns = first.columns.drop(columns="epochs").assign(activation=words, test_accuracy=accuracy)
    table = index({"a": first, "b": replace(first, columns=columns)})
    assert table.column_names[:4] == ["config", "split", "index", "seed"]
    assert table["epochs"].to_pylist() == [*first.columns["epochs"], *[None] * 64]
    assert table["activation"].to_pylist() == [*[None] * 64, *words]
    assert table["test_accuracy"].to_pylist()[64:68] == [None] * 4
    assert table["test_accuracy"].null_count == 4


def test_a_column_of_words_here_and_numbers_there_is_refused(standard):
    first = zoo.open(standard)
    other = replace(first, columns=first.columns.assign(epochs=["many"] * 64))
    with pytest.raises(ValueError, match="release them apart"):
        index({"a": first, "b": other})


def test_a_trajectory_stays_out_of_the_index(half):
    columns = shards.read(next(half.glob("data/train-*.h5"))).columns
    assert any(shards.is_curve(name) for name in columns)
    table = index({"a": zoo.open(half)})
    assert not [name for name in table.column_names if name.startswith("trajectory")]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a/../b"], "cannot be published"),
        (["/a"], "cannot be published"),
        (["a//b"], "cannot be published"),
        ([".git/config"], "cannot be published"),
        (["a b"], "cannot be published"),
        (["a./b"], "cannot be published"),
        (["a\n"], "cannot be published"),
        (["Zoo/x", "zoo/x"], "differs in case"),
        (["Zoo/x", "zoo/y"], "differs in case"),
        (["zoo", "zoo/x"], "published twice"),
        ([f"a/{number}" for number in range(10_000)], "10,000 files"),
    ],
)
def test_paths_that_some_hub_or_file_system_does_not_take_are_refused(paths, message):
    with pytest.raises(ValueError, match=message):
        _check_paths(paths)
    _check_paths(["a/x", "a/y", "b/x", "x"])
