import dataclasses
import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT, SMALL
from made_records import BASELINE
from markdown_it import MarkdownIt
from rich.console import Console

from benchmark.leaderboard.leaderboard import from_paths, leaderboard
from benchmark.leaderboard.plots import sample_efficiency
from benchmark.leaderboard.tables import frame_tables, to_markdown, to_table
from benchmark.records import records
from benchmark.records.corrections import SUBMISSION
from benchmark.records.records import json_schema
from benchmark.scoring.score import score
from benchmark.statistics.attainable import noise_ceiling
from benchmark.statistics.beyond import r2_beyond, tau_beyond
from benchmark.statistics.intervals import difference, interval
from benchmark.statistics.metrics import r2
from metanets import Training
from zoo.storage import files

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2))


@pytest.fixture(scope="module")
def scored(standard, tmp_path_factory) -> list[Path]:
    """Records of a metanet and two baselines on one zoo."""
    out = tmp_path_factory.mktemp("results")
    return score([standard], ["statnn", "mean", BASELINE], "test_accuracy", out=out, seeds=3, training=QUICK)


def test_the_published_schema_is_that_of_the_code():
    published = json.loads((ROOT / "benchmark/records/record.schema.json").read_text())
    assert published == json_schema()


def test_cells_are_what_the_records_and_their_predictions_say(scored):
    board = from_paths(scored)
    cells = board.cells.set_index("metanet")
    found = [records.read(path) for path in scored]
    scores = [record.test["r2"] for record in found if record.metanet.name == "statnn"]
    assert cells.loc["statnn", "r2_mean"] == pytest.approx(np.mean(scores))
    assert cells.loc["statnn", "r2_std"] == pytest.approx(np.std(scores, ddof=1))
    assert bool(cells.loc["mean", "constant"])
    at = {result.key[2]: result for result in board.results}
    sure = interval(at["statnn"].target, at["statnn"].predicted, r2)
    assert (cells.loc["statnn", "r2_low"], cells.loc["statnn", "r2_high"]) == (sure.low, sure.high)
    gain = difference(at["statnn"].target, at["statnn"].predicted, at[BASELINE].predicted, r2)
    assert cells.loc["statnn", "gain"] == gain.value
    assert np.isnan(cells.loc[BASELINE, "gain"])
    yardstick = at[BASELINE].predicted.mean(axis=0)
    for name, metric in (("r2_beyond", r2_beyond), ("tau_beyond", tau_beyond)):
        one = at["statnn"]
        assert cells.loc["statnn", name] == pytest.approx(np.mean([metric(one.target, x, yardstick) for x in one.predicted]))
        assert cells.loc["statnn", f"{name}_low"] <= cells.loc["statnn", name] <= cells.loc["statnn", f"{name}_high"]
        assert cells.loc["mean", name] == 0
        assert np.isnan(cells.loc[BASELINE, name])
    assert (cells["images"] == SMALL["images.test"]).all()
    assert cells["noise_ceiling"].tolist() == [noise_ceiling(at["statnn"].target, SMALL["images.test"])] * 3


def test_tables_have_metanets_before_baselines_and_a_line_each(scored):
    (board,) = from_paths(scored).boards()
    text = to_markdown(board)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    order = [line.split("|")[1].strip() for line in lines[2:]]
    assert order[0] == "statnn"
    assert set(order[1:]) == {f"{BASELINE} (baseline)", "mean (baseline)"}
    assert to_table(board).row_count == 3


def test_pairs_are_compared_once_each_and_corrected(scored):
    found = from_paths(scored).pairs()
    assert len(found) == 3
    assert (found["p_holm"] >= found["p"]).all()


def test_names_cannot_break_out_of_a_markdown_table(scored, tmp_path):
    path = tmp_path / "seed-0.json"
    record = records.read(scored[0])
    evil = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, name="a|b<img onerror=x>"))
    records.write(path, evil, scored[0].with_suffix(".parquet").read_bytes())
    (board,) = from_paths([path]).boards()
    assert "a\\|b&lt;img" in to_markdown(board)


NASTY = "x\n\n# Big\n\n![p](https://e.org/p.png) [l](javascript:x) a\\|b `|` <b> ~~~ &#42; \x1b[2J\u202e [/red] [bold]"


@pytest.fixture
def nasty_board(scored, tmp_path):
    """A board of one record, in which every name that may be a stranger's is NASTY."""
    record = records.read(scored[0])
    zoo, method = dataclasses.replace(record.task.zoo, family=NASTY), dataclasses.replace(record.metanet, name=NASTY)
    task = dataclasses.replace(record.task, target=NASTY, zoo=zoo, test_zoo=zoo)
    changed(scored[0], tmp_path / "seed-0.json", task=task, metanet=method)
    (board,) = leaderboard(tmp_path).boards()
    return board


