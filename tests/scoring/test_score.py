import dataclasses
import json
import shutil
import sys

import h5py
import numpy as np
import pytest
import torch
from conftest import small
from imported_zoo import foreign
from strangers import sign

import zoo
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.plots import OUTSIDE, predicted_against_true
from benchmark.records import records
from benchmark.scoring.feature_cache import features
from benchmark.scoring.find import find_metanet
from benchmark.scoring.job import Job, run
from benchmark.scoring.score import score
from benchmark.scoring.task import FEWEST, rows_of
from benchmark.statistics.metrics import recalibrated_r2, scores
from metanets import Training
from metanets.inputs.table import INPUTS, Input
from metanets.mlp import MLP
from metanets.table import METANETS
from zoo.importers.source_zoo import write as write_zoo
from zoo.nets import resnet
from zoo.nets.layout import total

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2))


def job(folder, out, **changes) -> Job:
    plain = Job(folder, (folder,), "statnn", "test_accuracy", range(2), QUICK, out, command="metazoo score")
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
            assert (true == part["target"]).all()
            again = scores(true, part["prediction"].to_numpy())
            assert again == pytest.approx({name: stored[name] for name in again})


@pytest.mark.usefixtures("processes")
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
    for name in sorted(METANETS.keys() - {"dmc"}):  # the small zoo's nets are too short for it
        plain, changed = (
            records.read(run(job(f, tmp_path / out, metanet=name, seeds=range(1)))[0])
            for f, out in ((standard, "plain"), (folder, "changed"))
        )
        assert plain.chosen == changed.chosen
        assert plain.validation == changed.validation
        predictions = [
            records.read_predictions(next((tmp_path / out).glob(f"*/*/{name}/seed-0.json")), record)["prediction"]
            for out, record in (("plain", plain), ("changed", changed))
        ]
        assert (predictions[0] == predictions[1]).all()
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
    assert records.read(all_of).metanet.parameters - records.read(trained).metanet.parameters == 64 * fixed


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


def test_seeds_of_two_versions_of_a_metanet_do_not_mix(standard, tmp_path, monkeypatch):
    run(job(standard, tmp_path, metanet="mean", seeds=range(1)))
    monkeypatch.setitem(METANETS, "mean", dataclasses.replace(METANETS["mean"], version=7))
    with pytest.raises(FileExistsError, match="made with version 1 of mean; this is version 7"):
        run(job(standard, tmp_path, metanet="mean"))
    paths = run(job(standard, tmp_path, metanet="mean", overwrite=True))
    assert {records.read(path).metanet.version for path in paths} == {7}


def test_a_record_that_is_older_than_a_setting_is_one_of_its_default(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1)))
    value = json.loads(path.read_text())
    del value["tuned"]["training"]["device"]
    path.write_text(json.dumps(value))
    before = path.read_bytes()
    assert run(job(standard, tmp_path, seeds=range(1))) == [path]
    assert path.read_bytes() == before
    path.write_text(json.dumps({**value, "tuned": {}}))
    with pytest.raises(FileExistsError, match="was made with None"):
        run(job(standard, tmp_path, seeds=range(1)))


