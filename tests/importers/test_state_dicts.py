"""The importer of folders of state dicts: real small nets, trained here on digits for a few steps each."""

import shutil
from pathlib import Path

import attacks
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import zoo
from benchmark.scoring.score import score
from metanets import Training
from metanets.table import fitting
from zoo.dataset.export import export
from zoo.importers.import_zoo import import_zoo
from zoo.importers.infer_layout import role
from zoo.importers.source_zoo import write
from zoo.importers.state_dicts.importer import state_dicts
from zoo.tasks import images
from zoo.training.measure import measure

NETS = 48


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 10)
    )


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    return torch.from_numpy(data.images / 16).float().unsqueeze(1), torch.from_numpy(data.target)


def accuracy(net: nn.Module) -> float:
    pictures, labels = digits()
    with torch.no_grad():
        return (net.eval()(pictures[1000:]).argmax(1) == labels[1000:]).float().mean().item()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Real nets in a folder: half of each file format, and a table with all kinds of columns; tests must not change it."""
    folder = tmp_path_factory.mktemp("nets") / "my nets"
    (folder / "later").mkdir(parents=True)
    pictures, labels = digits()
    rows = []
    for index in range(NETS):
        torch.manual_seed(index // 2)  # two nets of each lineage: they start alike
        net, rate = cnn(), 10 ** -(1 + index % 6 / 2)
        optimiser = (torch.optim.SGD if index % 2 else torch.optim.Adam)(net.parameters(), lr=rate)
        for step in range(8):
            part = slice(step * 64, step * 64 + 64)
            optimiser.zero_grad()
            F.cross_entropy(net(pictures[part]), labels[part]).backward()
            optimiser.step()
        name = f"{index}.safetensors" if index < NETS // 2 else f"later/{index}.pt"
        if index < NETS // 2:
            safetensors.torch.save_file(net.state_dict(), folder / name)
        else:
            torch.save({"epoch": 1, "state_dict": net.state_dict(), "loss": torch.tensor(0.5)}, folder / name)
        rows.append((name, rate, type(optimiser).__name__, index // 2, accuracy(net), index))
    columns = ["file", "lr", "optimizer", "run", "Test Acc", "seed"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "nets.csv", index=False)
    return folder


OPTIONS = {"hyper_parameters": "lr,optimizer", "lineage": "run", "architecture": "small-cnn", "images": "digits"}


def imported(path: Path, folder: Path, **options: str) -> zoo.Zoo:
    folder.mkdir()
    write(state_dicts(path, **options), folder)
    assert zoo.verify(folder) == []
    return zoo.open(folder)


@pytest.fixture(scope="session")
def made(trained, tmp_path_factory):
    return imported(trained, tmp_path_factory.mktemp("imported") / "zoo", **OPTIONS)


def copied(trained: Path, folder: Path, **changes: object) -> Path:
    """A copy that a test may change, with columns of the table replaced or added."""
    shutil.copytree(trained, folder)
    pd.read_csv(folder / "nets.csv").assign(**changes).to_csv(folder / "nets.csv", index=False)
    return folder


def test_imported_nets_run_in_the_plain_net_with_their_accuracy(made):
    for index in range(NETS):
        net = cnn()
        missing, unexpected = net.load_state_dict(made.net(index), strict=False)
        assert unexpected == []
        assert all(name.endswith("num_batches_tracked") for name in missing)
        assert accuracy(net) == pytest.approx(made.columns["test_accuracy"][index], abs=1e-6)


def test_how_a_table_spells_a_path_is_neither_kept_nor_decides_a_split(trained, tmp_path):
    names = pd.read_csv(trained / "nets.csv")["file"]
    options = {"hyper_parameters": "lr,optimizer"}  # no lineage: the file's name decides
    plain = imported(trained, tmp_path / "plain", **options).columns
    for spelling in (f"{tmp_path}/nets/", "./"):
        folder = tmp_path / "nets"
        copied(trained, folder, file=spelling + names)
        found = imported(folder, tmp_path / "zoo", **options).columns
        assert found["file"].tolist() == names.tolist()
        assert found["split"].tolist() == plain["split"].tolist()
        shutil.rmtree(folder)
        shutil.rmtree(tmp_path / "zoo")


def test_columns_have_our_names_and_places(made, trained):
    table = pd.read_csv(trained / "nets.csv")
    assert made.hyper_parameters == ["learning_rate", "optimizer"]
    assert list(made.spec.targets) == ["test_accuracy"]
    assert {*made.spec.columns} == {"file", "lineage", "seed"}
    assert made.spec.text == ("file", "optimizer")
    np.testing.assert_array_equal(made.columns["learning_rate"], table["lr"])  # to the last bit
    assert made.columns["optimizer"].astype(str).tolist() == table["optimizer"].tolist()
    assert made.columns["file"].astype(str).tolist() == table["file"].tolist()
    assert made.columns["lineage"].tolist() == table["run"].tolist()
    assert (made.columns.groupby("lineage")["split"].nunique() == 1).all()
    assert set(made.columns["split"]) == {"train", "validation", "test"}
    assert (made.spec.name, made.spec.family, made.spec.architecture) == ("my-nets", "my-nets", "small-cnn")


def test_roles_and_statistics_are_found(made):
    roles = {entry.name: entry.role for entry in made.layout}
    assert roles == {
        "0.weight": "conv",
        "0.bias": "bias",
        "1.weight": "scale",
        "1.bias": "shift",
        "1.running_mean": "statistic",
        "1.running_var": "statistic",
        "3.weight": "conv",
        "3.bias": "bias",
        "6.weight": "linear",
        "6.bias": "bias",
    }
    statistics = [entry for entry in made.layout if entry.role == "statistic"]
    assert not any(made.blueprint.trained[entry.slice].any() for entry in statistics)
    assert int((~made.blueprint.trained).sum()) == 8
    notes = " ".join(made.spec.provenance.notes)
    assert "1 names in the files" in notes
    assert "num_batches_tracked" in notes


def test_an_imported_zoo_is_scored_by_every_metanet(made, tmp_path):
    training = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    told: list[str] = []
    paths = score([made.folder], ["all"], "test_accuracy", out=tmp_path, seeds=1, training=training, report=told.append)
    left = [line for line in told if "is left out" in line]
    assert len(paths) == len(fitting(pairs=False)) - len(left)
    assert not any(f" {name} is left out" in line for line in left for name in ("mlp", "statnn", "trees_statistics"))


@pytest.mark.parametrize(
    ("module", "roles"),
    [
        (nn.Linear(3, 2), {"weight": "linear", "bias": "bias"}),
        (nn.Linear(1, 1), {"weight": "linear", "bias": "bias"}),
        (nn.Conv1d(3, 2, 5), {"weight": "conv", "bias": "bias"}),
        (nn.Conv3d(3, 2, 5), {"weight": "conv", "bias": "bias"}),
        (nn.Embedding(3, 2), {"weight": "linear"}),
        (nn.GroupNorm(1, 2), {"weight": "scale", "bias": "shift"}),
        (nn.LayerNorm((2, 3)), {"weight": "scale", "bias": "shift"}),
        (nn.LayerNorm((2, 3, 4)), {"weight": "scale", "bias": "shift"}),
        (nn.PReLU(), {"weight": "scale"}),
        (
            nn.MultiheadAttention(4, 2),
            {
                "in_proj_weight": "linear",
                "in_proj_bias": "bias",
                "out_proj.weight": "linear",
                "out_proj.bias": "bias",
            },
        ),
        (
            nn.ParameterDict({"pos_embedding": torch.ones(1, 5, 4), "gamma": torch.ones(4), "scale": torch.ones(4)}),
            {"pos_embedding": "linear", "gamma": "scale", "scale": "scale"},
        ),
    ],
)
def test_the_roles_of_pytorchs_own_layers(module, roles):
    shapes = {f"block.{name}": tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert {name.removeprefix("block."): role(name, shapes) for name in shapes} == roles
    shapes = {name.removeprefix("block."): shape for name, shape in shapes.items()}
    assert {name: role(name, shapes) for name in shapes} == roles


@pytest.mark.parametrize("kind", ["safetensors", "state_dict"])
def test_our_own_exported_nets_come_back_as_resnet8_that_runs(standard, tmp_path, kind):
    original = zoo.open(standard)
    folder, indices = tmp_path / "nets", range(0, 64, 3)
    folder.mkdir()
    names = [f"{index}.{'safetensors' if kind == 'safetensors' else 'pt'}" for index in indices]
    for index, name in zip(indices, names, strict=True):
        export(original, index, folder / name, kind=kind)
    table = original.columns.iloc[list(indices)][["index", "learning_rate", "test_accuracy", "split"]].assign(file=names)
    table.to_csv(folder / "table.csv", index=False)
    again = imported(folder, tmp_path / "zoo", hyper_parameters="learning_rate")
    assert again.spec.architecture == "resnet8"
    assert again.layout == original.layout
    assert again.columns["source_index"].tolist() == list(indices)
    assert again.columns["split"].tolist() == table["split"].tolist()
    assert again.spec.split == "column split of table.csv"
    for row, index in enumerate(indices):
        tensors = original.net(index)
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in again.net(row).items())
    vectors = torch.stack([torch.cat([t.flatten() for t in again.net(row).values()]) for row in range(4)])
    pictures = images.load(original.spec.images)
    found = measure(again.blueprint, vectors, pictures)["test_accuracy"]
    np.testing.assert_allclose(found, again.columns["test_accuracy"][:4], atol=1.01 / len(pictures.test))


def plain(folder: Path, states: list[object], csv: str | None = None) -> Path:
    """A folder of these values as 0.pt, 1.pt... and a table with one target."""
    folder.mkdir()
    for index, state in enumerate(states):
        torch.save(state, folder / f"{index}.pt")
    lines = ["file,score", *(f"{index}.pt,{index / 10}" for index in range(len(states)))]
    (folder / "nets.csv").write_text("\n".join(lines) if csv is None else csv)
    return folder


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


@pytest.mark.parametrize(
    ("state", "options"),
    [
        (STATE, {}),
        ({"state_dict": STATE}, {}),
        ({"model": STATE, "epoch": 3, "best": torch.ones(())}, {}),
        ({"model_state_dict": STATE}, {}),
        ({"ema": STATE, "model": {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2)}}, {"key": "ema"}),
        ({f"module.{name}": tensor for name, tensor in STATE.items()}, {}),
        ({f"_orig_mod.module.{name}": tensor for name, tensor in STATE.items()}, {}),
        (dict(reversed(STATE.items())), {}),
        (
            {name: tensor.T.contiguous().T for name, tensor in STATE.items() if tensor.ndim == 2}
            | {"a.bias": torch.ones(2)},
            {},
        ),
    ],
)
def test_a_state_dict_is_found_where_training_scripts_put_it(tmp_path, state, options):
    made = state_dicts(
        plain(tmp_path / "nets", [STATE, state]) if not options else plain(tmp_path / "nets", [state]), **options
    )
    assert [entry.name for entry in made.layout][-2:] in (["a.weight", "a.bias"],)
    np.testing.assert_array_equal(made.weights(np.array([len(made.columns) - 1]))[0], [0, 1, 2, 3, 4, 5, 1, 1])


def test_other_types_become_float32_and_what_is_no_number_is_left_out_with_a_note(tmp_path):
    state = {
        "a": torch.tensor([1.0, 2.5], dtype=torch.bfloat16),
        "b": torch.tensor([3.0], dtype=torch.float64),
        "scalar": torch.tensor(4.0, dtype=torch.float16),
        "count": torch.tensor(5),
        "version": 3,
        "empty": torch.ones(0),
    }
    made = state_dicts(plain(tmp_path / "nets", [state, state]))
    assert [(entry.name, entry.shape) for entry in made.layout] == [("a", (2,)), ("b", (1,)), ("scalar", (1,))]
    np.testing.assert_array_equal(made.weights(np.array([0])), np.float32([[1, 2.5, 3, 4]]))
    notes = " ".join(made.about.provenance.notes)
    for text in ("2 nets have bfloat16", "2 nets have float64", "2 nets have float16", "3 names", "count, version, empty"):
        assert text in notes
    assert "4 of 4 entries are the same in all nets" in notes


def test_names_that_no_line_can_have_do_not_keep_a_zoo_from_being_imported(tmp_path):
    states = [{**STATE, "epoch\n": 3, "x" * 2000: torch.tensor(1)}] * 2
    made = state_dicts(plain(tmp_path / "nets", states))
    (note,) = (note for note in made.about.provenance.notes if note.startswith("2 names"))
    assert "left out: epoch?, xxx" in note
    assert len(note) == 1000
    (tmp_path / "nets" / "nets.csv").rename(tmp_path / "nets" / "n\nets.csv")
    about = state_dicts(tmp_path / "nets").about
    assert about.targets == {"score": "column score of n?ets.csv"}
    assert "n?ets.csv" in about.provenance.files


def test_diverged_nets_are_kept_and_marked(trained, tmp_path):
    flags = np.arange(NETS) == 3
    folder = copied(trained, tmp_path / "nets", diverged=flags.astype(int), loss=np.where(np.arange(NETS) == 4, np.inf, 1.0))
    tensors = safetensors.torch.load_file(folder / "5.safetensors")
    tensors["1.running_mean"][0] = np.nan  # a statistic: no weight is infinite
    safetensors.torch.save_file(tensors, folder / "5.safetensors")
    again = imported(folder, tmp_path / "zoo", **OPTIONS)
    assert np.flatnonzero(again.columns["diverged"]).tolist() == [3, 4, 5]
    assert np.isnan(again.columns["loss"][4])
    for target in ("test_accuracy", "loss"):
        assert np.flatnonzero(again.columns[target].isna()).tolist() == [3, 4, 5]
    notes = " ".join(again.spec.provenance.notes)
    assert "1 nets have an infinite loss" in notes
    assert "1 nets with weights that are not finite" in notes


def test_percent_targets_and_further_columns_are_as_the_options_say(trained, tmp_path):
    table = pd.read_csv(trained / "nets.csv")
    folder = copied(trained, tmp_path / "nets", **{"Test Acc": table["Test Acc"] * 100, "size": range(NETS)})
    with pytest.raises(ValueError, match=r"column Test Acc is an accuracy, from 0 to 1.*percent="):
        state_dicts(folder, **OPTIONS)
    again = state_dicts(folder, **OPTIONS, percent="Test Acc", targets="Test Acc")
    np.testing.assert_allclose(again.columns["test_accuracy"], table["Test Acc"])
    assert {*again.about.targets} == {"test_accuracy"}
    assert {*again.about.columns} == {"file", "lineage", "seed", "size"}


def test_splits_of_the_users_own_are_taken_and_torn_lineages_refused(trained, tmp_path):
    parts = np.array(["train", "validation", "test"])[np.arange(NETS) // 2 % 3]
    again = state_dicts(copied(trained, tmp_path / "nets", part=parts), **OPTIONS, split="part")
    assert again.columns["split"].tolist() == parts.tolist()
    assert again.about.split == "column part of nets.csv"
    for word in ("val", "valid"):
        short = copied(trained, tmp_path / word, part=np.where(parts == "validation", word, parts))
        assert state_dicts(short, **OPTIONS, split="part").columns["split"].tolist() == parts.tolist()
    torn = np.array(["train", "test"])[np.arange(NETS) % 2]
    with pytest.raises(ValueError, match=r"lineage 0 is in more than one split"):
        state_dicts(copied(trained, tmp_path / "torn", part=torn), **OPTIONS, split="part")
    with pytest.raises(ValueError, match=r"column part must be one of train, validation, test, val, valid, found 'held'"):
        state_dicts(copied(trained, tmp_path / "held", part="held"), **OPTIONS, split="part")


def test_nets_that_the_table_does_not_name_are_counted(trained, tmp_path):
    folder = copied(trained, tmp_path / "nets")
    shutil.copy(folder / "0.safetensors", folder / "later" / "extra.safetensors")
    assert "1 files of nets in the folder are not in nets.csv" in " ".join(state_dicts(folder).about.provenance.notes)


def test_many_files_have_one_digest_that_a_byte_changes(tmp_path):
    folder = plain(tmp_path / "nets", [STATE] * 120)
    (name, before), *more = state_dicts(folder).about.provenance.files.items()
    assert (name, more) == ("121 files", [])
    torch.save({**STATE, "a.bias": torch.zeros(2)}, folder / "7.pt")
    assert state_dicts(folder).about.provenance.files[name] != before


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("net,score\n0.pt,1\n", "expected a column file"),
        ("file,score\n", "0 rows"),
        ("file,score\n0.pt,0\n0.pt,1\n", r"0\.pt stands there more than once"),
        ("file,score\n0.pt,0\n./0.pt,1\n", r"0\.pt stands there more than once"),
        ("file,score\n../secret.pt,0\n", "outside"),
        ("file,score\n/etc/passwd,0\n", "outside"),
        ("file,score\n0.pt,0\nnets.csv,1\n", r"nets\.csv is no file of a net"),
        ("file,name\n0.pt,a\n", "no column of numbers"),
        ("file,Loss,loss\n0.pt,1,2\n", "two columns are loss"),
        ("file,weights\n0.pt,1\n", "cannot be named 'weights'"),
        ("file,2nd\n0.pt,1\n", "cannot be named '2nd'"),
        ("file,accuracy\n0.pt,-0.5\n1.pt,0.9\n", "from 0 to 1, found -0.5"),
        ("file,score,diverged\n0.pt,1,2\n", "column diverged must be 0 or 1"),
        ("file,score,lineage\n0.pt,1,a\n1.pt,1,\n", "lineage must name the lineage of every net"),
        ("file,score,lineage\n0.pt,1,3\n1.pt,1,\n", "lineage must name the lineage of every net"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, csv, message):
    torch.save(STATE, tmp_path / "secret.pt")
    with pytest.raises(ValueError, match=rf"nets\.csv.*{message}"):
        state_dicts(plain(tmp_path / "nets", [STATE, STATE], csv))


def test_missing_nets_and_tables_are_named(tmp_path):
    folder = plain(tmp_path / "nets", [STATE, STATE], "file,score\n0.pt,0\n5.pt,1\n6.pt,1\n")
    with pytest.raises(FileNotFoundError, match=r"5\.pt: no such file; nets\.csv names it, and 1 more"):
        state_dicts(folder)
    with pytest.raises(FileNotFoundError, match=r"other\.csv: no such table"):
        state_dicts(folder, table="other.csv")
    with pytest.raises(ValueError, match="must be in"):
        state_dicts(folder, table="../nets.csv")
    (folder / "more.csv").write_text("file,score\n0.pt,1\n")
    with pytest.raises(ValueError, match=r"2 files \*\.csv; name the table of the nets with table="):
        state_dicts(folder)
    assert len(state_dicts(folder, table="more.csv").columns) == 1
    with pytest.raises(FileNotFoundError, match="no such folder"):
        state_dicts(tmp_path / "none")


def test_nets_that_the_table_names_by_whole_paths_are_those_of_the_folder(tmp_path, monkeypatch):
    folder = plain(tmp_path / "nets", [STATE, STATE], f"file,score\n{tmp_path}/nets/0.pt,0\n1.pt,1\n")
    monkeypatch.chdir(tmp_path)
    for path in (folder, Path("nets")):
        assert state_dicts(path).about.provenance.files.keys() == {"0.pt", "1.pt", "nets.csv"}


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = plain(tmp_path / "nets", [STATE, STATE])
    (folder / "1.pt").rename(tmp_path / "away.pt")
    (folder / "1.pt").symlink_to(tmp_path / "away.pt")
    with pytest.raises(ValueError, match=r"1\.pt is outside"):
        state_dicts(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hyper_parameters": "lrr"}, "hyper_parameters: unknown column 'lrr'; did you mean lr"),
        ({"targets": "optimizer"}, r"column optimizer, line 2: 'Adam' is neither a number"),
        ({"targets": "lr", "hyper_parameters": "lr"}, "column lr cannot be a hyper-parameter and a target"),
        ({"lineage": "run,seed"}, "lineage is one column"),
        ({"lineage": "run", "split": "run"}, "column run cannot be the lineage and the split"),
        ({"lineage": "run", "targets": "run"}, "column run is the lineage, no hyper-parameter and no target"),
        ({"architecture": "resnet8"}, "not those of this package's resnet8"),
        ({"key": "ema"}, r"24\.pt: unknown key 'ema'"),
    ],
)
def test_wrong_options_are_refused_with_what_is_right(trained, options, message):
    with pytest.raises(ValueError, match=message):
        state_dicts(trained, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a.bias": torch.ones(3)}, r"2\.pt: a\.bias: \(3,\), but \(2,\) in .*0\.pt"),
        ({"b.bias": torch.ones(3)}, r"2\.pt: b\.bias: \(3,\), but no such tensor in .*0\.pt"),
        ({"a.bias": torch.ones(2).long()}, r"2\.pt: a\.bias: no such tensor, but \(2,\) in .*0\.pt"),
    ],
)
def test_a_net_of_another_architecture_is_refused_with_its_file_and_tensor(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        state_dicts(plain(tmp_path / "nets", [STATE, STATE, {**STATE, **change}]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is damaged"),
        (attacks.Malicious, "running code"),
        ([torch.ones(2)], "found a list"),
        ({"net": {"inner": STATE}}, "no tensors in it; its keys are net; key="),
        ({"count": torch.tensor(3)}, "no tensors of floating-point"),
    ],
)
def test_a_file_that_is_no_state_dict_is_refused_by_name_and_never_executed(tmp_path, value, message):
    folder = plain(tmp_path / "nets", [STATE, STATE])
    attacks.put(folder / "1.pt", value, tmp_path / "executed")
    with pytest.raises(ValueError, match=rf"1\.pt.*{message}"):
        state_dicts(folder)
    assert not (tmp_path / "executed").exists()


def test_the_importer_runs_in_its_limited_process_and_gives_the_same_zoo(trained, made, tmp_path):
    folder = import_zoo("state-dicts", trained, tmp_path / "zoo", options=OPTIONS)
    assert zoo.open(folder).manifest_sha256 == made.manifest_sha256


def test_an_archive_with_one_folder_in_it_is_imported_by_that_folders_name(trained, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "nets"), "zip", trained.parent, trained.name))
    folder = import_zoo("state-dicts", archive, tmp_path / "zoo", options=OPTIONS)
    assert zoo.open(folder).spec.name == "my-nets"
    assert len(zoo.open(folder)) == NETS


def test_tensors_of_safetensors_are_in_the_order_of_the_layers(tmp_path):
    """The format does not keep the order; in that of the alphabet layer 10 comes before layer 2, bias before weight."""
    folder, net = plain(tmp_path / "nets", [], "file,score\n0.safetensors,1\n"), nn.Sequential(*[nn.Linear(2, 2)] * 12)
    tensors = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "0.safetensors")
    assert [entry.name for entry in state_dicts(folder).layout] == list(tensors)
