"""What holds of every importer in the table, from the moment that its line is written."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_modelzoos
import synthetic_small_cnn
import torch

import zoo
from zoo.importers.asymmetric_networks.export import export_official
from zoo.importers.import_zoo import IMPORTERS, import_zoo
from zoo.importers.source_zoo import write


def _state_dicts(folder, request):
    folder.mkdir()
    rows = []
    for number in range(24):
        torch.manual_seed(number)
        net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        torch.save(net.state_dict(), folder / f"{number}.pt")
        rows.append({"file": f"{number}.pt", "test_accuracy": number / 24})
    pd.DataFrame(rows).to_csv(folder / "nets.csv", index=False)
    return folder, {}


def _small_cnn_zoo(folder, request):
    return synthetic_small_cnn.write(folder, synthetic_small_cnn.metrics(16)), {}


def _modelzoos(folder, request):
    return synthetic_modelzoos.zoo(folder, trials=12), {}


def _asymmetric_networks(folder, request):
    return export_official(zoo.open(request.getfixturevalue("asymmetric")), folder), {"images": "digits", "kappa": "1"}


SOURCES = {  # kind -> a small source of that kind in a folder, and the options that it needs
    "small-cnn-zoo": _small_cnn_zoo,
    "modelzoos": _modelzoos,
    "asymmetric-networks": _asymmetric_networks,
    "state-dicts": _state_dicts,
}


def test_every_importer_has_a_source_here():
    assert SOURCES.keys() == IMPORTERS.keys()


@pytest.fixture(scope="module", params=IMPORTERS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def made(kind, request, tmp_path_factory):
    """A folder, a source in it and its options; tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    return folder, *SOURCES[kind](folder / "theirs", request)


@pytest.fixture
def source(made, tmp_path):
    folder, path, options = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path / path.relative_to(folder), options


@pytest.fixture(scope="module")
def plain(kind, made, tmp_path_factory):
    """The zoo of the source as it is."""
    _, path, options = made
    return zoo.open(import_zoo(kind, path, tmp_path_factory.mktemp("plain") / "zoo", options=options))


def test_what_is_imported_is_a_whole_zoo_whose_nets_can_be_read(kind, plain):
    made = plain
    assert zoo.verify(made.folder) == []
    assert made.spec.provenance.kind == kind
    assert made.spec.provenance.files
    nets = made.nets("train", inputs="all", diverged=True)
    assert len(nets) == (made.columns["split"] == "train").sum() > 0
    assert list(nets.tensors()) == [entry.name for entry in made.layout]
    assert made.targets
    index = int(nets.index[0])
    for name, tensor in made.net(index).items():
        np.testing.assert_array_equal(nets.tensors()[name][0].float().numpy(), tensor.numpy())


@pytest.mark.parametrize("what", ["nothing", "an empty folder", "an unknown option"])
def test_what_cannot_be_imported_is_one_clear_error_and_leaves_nothing(kind, source, tmp_path, what):
    path, options = source
    if what == "nothing":
        path = tmp_path / "nowhere"
    elif what == "an empty folder":
        path = tmp_path / "empty"
        path.mkdir()
    else:
        options = {**options, "colour": "red"}
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        import_zoo(kind, path, tmp_path / "zoo", options=options)
    assert (str(path) in str(caught.value)) if what != "an unknown option" else ("colour" in str(caught.value))
    assert {p.name for p in tmp_path.iterdir()} <= {"theirs", "empty"}


def test_a_link_to_the_source_is_the_users_own_word_and_the_same_files_give_the_same_bytes(kind, source, plain, tmp_path):
    path, options = source
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    made = zoo.open(import_zoo(kind, path, tmp_path / "zoo", options=options))
    assert made.manifest_sha256 == plain.manifest_sha256


def test_a_diverged_net_has_no_targets_and_hyper_parameters_keep_all_their_digits(kind, source):
    """All importers write through one function; here with a source's own columns, of which one net is marked."""
    path, options = source
    foreign = IMPORTERS[kind](path, **options)
    frame = foreign.columns.copy()
    frame["diverged"] = np.arange(len(frame)) == 1
    frame = frame.assign(**{name: 0.1 for name in foreign.about.hyper_parameters if name not in foreign.about.text})
    folder = path.parent / "zoo"
    folder.mkdir()
    write(dataclasses.replace(foreign, columns=frame), folder)
    columns = zoo.open(folder).columns
    assert columns["diverged"].tolist() == frame["diverged"].tolist()
    for name in foreign.about.targets:
        assert columns[name].isna().tolist() == (frame[name].isna() | frame["diverged"]).tolist()
    for name in foreign.about.hyper_parameters:
        assert name in foreign.about.text or (columns[name] == 0.1).all()


def test_what_other_programs_leave_beside_the_files_changes_nothing(kind, source, plain, tmp_path):
    path, options = source
    for part in [path, *(part for part in path.rglob("*") if part.is_dir())]:
        for name in (".DS_Store", f"._{part.name}", "~$nets.csv", "._0.pt", "._result.json", "Thumbs.db"):
            (part / name).write_bytes(b"\0\5\x16\7")
        (part / "__MACOSX").mkdir()
        (part / "__MACOSX" / "._0.pt").write_bytes(b"\0\5\x16\7")
    littered = zoo.open(import_zoo(kind, path, tmp_path / "b", options=options))
    assert littered.manifest_sha256 == plain.manifest_sha256
    archive = shutil.make_archive(str(tmp_path / "theirs"), "zip", path.parent, path.name)
    made = import_zoo(kind, Path(archive), tmp_path / "c", options=options)
    assert len(zoo.open(made)) == len(plain)
    files = zoo.open(made).spec.provenance.files
    assert files
    assert files.items() <= plain.spec.provenance.files.items()  # tables beside the folder are not in the archive