def test_a_metanet_of_the_users_own_is_a_module_or_a_metanet(standard, tmp_path, monkeypatch):
    (tmp_path / "some_of_mine.py").write_text(
        "from torch import nn\nimport metanets\n"
        "class Linear(nn.Module):\n"
        "    def __init__(self, weights):\n        super().__init__()\n        self.layer = nn.Linear(weights, 1)\n"
        "    def forward(self, weights):\n        return self.layer(weights).squeeze(-1)\n"
        "BASELINE = metanets.METANETS['mean']\nNUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (path,) = run(job(standard, tmp_path, metanet="some_of_mine:Linear", seeds=range(1)))
    assert path.parts[-2] == "some_of_mine.Linear"
    assert path.parts[-3] == "test_accuracy"
    assert records.read(path).metanet.parameters == zoo.open(standard).nets("test").weights.shape[1] + 1
    assert find_metanet("some_of_mine:BASELINE").reads == METANETS["mean"].reads
    for wrong in ("some_of_mine:NUMBER", "some_of_mine:NOTHING", "nowhere:NAME"):
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
    with pytest.raises(ValueError, match=f"scoring needs {FEWEST}"):
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
    task, predictions = value["task"], value["predictions"]
    for broken, found in (
        ({**value, "schema": "metazoo-record-9"}, "metazoo-record-9"),
        ({k: v for k, v in value.items() if k != "test"}, "test: field required"),
        ({**value, "extra": 1}, "extra: unexpected"),
        ({**value, "seed": "0"}, "seed: input should be a valid integer"),
        ({**value, "test": {"r2": float("nan")}}, "NaN is no finite number"),
        ({**value, "task": {**task, "zoo": {**task["zoo"], "name": "../../x"}}}, "task.zoo.name"),
        ({**value, "task": {**task, "zoo": {**task["zoo"], "manifest_sha256": "x"}}}, "task.zoo.manifest_sha256"),
        ({**value, "predictions": {**predictions, "file": "../x.parquet"}}, "predictions.file"),
        ([], "JSON object"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=found):
            leaderboard(tmp_path)
    path.write_text(json.dumps(value))
    path.with_suffix(".parquet").write_bytes(b"other")
    with pytest.raises(ValueError, match="not the file"):
        records.read_predictions(path, records.read(path))
    with pytest.raises(FileNotFoundError, match="metazoo score"):
        leaderboard(tmp_path / "nowhere")


def test_predicted_against_true_draws_a_panel_for_each_zoo_and_metanet(standard, asymmetric, tmp_path):
    paths = [path for folder in (standard, asymmetric) for path in run(job(folder, tmp_path))]
    found = [records.stored(path) for path in paths]
    frame = found[0].frame
    frame.loc[(frame["split"] == "test").idxmax(), "prediction"] = 9.0  # outside
    figure = predicted_against_true(found, [standard, asymmetric])
    drawn = [axes for axes in figure.axes if axes.collections]
    assert len(drawn) == 2
    made = zoo.open(standard)
    assert sum(len(one.get_offsets()) for one in drawn[0].collections) == len(made.nets("test"))  # inside, below, above
    assert [text.get_text() for legend in figure.legends for text in legend.get_texts()] == [OUTSIDE]
    with pytest.raises(ValueError, match="not among those given"):
        predicted_against_true(found, [standard])


def test_the_recalibrated_score_is_that_of_the_stored_predictions(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1)))
    record = records.read(path)
    frame = records.read_predictions(path, record)
    known, held = (frame[frame["split"] == split] for split in ("validation", "test"))
    found = recalibrated_r2(
        held["target"].to_numpy(),
        held["prediction"].to_numpy(),
        validation_true=known["target"].to_numpy(),
        validation_predicted=known["prediction"].to_numpy(),
    )
    assert record.test["r2_recalibrated"] == pytest.approx(found)


def test_a_second_seed_alone_takes_what_the_first_ones_record_says(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1)))
    (other,) = (p for p in run(job(standard, tmp_path)) if p != path)
    assert records.read(other).chosen["learning_rate"] == records.read(path).chosen["learning_rate"]


def test_a_zoo_that_is_given_twice_is_scored_once(standard, tmp_path):
    again = shutil.copytree(standard, tmp_path / "again")
    options = {"out": tmp_path / "out", "seeds": 2}
    assert len(score([standard, again, standard], ["mean"], "test_accuracy", **options)) == 2
    assert len(score([standard, again], ["mean"], "test_accuracy", transfer=True, **options)) == 2
    paths = score([standard], ["mean"], "test_accuracy", train_nets=[8, 8], **options)
    assert len(paths) == len(set(paths)) == 2
    assert leaderboard(tmp_path / "out").cells["seeds"].tolist() == [2, 2]


def test_transfer_tests_one_fit_on_every_zoo(standard, asymmetric, tmp_path):
    zoos = [standard, asymmetric]
    paths = score(zoos, ["statnn"], "test_accuracy", out=tmp_path / "all", seeds=1, training=QUICK, transfer=True)
    found = [records.read(path) for path in paths]
    assert len({(r.task.zoo.label(), r.task.test_zoo.label()) for r in found}) == len(found) == 4
    plain = run(job(standard, tmp_path / "plain", seeds=range(1)))[0]
    same = next(r for r in found if r.task.zoo == r.task.test_zoo == records.read(plain).task.zoo)
    assert same.test == records.read(plain).test
    assert {r.task.name() for r in found if r.task.zoo != r.task.test_zoo} == {
        f"test_accuracy,from={zoo}" for zoo in {r.task.zoo.label() for r in found}
    }
    (matrix,) = leaderboard(tmp_path / "all").matrices().values()
    assert matrix.shape == (2, 2)
    assert matrix.notna().all(axis=None)
    for r in found:
        assert matrix.loc[r.task.zoo.label(), r.task.test_zoo.label()] == pytest.approx(r.test["r2"])