def test_a_markdown_table_of_any_names_is_one_table_of_text(nasty_board):
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(nasty_board))
    kinds = [token.type for token in tokens]
    assert (kinds.count("table_open"), kinds.count("tr_open"), kinds.count("th_open")) == (1, 2, kinds.count("td_open"))
    assert [token.type for token in tokens if token.level == 0 and token.nesting >= 0] == [
        "paragraph_open",
        "table_open",
        "paragraph_open",
    ]
    inner = [token for line in tokens for token in line.children or []]
    assert {token.type for token in inner} <= {"text", "text_special", "softbreak"}
    assert all(token.content.isprintable() for token in inner)


def test_a_terminal_shows_any_names_as_text(nasty_board):
    console = Console(file=io.StringIO(), width=1000)
    console.print(to_table(nasty_board, width=1000))
    console.print(*frame_tables(pd.DataFrame({NASTY: [NASTY]}, index=[NASTY]), NASTY, width=1000))
    text = console.file.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    # a title, a name, two heads and a zoo of which is said what is attainable; a title, a head, a name and a cell
    assert text.count("[/red] [bold]") == 9


def test_records_with_other_test_nets_do_not_mix(scored, tmp_path):
    first, second = (path for path in scored if path.parent.name == "mean" and path.stem in ("seed-0", "seed-1"))
    record = records.read(second)
    frame = records.read_predictions(second, record)
    frame.loc[frame["split"] == "test", "target"] += 0.1
    path = tmp_path / "seed-1.json"
    reference, data = records.predictions_file(path, frame)
    records.write(path, dataclasses.replace(record, predictions=reference), data)
    board = from_paths([first, path])
    assert board.left_out == (f"{path}: its nets, or their targets, are not those of {first}",)
    assert board.cells["seeds"].tolist() == [1]


def changed(path: Path, to: Path, frame: pd.DataFrame | None = None, **fields: object) -> Path:
    """A copy of a record with other predictions or fields."""
    record = records.read(path)
    reference, data = records.predictions_file(to, records.read_predictions(path, record) if frame is None else frame)
    records.write(to, dataclasses.replace(record, **{"predictions": reference, **fields}), data)
    return to


def test_seeds_are_in_the_order_of_their_numbers_with_their_own_predictions(scored, tmp_path):
    source = next(path for path in scored if path.parent.name == "statnn")
    for seed in (9, 10, 11):
        frame = records.read_predictions(source, records.read(source))
        changed(source, tmp_path / f"seed-{seed}.json", frame.assign(prediction=frame["target"] + 0.1 * seed), seed=seed)
    (result,) = leaderboard(tmp_path).results
    assert [record.seed for record in result.records] == [9, 10, 11]
    np.testing.assert_allclose(result.predicted - result.target, np.tile([[0.9], [1.0], [1.1]], len(result.target)))


def test_a_record_that_is_there_twice_is_refused(scored, tmp_path):
    source = next(path.parent for path in scored)
    for name in ("results", "backup"):
        shutil.copytree(source, tmp_path / name)
    (line,) = [line for line in leaderboard(tmp_path).left_out if "seed-0.json: " in line]
    assert re.search(r"results.seed-0\.json: seed 0 of .* is in .*backup.seed-0\.json too", line)
    assert leaderboard(tmp_path).cells["seeds"].tolist() == [3]


