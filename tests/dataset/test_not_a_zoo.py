import shutil
from pathlib import Path

import pytest
from conftest import small

import zoo
from benchmark.scoring.score import score
from zoo.dataset import not_a_zoo, vet
from zoo.hub.publish import publish
from zoo.hub.release import release


@pytest.fixture(scope="module")
def published(standard, asymmetric, tmp_path_factory) -> Path:
    """A release of two zoos, in a folder."""
    folder = tmp_path_factory.mktemp("releases") / "release"
    publish(release([standard, asymmetric], name="two"), str(folder), report=lambda line: None)
    return folder


def test_a_zoo_whole_or_begun_passes(standard, tmp_path):
    not_a_zoo.check(standard)
    not_a_zoo.check(zoo.build(small(), tmp_path / "begun", workers=0))


WAYS = {
    "open": zoo.open,
    "verify": zoo.verify,
    "status": zoo.status,
    "work": zoo.work,
    "build": lambda folder: zoo.build(small(), folder, workers=0),
    "overwrite": lambda folder: zoo.build(small(), folder, workers=0, overwrite=True),
    "score": lambda folder: score([folder], ["mean"], "test_accuracy", out=folder / "out"),
    "release": lambda folder: release([folder], name="again"),
    "vet": vet.report,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_release_is_called_one_and_its_zoos_are_named_and_it_stays_as_it_is(published, way):
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    with pytest.raises(FileNotFoundError, match="is no zoo, but a release of zoos: give one of its zoos") as error:
        WAYS[way](published)
    for name in ("resnet8-standard", "resnet8-w_asymmetric"):
        assert str(published / name) in str(error.value)
        assert len(zoo.open(published / name)) == 64
    assert before == {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (None, "there is no such folder"),
        ((), "the folder is empty"),
        (("a/zoo.json", "b/zoo.json"), "it is a folder of zoos.*give one of its zoos: .*/a, .*/b"),
        (
            ("zoo-1/test_accuracy/mean/seed-0.json", "zoo-1/test_accuracy/mean/seed-0.parquet"),
            "it is a folder of results.*publish ZOO --results",
        ),
        (("data/train-00000-of-00001.parquet",), "it is a folder of images"),
        (("notes.txt", "x/y"), "it has no zoo.json, but notes.txt, x"),
    ],
)
@pytest.mark.parametrize("way", ["open", "verify", "status", "work", "score", "release", "vet"])
def test_any_other_folder_is_called_what_it_is(tmp_path, names, said, way):
    folder = tmp_path / "given"
    for name in () if names is None else (".here", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    if names is not None:
        (folder / ".here").unlink()
    with pytest.raises(FileNotFoundError, match=f"is no zoo: {said}"):
        WAYS[way](folder)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileNotFoundError, match="is no zoo: it is no folder"):
        zoo.open(tmp_path / "file")


def test_ones_own_zoo_is_vetted_whole_or_being_built_and_what_was_not_looked_at_is_said(standard, tmp_path):
    folder = shutil.copytree(standard, tmp_path / "own", ignore=shutil.ignore_patterns("cache"))
    told = vet.report(folder)
    assert "nothing in the zoo but a zoo" in told
    assert "Beside it lie plan.json and units" in told
    begun = zoo.build(small(nets=24), tmp_path / "begun", workers=0)
    assert "still being built" in vet.report(begun)
    (folder / "data" / "test-00000-of-00001.h5").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="not those that MANIFEST"):
        vet.report(folder)


def test_a_zoo_as_it_travels_has_nothing_beside_it(published):
    assert "Beside" not in vet.report(published / "resnet8-standard")
