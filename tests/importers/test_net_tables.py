"""The parts of the importer of state dicts, each on its own: the table, its columns under our names, a net's file."""

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from zoo.importers.state_dicts import columns, state_files, table
from zoo.importers.state_dicts.names import is_hyper_parameter
from zoo.untrusted import tables

ROWS = pd.DataFrame(
    {
        "file": ["a.pt", "b.pt", "c.pt"],
        "lr": [0.1, 0.2, np.nan],
        "Loss": [1.0, np.inf, 2.0],
        "acc %": [90.0, 50.0, 10.0],
        "run": [7, 7, 8],
        "note": ["x", "", "y"],
        "diverged": [False, False, True],
    }
)


def written(tmp_path, rows=ROWS):
    rows.to_csv(tmp_path / "nets.csv", index=False)
    return tables.read(tmp_path / "nets.csv")


def chosen(tmp_path, rows=ROWS, **options):
    texts = dict.fromkeys(("hyper_parameters", "targets", "percent", "words", "lineage", "split"), "") | options
    return columns.choice(written(tmp_path, rows), **texts)


def converted(tmp_path, rows=ROWS, **options):
    return columns.columns(written(tmp_path, rows), chosen(tmp_path, rows, **options))


def test_columns_get_our_names_and_what_they_are(tmp_path):
    choice = chosen(tmp_path, hyper_parameters="lr, note", percent="acc %", lineage="run")
    found = columns.columns(written(tmp_path), choice)
    assert found.hyper_parameters.keys() == {"learning_rate", "note"}
    assert found.targets == {"loss": "column Loss of nets.csv", "acc": "column acc % of nets.csv, divided by 100"}
    assert found.columns.keys() == {"file", "lineage"}
    assert found.text == ("file", "note")
    assert found.frame["acc"].tolist() == [0.9, 0.5, 0.1]
    assert found.frame["loss"].isna().tolist() == [False, True, False]
    assert found.frame["diverged"].tolist() == [False, True, True]
    assert found.notes == ("1 nets have an infinite loss: the value is missing, the net marked diverged",)
    assert found.frame["split"][0] == found.frame["split"][1]
    assert choice.rule == "50/25/25 by a stable hash of the lineage"
    assert chosen(tmp_path).rule == "50/25/25 by a stable hash of file"


def test_numbers_that_float32_cannot_hold_are_infinite(tmp_path):
    rows = ROWS.assign(Loss=[1e39, 2.0, -1e300])
    found = converted(tmp_path, rows)
    assert found.frame["loss"].isna().tolist() == [True, False, True]
    assert found.frame["diverged"].tolist() == [True, False, True]
    assert found.notes == ("2 nets have an infinite loss: the value is missing, the net marked diverged",)


def test_whole_numbers_of_64_bits_stay_what_they_are(tmp_path):
    rows = ROWS.drop(columns="Loss").assign(seed=np.array([2**63 + 5, 2**64 - 1, 3], np.uint64))
    found = converted(tmp_path, rows)
    assert found.frame["seed"].tolist() == ["9223372036854775813", "18446744073709551615", "3"]
    assert "seed" in found.text
    assert converted(tmp_path, rows, lineage="seed").frame["lineage"][2] == "3"
    assert converted(tmp_path, rows, targets="seed").frame["seed"].tolist() == [
        2.0**63,
        2.0**64,
        3.0,
    ]