def test_nets_of_other_lengths_are_refused_with_advice(standard, asymmetric, tmp_path):
    with pytest.raises(ValueError, match="--inputs all"):
        score([standard, asymmetric], ["mlp"], "test_accuracy", out=tmp_path, seeds=1, training=QUICK, transfer=True)
    zoos, options = [standard, asymmetric], {"seeds": 1, "training": QUICK, "transfer": True, "inputs": "all"}
    assert len(score(zoos, ["mlp"], "test_accuracy", out=tmp_path, **options)) == 4


def test_a_shift_fits_on_low_and_tests_on_high(standard, tmp_path):
    (path,) = run(job(standard, tmp_path, seeds=range(1), shift="learning_rate"))
    record, columns = records.read(path), zoo.open(standard).columns
    assert record.task.name() == "test_accuracy,shift=learning_rate"
    frame = records.read_predictions(path, record)
    rates = columns["learning_rate"].to_numpy()[frame["index"]]
    test = (frame["split"] == "test").to_numpy()
    assert rates[~test].max() < rates[test].min()
    middle = columns[columns["split"] == "train"]["learning_rate"].median()
    assert rates[~test].max() <= middle < rates[test].min()
    with pytest.raises(ValueError, match="did you mean learning_rate"):
        score([standard], ["mean"], "test_accuracy", out=tmp_path, shift="learning_rat")


def test_a_shift_leaves_out_nets_of_which_nobody_knows_on_which_side_they_are(tmp_path):
    given = foreign(200)
    unknown = np.arange(200) % 3 == 0
    columns = given.columns.assign(rate=given.columns["rate"].where(~unknown))
    write_zoo(dataclasses.replace(given, columns=columns), tmp_path / "theirs")
    made = zoo.open(tmp_path / "theirs")
    rows = rows_of(made, made, "test_accuracy", "rate", None)
    assert made.columns["rate"][np.concatenate(list(rows.values()))].notna().all()
    middle = made.columns["rate"][(made.columns["split"] == "train")].median()
    assert made.columns["rate"][rows["train"]].max() <= middle < made.columns["rate"][rows["test"]].min()


def test_a_shift_along_what_the_other_zoo_lacks_is_refused(standard, tmp_path):
    write_zoo(foreign(200), tmp_path / "theirs")
    made, theirs = zoo.open(standard), zoo.open(tmp_path / "theirs")
    for one, other, name in ((theirs, made, "rate"), (made, theirs, "learning_rate")):
        with pytest.raises(ValueError, match=f"unknown hyper-parameter '{name}'"):
            rows_of(one, other, "test_accuracy", name, None)


def test_fewer_training_nets_are_the_first_ones_and_the_test_stays(standard, tmp_path):
    paths = score([standard], ["mean"], "test_accuracy", out=tmp_path, seeds=1, train_nets=[8, 16])
    made = zoo.open(standard)
    target = made.columns["test_accuracy"].to_numpy(np.float64)
    for path in paths:
        record = records.read(path)
        frame = records.read_predictions(path, record)
        count = record.task.train_nets
        assert record.task.nets["train"] == count
        expected = target[made.nets("train").index[:count]].mean()
        np.testing.assert_allclose(frame["prediction"], expected)
        assert sorted(frame.loc[frame["split"] == "test", "index"]) == list(made.nets("test").index)
    assert {records.read(path).task.name() for path in paths} == {"test_accuracy,nets=8", "test_accuracy,nets=16"}
    with pytest.raises(ValueError, match="nets for training; 500 are asked for"):
        score([standard], ["mean"], "test_accuracy", out=tmp_path, train_nets=[500])


def test_a_target_is_hidden_from_permuted_nets_too(standard, tmp_path, monkeypatch):
    seen = []

    def features(nets):
        seen.append(set(nets.hyper_parameters))
        return nets.weights.float()

    monkeypatch.setitem(METANETS, "mlp", dataclasses.replace(METANETS["mlp"], reads=features))
    permuting = dataclasses.replace(QUICK, augment=("permutation",))
    run(job(standard, tmp_path, metanet="mlp", target="learning_rate", seeds=range(1), training=permuting))
    assert len(seen) > 3
    assert not set().union(*seen)  # neither are others given to what reads weights


