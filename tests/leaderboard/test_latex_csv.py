import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import BASELINE

import benchmark
from benchmark.cli import main
from benchmark.leaderboard.latex_csv import LATEX, escape_latex, to_csv, to_latex
from benchmark.leaderboard.leaderboard import from_paths
from benchmark.records import records
from benchmark.records.load_results import load_results
from benchmark.scoring.score import score
from metanets import Training

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2))
EVIL = "[1em] \\input{/etc/passwd} % & #1_{a}^b ~ $x$ \n\\\\*"


@pytest.fixture(scope="module")
def results(standard, asymmetric, tmp_path_factory):
    """A folder of records of a metanet and two baselines on two zoos."""
    out = tmp_path_factory.mktemp("results")
    score([standard, asymmetric], ["statnn", "mean", BASELINE], "test_accuracy", out=out, seeds=2, training=QUICK)
    return out


@pytest.fixture(scope="module")
def board(results):
    return from_paths(records.paths(results))


def test_a_latex_table_has_the_papers_layout(board):
    (cells,) = board.boards()
    text = to_latex(cells)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in rows[1:]} == {8}
    assert rows[0] == r" & \multicolumn{4}{c}{standard} & \multicolumn{4}{c}{w\_asymmetric} \\"
    assert r"\cmidrule(lr){2-5} \cmidrule(lr){6-9}" in text
    above, below = text.split(r"\midrule")[1:]
    assert above.strip().startswith("statnn & $")
    assert above.count(r"\\") == 1
    assert r"trees\_hyper\_parameters & $" in below
    row = cells.set_index(["family", "metanet"]).loc[("w_asymmetric", "statnn")]
    assert rf"${row['tau_mean']:.3f} \pm {row['tau_std']:.3f}$ & " in above
    assert r"^{*}$" in below
    assert rf"& {row['r2_beyond']:.3f} {{[}}{row['r2_beyond_low']:.2f}, ".replace("-", "$-$") in above
    assert text.count("Attainable by a perfect prediction: standard ") == 1


def test_a_latex_table_leaves_room_where_a_metanet_was_not_scored(board):
    (cells,) = board.boards()
    missing = cells[(cells["family"] == "standard") | (cells["metanet"] != "statnn")].assign(r2_std=np.nan)
    line = next(line for line in to_latex(missing).splitlines() if line.startswith("statnn"))
    assert line.endswith(r"& -- & -- & -- & -- \\")
    assert r"\pm" not in line.split("&")[1]


@given(st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('\\{}$&#_%^~<>[]*|"\n\t'))))
def test_escaped_text_has_nothing_left_that_latex_acts_on(text):
    escaped = escape_latex(text)
    bare = escaped
    for code in sorted(LATEX.values(), key=len, reverse=True):
        bare = bare.replace(code, "")
    assert not set(bare) & set('\\{}$&#_%^~<>[*|"')
    assert escaped.isprintable()
    assert escaped.count("{") == escaped.count("}")


def test_names_cannot_break_out_of_a_latex_table(board):
    (cells,) = board.boards()
    plain, evil = to_latex(cells), to_latex(cells.replace({"metanet": {"statnn": EVIL}}))
    assert evil.count("\n") == plain.count("\n")
    assert r"\input" not in evil
    assert [re.split(r"(?<!\\)&", line)[1:] for line in evil.splitlines()] == [
        re.split(r"(?<!\\)&", line)[1:] for line in plain.splitlines()
    ]


WORDS = ("gain_note", "labels", "exact")  # columns that may be empty


def test_csv_has_every_cell_in_full(board):
    read = pd.read_csv(io.StringIO(to_csv(board.cells)))
    read = read.astype(dict.fromkeys(WORDS, str)).replace(dict.fromkeys(WORDS, "nan"), "").fillna(dict.fromkeys(WORDS, ""))
    pd.testing.assert_frame_equal(read, board.cells.reset_index(drop=True), check_dtype=False, rtol=1e-14)