def test_named_targets_are_the_only_ones(tmp_path):
    found = converted(tmp_path, targets="run")
    assert found.targets.keys() == {"run"}
    assert "loss" in found.columns


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"percent": "acc"}, r"nets\.csv: percent: unknown column 'acc'; did you mean acc %"),
        ({"lineage": ","}, "lineage is one column, found ','"),
        ({"split": "run,note"}, "split is one column, found 'run,note'"),
    ],
)
def test_options_that_name_no_column_are_refused(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        chosen(tmp_path, **options)


def test_the_only_table_of_a_folder_is_found_with_the_nets_that_it_names(tmp_path):
    read = written(tmp_path)
    for name in ("a.pt", "b.pt", "c.pt", "d.pth"):
        (tmp_path / name).write_text("")
    assert table.find(tmp_path, "") == read.path
    assert table.nets(tmp_path, read) == ([tmp_path / name for name in ROWS["file"]], 1)
    (tmp_path / "c.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.pt: no such file; nets\.csv names it, and 0 more"):
        table.nets(tmp_path, read)


def test_tensors_are_found_in_both_formats_in_the_same_order(tmp_path):
    net = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(11)]).half()
    net.extend([torch.nn.ParameterList([torch.nn.Parameter(torch.ones(2).half()) for _ in range(11)])])
    torch.save({"model": {f"module.{name}": tensor for name, tensor in net.state_dict().items()}}, tmp_path / "0.pt")
    safetensors.torch.save_file(net.state_dict(), tmp_path / "0.safetensors")
    pickled, safe = state_files.read(tmp_path / "0.pt", ""), state_files.read(tmp_path / "0.safetensors", "")
    assert list(pickled.tensors) == list(safe.tensors) == list(net.state_dict())
    assert pickled.converted == safe.converted == ("float16",)
    assert all(tensor.dtype == torch.float32 for tensor in pickled.tensors.values())
    (tmp_path / "0.csv").write_text("file,acc\n")
    assert [state_files.is_net(tmp_path / name) for name in ("0.pt", "0.safetensors", "0.csv")] == [True, True, False]


@pytest.mark.parametrize("ending", [".ckpt", ".pth.tar", ".bin", "", ".weights"])
def test_a_net_is_known_by_its_content_whatever_its_name_ends_with(tmp_path, ending):
    state = {name: tensor.clone() for name, tensor in torch.nn.Linear(3, 2).state_dict().items()}
    torch.save(state, tmp_path / f"new{ending}")
    torch.save(state, tmp_path / f"old{ending}", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(state, tmp_path / f"safe{ending}")
    for name in ("new", "old", "safe"):
        assert state_files.is_net(tmp_path / f"{name}{ending}")
        found = state_files.read(tmp_path / f"{name}{ending}", "").tensors
        assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
    np.savez(tmp_path / "arrays.npz", a=np.ones(2))
    (tmp_path / "page").write_text("{}")
    (tmp_path / "empty").write_text("")
    assert not any(state_files.is_net(tmp_path / name) for name in ("arrays.npz", "page", "empty"))


def test_wrappers_names_are_taken_off_also_beside_a_counter(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 2))
    torch.save(torch.optim.swa_utils.AveragedModel(net).state_dict(), tmp_path / "0.ckpt")
    found = state_files.read(tmp_path / "0.ckpt", "")
    assert list(found.tensors) == list(net.state_dict())
    assert found.left_out == ("n_averaged",)


@pytest.mark.parametrize(
    "name",
    [
        "lr",
        "LR",
        "learningRate",
        "weight-decay",
        "wd",
        "batch_size",
        "epochs",
        "dropout",
        "optimizer",
        "momentum",
        "l2_reg",
        "init_std",
        "activation",
        "width",
        "config/lr",
        "config.batch_size",
        "hparams/foo",
        "optim.lr",
        "Learning-Rate",
    ],
)
def test_the_fields_names_of_hyper_parameters_are_known(tmp_path, name):
    rows = pd.DataFrame({"file": ["a.pt", "b.pt"], name: [0.1, 0.2], "test_loss": [1.0, 2.0], "config/seed": [1, 2]})
    found = converted(tmp_path, rows)
    (our,) = found.hyper_parameters
    assert found.hyper_parameters[our] == f"column {name} of nets.csv"
    assert "test_loss" in found.targets
    assert found.hyper_parameters.keys().isdisjoint(found.targets)
    assert converted(tmp_path, rows, hyper_parameters="test_loss", targets="config/seed").hyper_parameters.keys() == {
        "test_loss"
    }
    none = converted(tmp_path, rows, hyper_parameters="none")
    assert (none.hyper_parameters, our in none.columns) == ({}, True)