@pytest.mark.parametrize("inputs", ["trained", "all"])
def test_nets_with_fixed_entries_are_permuted_where_their_channels_are_free(tmp_path, inputs):
    layout = resnet.layout(width=0.125, channels=1, classes=10)  # the last two entries, biases of classes, are fixed
    size = total(layout)
    trained = torch.arange(size) < size - 2
    values = np.random.default_rng(0).normal(size=(64, size)).astype(np.float32) * trained.numpy()
    about = dataclasses.replace(foreign(64).about, architecture="resnet8")
    given = foreign(64, about=about, layout=layout, trained=trained, fixed=torch.zeros(size))
    write_zoo(dataclasses.replace(given, weights=lambda rows: values[rows]), tmp_path / "theirs")
    plain, moved = (
        records.read(run(job(tmp_path / "theirs", tmp_path / out, inputs=inputs, seeds=range(1), training=training))[0])
        for out, training in (("plain", QUICK), ("moved", dataclasses.replace(QUICK, augment=("permutation",))))
    )
    assert plain.validation == pytest.approx(moved.validation, rel=1e-3)  # statnn is blind to permutations


def test_nets_whose_symmetries_are_not_known_are_not_permuted(tmp_path):
    write_zoo(foreign(64), tmp_path / "theirs")
    with pytest.raises(ValueError, match="symmetries of these nets are not known"):
        run(job(tmp_path / "theirs", tmp_path / "out", training=dataclasses.replace(QUICK, augment=("permutation",))))


def test_permuted_training_nets_leave_permutation_blind_metanets_as_they_are(standard, asymmetric, tmp_path):
    permuting = dataclasses.replace(QUICK, augment=("permutation",))
    for name in ("statnn", "mlp"):
        plain, moved = (
            records.read(run(job(standard, tmp_path / out, metanet=name, seeds=range(1), training=training))[0])
            for out, training in (("plain", QUICK), ("moved", permuting))
        )
        assert (plain.validation == pytest.approx(moved.validation, rel=1e-3)) == (name == "statnn")
    with pytest.raises(ValueError, match="no permutation symmetry"):
        run(job(asymmetric, tmp_path / "none", training=permuting))


def test_training_nets_are_moved_by_any_symmetry_they_have(standard, tmp_path):
    found = {}
    for kinds in ((), ("permutation",), ("scale",), ("size",), ("permutation", "scale", "size")):
        training = dataclasses.replace(QUICK, augment=kinds)
        (path,) = run(job(standard, tmp_path / "-".join(["a", *kinds]), seeds=range(1), training=training))
        record = records.read(path)
        assert record.augment == list(kinds)
        found[kinds] = record.validation["r2"]
    assert found["permutation",] == pytest.approx(found[()], rel=1e-3)
    assert len({round(value, 6) for value in found.values()}) >= 4  # statnn is blind to permutations alone
    for kinds, said in ((("rotation",), "unknown kind of symmetry rotation"), (("mix",), "have no mix symmetry")):
        with pytest.raises(ValueError, match=said):
            run(job(standard, tmp_path / "none", training=dataclasses.replace(QUICK, augment=kinds)))


def test_features_are_kept_beside_the_zoo_until_zoo_or_code_change(standard, tmp_path, monkeypatch):
    folder = shutil.copytree(standard, tmp_path / "zoo", ignore=shutil.ignore_patterns("cache"))
    made, metanet = zoo.open(folder), METANETS["statnn"]
    index, first = features(made, metanet, "train")
    assert list(index) == list(made.nets("train").index)
    (kept,) = (folder / "cache").iterdir()
    calls = []
    real = INPUTS["statistics"].read
    monkeypatch.setitem(INPUTS, "statistics", Input(lambda nets: calls.append(1) or real(nets), cached=True))
    counting = metanet
    monkeypatch.setattr("benchmark.scoring.feature_cache._path", lambda *_: kept)
    assert (features(made, counting, "train")[1] == first).all()
    assert not calls
    for damage in (b"", b"not numpy", kept.read_bytes()[:-4]):
        kept.write_bytes(damage)
        assert (features(made, counting, "train")[1] == first).all()
    assert len(calls) == 3
    monkeypatch.undo()
    other = zoo.build(small(seed=5), tmp_path / "zoo", overwrite=True)
    assert not (features(zoo.open(other), metanet, "train")[1][: len(first)] == first[: len(index)]).all()
    assert zoo.verify(other, nets=0) == []


def test_features_are_computed_where_the_zoo_cannot_be_written(standard, tmp_path, monkeypatch):
    folder = shutil.copytree(standard, tmp_path / "zoo", ignore=shutil.ignore_patterns("cache"))
    (folder / "cache").write_text("in the way")
    _, found = features(zoo.open(folder), METANETS["statnn"], "train")
    assert found.shape[1] == 203
