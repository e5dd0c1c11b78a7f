import dataclasses
import json
import shutil
import sys

import h5py
import numpy as np
import pytest
from conftest import small
from test_verify import sign

import zoo
from benchmark import records
from benchmark.leaderboard import from_records, leaderboard, to_markdown, to_table
from benchmark.metrics import scores
from benchmark.plots import predicted_against_true
from benchmark.score import Job, find_metanet, run, score
from metanets import METANETS, Training
from metanets.mlp import MLP

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2))


def job(folder, out, **changes) -> Job:
    plain = Job(folder, "statnn", "test_accuracy", range(2), QUICK, "trained", out, False, "metazoo score")
    return dataclasses.replace(plain, **changes)


def test_every_score_comes_out_of_the_stored_predictions_again(standard, tmp_path):
    made = zoo.open(standard)
    for path in run(job(standard, tmp_path)):
        record = records.read(path)
        frame = records.read_predictions(path, record)
        for split, stored in (("validation", record.validation), ("test", record.test)):
            part = frame[frame["split"] == split]
            assert sorted(part["index"]) == list(made.nets(split).index)
            true = made.columns["test_accuracy"].to_numpy(np.float64)[part["index"]]
            assert scores(true, part["prediction"].to_numpy()) == pytest.approx(stored)


def test_processes_and_their_number_change_nothing(standard, asymmetric, tmp_path):
    found = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        paths = score(
            [standard, asymmetric], ["mean", "statnn"], "test_loss", out=out, seeds=2, training=QUICK, workers=workers
        )
        assert len(paths) == 2 * 2 * 2
        found.append([(records.read(path).test, records.read(path).predictions) for path in paths])
    assert found[0] == found[1]


def test_other_test_labels_change_no_selection(standard, tmp_path):
    """The test split is sealed: only the test scores may notice that its labels changed."""
    folder = shutil.copytree(standard, tmp_path / "zoo")
    with h5py.File(folder / "data/test-00000-of-00001.h5", "r+") as file:
        file["test_accuracy"][...] = file["test_accuracy"][...][::-1]
    sign(folder)
    for name in METANETS:
        if name != "dmc":  # the small zoo's nets are too short for it
            plain, changed = (
                records.read(run(job(f, tmp_path / out, metanet=name, seeds=range(1)))[0])
                for f, out in ((standard, "plain"), (folder, "changed"))
            )
            assert plain.chosen == changed.chosen
            assert plain.validation == changed.validation
            assert plain.predictions["sha256"] == changed.predictions["sha256"]
            assert plain.test != changed.test


def test_a_hyper_parameter_as_target_is_hidden_from_the_metanet(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, metanet="trees_hyper_parameters", target="learning_rate", seeds=range(1)))
    assert records.read(path).test["r2"] < 0.5


def test_all_entries_can_be_the_input(asymmetric, tmp_path):
    made = zoo.open(asymmetric)
    (all_of,), (trained,) = (
        run(job(asymmetric, tmp_path / inputs, metanet="mlp", inputs=inputs, seeds=range(1)))
        for inputs in ("all", "trained")
    )
    fixed = int((~made.blueprint.trained).sum())
    assert records.read(all_of).metanet["parameters"] - records.read(trained).metanet["parameters"] == 64 * fixed


def test_existing_records_are_kept_and_other_settings_refused(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1)))
    before = path.read_bytes()
    assert run(job(standard, tmp_path, seeds=range(1))) == [path]
    assert path.read_bytes() == before
    more = run(job(standard, tmp_path, seeds=range(3)))
    assert path.read_bytes() == before
    fresh = run(job(standard, tmp_path / "fresh", seeds=range(3)))
    assert [records.read(p).test for p in more] == [records.read(p).test for p in fresh]
    other = dataclasses.replace(QUICK, epochs=1)
    with pytest.raises(FileExistsError, match="--overwrite"):
        run(job(standard, tmp_path, seeds=range(1), training=other))
    assert path.read_bytes() == before
    run(job(standard, tmp_path, seeds=range(1), training=other, overwrite=True))
    assert path.read_bytes() != before