def test_metanets_that_were_tested_on_other_nets_are_not_compared(scored, tmp_path):
    baseline, other = (next(path for path in scored if path.parent.name == name) for name in (BASELINE, "statnn"))
    frame = records.read_predictions(other, records.read(other))
    frame.loc[frame["split"] == "test", "index"] += 1000
    path = changed(other, tmp_path / "seed-1.json", frame)
    assert from_paths([baseline, path]).left_out == (f"{path}: its nets, or their targets, are not those of {baseline}",)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda frame: frame.assign(prediction=frame["prediction"] * 1e200), "the predictions give test r2 -inf"),
        (lambda frame: frame.assign(target=0.5), "the predictions give validation r2 nan"),
        (
            lambda frame: frame.assign(prediction=frame["prediction"] * 1e300 * 1e300),
            "are not finite, expected a number for each",
        ),
        (lambda frame: frame.assign(index=frame["index"].iloc[-1]), "are predicted twice"),
        (lambda frame: frame.assign(split="validation"), "0 predictions of test nets"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused_by_name(scored, tmp_path, change, found):
    frame = change(records.read_predictions(scored[0], records.read(scored[0])))
    with pytest.raises(ValueError, match=rf"seed-0\.json: .*{found}"):
        from_paths([changed(scored[0], tmp_path / "seed-0.json", frame)])


def test_a_zoo_under_two_names_spoils_no_transfer_matrix(scored, tmp_path):
    source = next(path for path in scored if path.parent.name == "statnn")
    task = records.read(source).task
    renamed, other = dataclasses.replace(task.zoo, family="x"), dataclasses.replace(task.zoo, name="other")
    for number, zoo in enumerate((task.zoo, renamed, other)):
        changed(source, tmp_path / str(number) / "seed-0.json", task=dataclasses.replace(task, zoo=zoo))
    (matrix,) = leaderboard(tmp_path).matrices().values()
    assert matrix.shape == (2, 1)


def test_whatever_a_record_states_the_board_shows_what_its_predictions_give_and_names_it(scored, tmp_path):
    record = records.read(scored[0])
    untrue = {"test": {**record.test, "r2": 0.9999, "tau": 0.9999}, "validation": {}, "constant_prediction": True}
    path = changed(scored[0], tmp_path / "seed-0.json", **untrue)
    board, before = from_paths([path, *scored[1:]]), from_paths(scored)
    pd.testing.assert_frame_equal(board.cells, before.cells)
    pd.testing.assert_frame_equal(board.pairs(), before.pairs())
    assert {line.split(": ")[0] for line in board.misstated} == {str(path)}
    assert any("test r2 is said to be 0.9999" in line for line in board.remarks())
    assert before.remarks() == []


def spoil_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def spoil_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def spoil_depth(path: Path) -> None:
    path.write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")


def spoil_digits(path: Path) -> None:
    path.write_text(path.read_text().replace('"seed": 0,', f'"seed": {"1" * 5000},'))


def spoil_predictions(path: Path) -> None:
    """A name of two megabytes for every net, which is none in the file."""
    record, memory = records.read(path), io.BytesIO()
    frame = records.read_predictions(path, record).assign(split="x" * 2_000_000)
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    pyarrow.parquet.write_table(table, memory, compression="zstd", dictionary_pagesize_limit=2**30)
    reference = dataclasses.replace(record.predictions, sha256=files.hash_of(memory.getvalue()))
    records.write(path, dataclasses.replace(record, predictions=reference), memory.getvalue())


def spoil_columns(path: Path) -> None:
    changed(path, path, records.read_predictions(path, records.read(path)).drop(columns="split"))


@pytest.mark.parametrize(
    "spoil", [spoil_link, spoil_pipe, spoil_depth, spoil_digits, spoil_predictions, spoil_columns], ids=lambda s: s.__name__
)
def test_a_file_that_is_made_to_harm_its_reader_is_refused_by_name(scored, tmp_path, spoil):
    path = shutil.copytree(next(path.parent for path in scored), tmp_path / "results") / "seed-0.json"
    spoil(path)
    board = leaderboard(tmp_path)
    assert [bool(re.search(r"seed-0\.(json|parquet)", line)) for line in board.left_out] == [True]
    assert board.cells["seeds"].tolist() == [2]


def test_a_submission_that_is_a_link_is_not_read(scored, tmp_path):
    folder = shutil.copytree(next(path.parent for path in scored), tmp_path / "results")
    (folder / SUBMISSION).symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"submission\.json.*links are not followed"):
        leaderboard(tmp_path)


def test_scores_are_drawn_against_the_number_of_training_nets(standard, scored, tmp_path):
    with pytest.raises(ValueError, match="--train-nets"):
        sample_efficiency(from_paths(scored).cells)
    score([standard], ["mean", BASELINE], "test_accuracy", out=tmp_path, seeds=1, train_nets=[8, 16])
    (axes,) = sample_efficiency(leaderboard(tmp_path).cells).axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[8, 16], [8, 16]]
    score([standard], ["mean"], "test_accuracy", out=tmp_path, seeds=1, train_nets=[8, 16], inputs="all")
    panels = sample_efficiency(leaderboard(tmp_path).cells).axes
    assert [list(line.get_xdata()) for axes in panels for line in axes.lines] == [[8, 16]] * 3
    found = {axes.get_title().split(", ")[0]: len(axes.lines) for axes in panels}
    assert found == {"test accuracy": 2, "test accuracy,inputs=all": 1}
