"""The parts of the importer of state dicts, each on its own: the table, its columns under our names, a net's file."""

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from zoo.importers.state_dicts import columns, state_files, table

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


def chosen(tmp_path, rows=ROWS, **options):
    texts = dict.fromkeys(("hyper_parameters", "targets", "percent", "lineage", "split"), "") | options
    return columns.choice(tmp_path / "nets.csv", rows, **texts)


def test_columns_get_our_names_and_what_they_are(tmp_path):
    choice = chosen(tmp_path, hyper_parameters="lr, note", percent="acc %", lineage="run")
    found = columns.columns(ROWS, choice)
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
    found = columns.columns(rows, chosen(tmp_path, rows))
    assert found.frame["loss"].isna().tolist() == [True, False, True]
    assert found.frame["diverged"].tolist() == [True, False, True]
    assert found.notes == ("2 nets have an infinite loss: the value is missing, the net marked diverged",)


def test_whole_numbers_of_64_bits_stay_what_they_are(tmp_path):
    rows = ROWS.drop(columns="Loss").assign(seed=np.array([2**63 + 5, 2**64 - 1, 3], np.uint64))
    found = columns.columns(rows, chosen(tmp_path, rows))
    assert found.frame["seed"].tolist() == ["9223372036854775813", "18446744073709551615", "3"]
    assert "seed" in found.text
    assert columns.columns(rows, chosen(tmp_path, rows, lineage="seed")).frame["lineage"][2] == "3"
    assert columns.columns(rows, chosen(tmp_path, rows, targets="seed")).frame["seed"].tolist() == [
        2.0**63,
        2.0**64,
        3.0,
    ]


def test_named_targets_are_the_only_ones(tmp_path):
    found = columns.columns(ROWS, chosen(tmp_path, targets="run"))
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
    (tmp_path / "nets.csv").write_text("")
    for name in ("a.pt", "b.pt", "c.pt", "d.pth"):
        (tmp_path / name).write_text("")
    csv = table.find(tmp_path, "")
    assert csv == tmp_path / "nets.csv"
    assert table.nets(tmp_path, csv, ROWS) == ([tmp_path / name for name in ROWS["file"]], 1)
    (tmp_path / "c.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.pt: no such file; nets\.csv names it, and 0 more"):
        table.nets(tmp_path, csv, ROWS)


def test_tensors_are_found_in_both_formats_in_the_same_order(tmp_path):
    net = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(11)]).half()
    net.extend([torch.nn.ParameterList([torch.nn.Parameter(torch.ones(2).half()) for _ in range(11)])])
    torch.save({"model": {f"module.{name}": tensor for name, tensor in net.state_dict().items()}}, tmp_path / "0.pt")
    safetensors.torch.save_file(net.state_dict(), tmp_path / "0.safetensors")
    pickled, safe = state_files.read(tmp_path / "0.pt", ""), state_files.read(tmp_path / "0.safetensors", "")
    assert list(pickled.tensors) == list(safe.tensors) == list(net.state_dict())
    assert pickled.converted == safe.converted == ("float16",)
    assert all(tensor.dtype == torch.float32 for tensor in pickled.tensors.values())
    assert [state_files.is_net(tmp_path / name) for name in ("0.pt", "0.safetensors", "0.csv")] == [True, True, False]