def test_a_metanet_of_the_users_own_is_a_module_or_a_metanet(standard, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nimport metanets\n"
        "class Linear(nn.Module):\n"
        "    def __init__(self, weights):\n        super().__init__()\n        self.layer = nn.Linear(weights, 1)\n"
        "    def forward(self, weights):\n        return self.layer(weights).squeeze(-1)\n"
        "FLOOR = metanets.METANETS['mean']\nNUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (path,) = run(job(standard, tmp_path, metanet="mine:Linear", seeds=range(1)))
    assert path.parts[-2] == "mine.Linear"
    assert records.read(path).metanet["parameters"] == zoo.open(standard).nets("test").weights.shape[1] + 1
    assert find_metanet("mine:FLOOR") is METANETS["mean"]
    for wrong in ("mine:NUMBER", "mine:NOTHING", "nowhere:NAME"):
        with pytest.raises(ValueError, match=wrong):
            find_metanet(wrong)


@pytest.mark.parametrize(
    ("metanet", "target", "found"),
    [("stat", "test_accuracy", "did you mean statnn"), ("mlp", "test_acuracy", "did you mean test_accuracy")],
)
def test_unknown_names_bring_the_nearest(standard, tmp_path, metanet, target, found):
    with pytest.raises(ValueError, match=found):
        score([standard], [metanet], target, out=tmp_path)


def test_a_target_that_the_zoo_has_not_measured_is_refused(tmp_path):
    folder = zoo.build(small(nets=8, images__held_out=0.0), tmp_path / "zoo")
    with pytest.raises(ValueError, match="unknown target 'validation_accuracy'"):
        score([folder], ["mean"], "validation_accuracy", out=tmp_path / "out")


def test_a_split_with_too_few_nets_is_refused(tmp_path):
    folder = zoo.build(small(nets=16), tmp_path / "zoo")
    with pytest.raises(ValueError, match="scoring needs 8"):
        score([folder], ["mean"], "test_accuracy", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [("test_accuracy", 0.5, "nothing to predict"), ("weights", np.nan, "weights that are not finite")],
)
def test_constant_targets_and_nan_weights_are_refused(standard, tmp_path, column, value, found):
    folder = shutil.copytree(standard, tmp_path / "zoo")
    for shard in folder.glob("data/*.h5"):
        with h5py.File(shard, "r+") as file:
            file[column][...] = value
    sign(folder)
    with pytest.raises(ValueError, match=found):
        score([folder], ["mlp"], "test_accuracy", out=tmp_path / "out", training=QUICK)


def test_an_altered_shard_is_refused_before_anything_is_fitted(standard, tmp_path):
    folder = shutil.copytree(standard, tmp_path / "zoo")
    data = bytearray((folder / "data/train-00000-of-00001.h5").read_bytes())
    data[-1] ^= 1
    (folder / "data/train-00000-of-00001.h5").write_bytes(data)
    with pytest.raises(ValueError, match="altered"):
        score([folder], ["mean"], "test_accuracy", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nan_predictions_are_refused_and_nothing_is_recorded(standard, tmp_path, monkeypatch):
    class Blind(MLP):
        def forward(self, weights):
            return super().forward(weights) * float("nan")

    monkeypatch.setattr(sys.modules["__main__"], "Blind", Blind, raising=False)
    with pytest.raises(ValueError, match="not finite"):
        run(job(standard, tmp_path / "out", metanet="__main__:Blind"))
    assert not (tmp_path / "out").exists()


def test_damaged_records_are_refused_by_name(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1)))
    value = json.loads(path.read_text())
    for broken, found in (
        ({**value, "schema": "metazoo-record-9"}, "metazoo-record-9"),
        ({k: v for k, v in value.items() if k != "test"}, "test"),
        ({**value, "extra": 1}, "extra"),
        ([], "JSON object"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=found):
            leaderboard(tmp_path)
    path.write_text(json.dumps(value))
    path.with_suffix(".parquet").write_bytes(b"other")
    with pytest.raises(ValueError, match="not the file"):
        records.read_predictions(path, records.read(path))
    with pytest.raises(ValueError, match="beside the record"):
        records.read_predictions(path, dataclasses.replace(records.read(path), predictions={"file": "../x", "sha256": ""}))
    with pytest.raises(FileNotFoundError, match="metazoo score"):
        leaderboard(tmp_path / "nowhere")


def test_the_leaderboard_is_the_mean_and_deviation_of_its_records(standard, tmp_path):
    paths = [*run(job(standard, tmp_path)), *run(job(standard, tmp_path, metanet="mean"))]
    found = [records.read(path) for path in paths]
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    r2 = [record.test["r2"] for record in found if record.metanet["name"] == "statnn"]
    assert cells.loc["statnn", "r2_mean"] == pytest.approx(np.mean(r2))
    assert cells.loc["statnn", "r2_std"] == pytest.approx(np.std(r2, ddof=1))
    assert bool(cells.loc["mean", "constant"])
    (board,) = from_records(found).boards()
    text = to_markdown(board)
    assert f"{np.mean(r2):.3f}±{np.std(r2, ddof=1):.3f}" in text
    lines = text.splitlines()
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert lines.index(next(x for x in lines if "statnn" in x)) < lines.index(next(x for x in lines if "mean (floor)" in x))
    assert to_table(board).row_count == 2


def test_names_cannot_break_out_of_a_markdown_table(standard, tmp_path):
    record = records.read(run(job(standard, tmp_path, seeds=range(1)))[0])
    evil = dataclasses.replace(record, metanet={**record.metanet, "name": "a|b<img onerror=x>"})
    (board,) = from_records([evil]).boards()
    assert "a\\|b&lt;img" in to_markdown(board)


def test_predicted_against_true_draws_a_panel_for_each_zoo_and_metanet(standard, asymmetric, tmp_path):
    paths = [path for folder in (standard, asymmetric) for path in run(job(folder, tmp_path))]
    figure = predicted_against_true(paths, [standard, asymmetric])
    drawn = [axes for axes in figure.axes if axes.collections]
    assert len(drawn) == 2
    made = zoo.open(standard)
    assert len(drawn[0].collections[0].get_offsets()) == len(made.nets("test"))
    with pytest.raises(ValueError, match="not among those given"):
        predicted_against_true(paths, [standard])