@pytest.mark.parametrize("name", ["seed", "test_accuracy", "loss", "sharpness", "config/seed", "num_params", "params_total"])
def test_measured_columns_and_seeds_are_no_hyper_parameters(name):
    assert not is_hyper_parameter(name, numbers=True)


def test_hyper_parameters_are_as_exact_as_the_table_and_may_be_infinite(tmp_path):
    rows = pd.DataFrame({"file": ["a.pt", "b.pt"], "lr": [0.1, 1e-42], "clip_norm": [1.0, np.inf], "loss": [1.0, 2.0]})
    found = converted(tmp_path, rows)
    assert found.frame["learning_rate"].tolist() == [0.1, 1e-42]
    assert found.frame["clip_norm"].isna().tolist() == [False, True]
    assert found.frame["diverged"].tolist() == [False, False]
    assert found.notes == ("1 nets have an infinite clip_norm: the value is missing",)


def test_a_loss_that_is_written_nan_marks_a_diverged_net_and_a_missing_one_does_not(tmp_path):
    rows = pd.DataFrame({"file": ["a.pt", "b.pt", "c.pt"], "test_loss": ["nan", "1.5", "NA"], "test_acc": [0.1, 0.5, 0.6]})
    found = converted(tmp_path, rows)
    assert found.frame["diverged"].tolist() == [True, False, False]
    assert found.frame["test_loss"].isna().tolist() == [True, False, True]


def test_a_word_in_a_measured_column_is_never_taken_in_silence(tmp_path):
    rows = pd.DataFrame({"file": ["a.pt", "b.pt", "c.pt"], "test_acc": ["0.5", "failed", "failed"], "loss": [1, 2, 3]})
    with pytest.raises(
        ValueError, match=r"nets\.csv: column test_acc, line 3: 'failed' is neither a number.*words=test_acc"
    ):
        converted(tmp_path, rows)
    assert "test_accuracy" in converted(tmp_path, rows, words="test_acc").text


@pytest.mark.parametrize("text", ["nets\\a.pt", r"C:\Users\me\zoo\nets\a.pt", ".\\nets\\a.pt"])
def test_paths_as_windows_writes_them_lead_into_the_folder(tmp_path, text):
    folder = tmp_path / "zoo"
    (folder / "nets").mkdir(parents=True)
    (folder / "nets" / "a.pt").write_text("")
    read = written(folder, pd.DataFrame({"file": [text], "acc": [1]}))
    assert table.nets(folder, read) == ([folder / "nets" / "a.pt"], 0)
    read = written(folder, pd.DataFrame({"file": ["..\\..\\a.pt"], "acc": [1]}))
    with pytest.raises(ValueError, match="is outside"):
        table.nets(folder, read)


def test_a_row_without_a_net_is_named_and_an_empty_one_left_out(tmp_path):
    (tmp_path / "a.pt").write_text("")
    (tmp_path / "nets.csv").write_text("file,acc\na.pt,1\n,\n")
    assert table.nets(tmp_path, tables.read(tmp_path / "nets.csv")) == ([tmp_path / "a.pt"], 0)
    (tmp_path / "nets.csv").write_text("file,acc\na.pt,1\n,0.5\n")
    with pytest.raises(ValueError, match=r"nets\.csv: line 3 has entries, but no file of a net"):
        table.nets(tmp_path, tables.read(tmp_path / "nets.csv"))


def test_what_other_programs_leave_in_a_folder_is_no_table_and_no_net(tmp_path):
    written(tmp_path)
    (tmp_path / "__MACOSX").mkdir()
    for name in ("a.pt", "b.pt", "c.pt", "._a.pt", "__MACOSX/._b.pt", "~$nets.csv", "._nets.csv", ".DS_Store"):
        (tmp_path / name).write_text("")
    read = tables.read(table.find(tmp_path, ""))
    assert table.nets(tmp_path, read) == ([tmp_path / name for name in ROWS["file"]], 0)