def test_a_name_is_no_formula_and_no_second_column_of_a_csv(board):
    names = ["=HYPERLINK(1)", "@x", 'a,b"c', "a\r=1+1", "\r\n=1+1"]
    cells = board.cells.head(len(names)).assign(metanet=names)
    found = list(csv.DictReader(io.StringIO(to_csv(cells))))
    assert [row["metanet"] for row in found] == ["'=HYPERLINK(1)", "'@x", 'a,b"c', "a\n=1+1", "'\n=1+1"]
    assert [float(row["r2_mean"]) for row in found] == cells["r2_mean"].tolist()


@pytest.mark.parametrize("kind", ["latex", "csv"])
def test_the_leaderboard_is_printed_in_each_format(kind, results, board, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(results), "--format", kind])
    with pytest.raises(SystemExit, match="0"):
        main.app()
    out = capsys.readouterr().out
    assert out.strip() == (to_csv(board.cells) if kind == "csv" else to_latex(board.cells)).strip()


def test_results_are_a_row_for_each_record(results):
    frame = benchmark.load_results(str(results))
    assert benchmark.load_results is load_results
    assert len(frame) == 2 * (2 + 2 + 2)
    for path, row in frame.set_index("path").iterrows():
        value = json.loads(Path(path).read_text())
        assert {metric: row[f"test_{metric}"] for metric in value["test"]} == value["test"]
        assert {metric: row[f"validation_{metric}"] for metric in value["validation"]} == value["validation"]
        assert (row["metanet"], row["seed"]) == (value["metanet"]["name"], value["seed"])
        assert (row["seconds"], row["train_nets"]) == (value["seconds"], value["task"]["nets"]["train"])
    statnn = frame[frame["metanet"] == "statnn"]
    assert statnn["chosen_learning_rate"].isin([1e-3, 1e-2]).all()
    assert (statnn["parameters"] == 119_297).all()


def test_parameters_that_nobody_counted_are_missing_and_others_stay_whole(results, tmp_path):
    first, second = records.paths(results)[:2]
    record = records.read(first)
    uncounted = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, parameters=None))
    records.write(tmp_path / "seed-0.json", uncounted, first.with_suffix(".parquet").read_bytes())
    (tmp_path / "seed-1.json").write_text(second.read_text())
    found = load_results(tmp_path)["parameters"]
    assert found.isna().tolist() == [True, False]
    assert found.dtype == "Int64"


@pytest.mark.parametrize("count", [2**63, 10**19, 10**400])
def test_counts_beyond_all_nets_are_refused_by_name(results, tmp_path, count):
    path = tmp_path / "seed-0.json"
    value = json.loads(records.paths(results)[0].read_text())
    path.write_text(json.dumps({**value, "metanet": {**value["metanet"], "parameters": count}}))
    with pytest.raises(ValueError, match=r"seed-0\.json is damaged: .*a whole number of"):
        load_results(tmp_path)
    path.write_text(json.dumps({**value, "metanet": {**value["metanet"], "parameters": 2**63 - 1}}))
    assert load_results(tmp_path)["parameters"].tolist() == [2**63 - 1]


def test_no_records_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no records"):
        load_results(tmp_path)


def test_importing_the_benchmark_imports_nothing_heavy():
    code = "import sys, benchmark; print([m for m in ('torch', 'pandas', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'load_result'"):
        benchmark.load_result  # noqa: B018


def test_one_metanet_alone_has_no_pairs(results, board, tmp_path, monkeypatch, capsys):
    shutil.copytree(next(results.glob("*/*/statnn")), tmp_path / "statnn")
    assert list(from_paths(records.paths(tmp_path)).pairs().columns) == list(board.pairs().columns)
    for options, said in (
        ([], "no two metanets have records"),
        (["--format", "csv"], "one,other"),
        (["--format", "json"], "["),
    ):
        monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(tmp_path), "--pairs", *options])
        with pytest.raises(SystemExit, match="0"):
            main.app()
        assert said in capsys.readouterr().out


def test_pairs_are_csv_and_not_latex(results, board, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(results), "--pairs", "--format", "csv"])
    with pytest.raises(SystemExit, match="0"):
        main.app()
    assert capsys.readouterr().out == to_csv(board.pairs())
    monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(results), "--pairs", "--format", "latex"])
    with pytest.raises(SystemExit, match="2"):
        main.app()
