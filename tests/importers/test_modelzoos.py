"""The importer of ModelZoos, on synthetic zoos in exactly their format: see synthetic_modelzoos."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import synthetic_modelzoos as synthetic
import torch
import torch.nn.functional as F
from attacks import Malicious

import zoo
from benchmark.records import records
from benchmark.scoring.readable import unreadable
from benchmark.scoring.score import score
from metanets import Training
from metanets.table import fitting
from zoo.importers.import_zoo import import_zoo
from zoo.importers.modelzoos.importer import modelzoos
from zoo.importers.source_zoo import write
from zoo.untrusted.files import sha256

NAMES = [synthetic.name_of(number) for number in range(64)]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Four trials with two epochs; tests that change it copy it."""
    return synthetic.zoo(tmp_path_factory.mktemp("source") / "tune_zoo_mnist_hyperparameter_10_random_seeds")


@pytest.fixture
def copied(source, tmp_path):
    return shutil.copytree(source, tmp_path / source.name)


def weights_of(folder, number):
    state = torch.load(folder / f"checkpoint_{number:06d}" / "checkpoints", weights_only=True)
    return torch.cat([tensor.flatten() for tensor in state.values() if tensor.is_floating_point()]).numpy()


def notes(found):
    return "\n".join(found.about.provenance.notes)


def lines_of(folder):
    return [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]


def rewrite(folder, lines):
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def bare(folder, *, checkpoints, iterations, **changes):
    """A zoo of one trial with these checkpoints and results."""
    state = synthetic.cnn(0)
    results = [synthetic.result(state, iteration, {}) | changes for iteration in iterations]
    synthetic.trial(folder / NAMES[0], dict.fromkeys(checkpoints, state), results, synthetic.params_of(0))
    return folder


def test_weights_results_and_parameters_are_those_of_the_trials(source, tmp_path):
    write(modelzoos(source), tmp_path / "zoo")
    made = zoo.open(tmp_path / "zoo")
    assert len(made) == 4
    assert [entry.name for entry in made.layout][:3] == [
        "module_list.0.weight",
        "module_list.0.bias",
        "module_list.3.weight",
    ]
    for split in ("train", "validation", "test"):
        nets = made.nets(split)
        for index, vector in zip(nets.index, nets.weights, strict=True):
            folder = source / made.columns["trial"][index]
            np.testing.assert_array_equal(vector.numpy(), weights_of(folder, 2))
            last, row = lines_of(folder)[-1], made.columns.loc[index]
            assert row["test_accuracy"] == np.float32(last["test_acc"])
            assert row["test_loss"] == np.float32(last["test_loss"])
            assert row["train_accuracy_running"] == np.float32(last["train_acc"])
            assert row["generalisation_gap_running"] == np.float32(last["train_acc"] - last["test_acc"])
            params = json.loads((folder / "params.json").read_text())
            assert (row["seed"], row["init"], row["dropout"]) == (
                params["seed"],
                params["model::init_type"],
                params["model::dropout"],
            )
    assert made.columns["lineage"].tolist() == [0, 1, 2, 3]
    assert made.spec.image_task == "mnist"
    assert "train_accuracy" not in made.columns
    assert "2,464 weights a net; the published CNN-s has 2,464" in "\n".join(made.spec.provenance.notes)
    assert made.spec.provenance.licence == "CC BY 4.0"
    assert "licence and citation are those of the Model Zoos of 2022" in notes(modelzoos(source))
    assert "licence and citation are" not in notes(modelzoos(source, licence="mine"))


def test_an_imported_net_computes_what_plain_loops_over_the_source_give(source, tmp_path):
    write(modelzoos(source), tmp_path / "zoo")
    image = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(1))
    for index in (0, 1):  # without and with dropout, whose layers the source numbers otherwise
        folder = source / NAMES[index]
        state = torch.load(folder / "checkpoint_000002" / "checkpoints", weights_only=True)
        tensors = list(zoo.open(tmp_path / "zoo").net(index).values())
        np.testing.assert_allclose(by_torch(tensors, image), by_loops(list(state.values()), image), atol=1e-5)


def by_torch(tensors, image):
    (a, a_bias, b, b_bias, c, c_bias, d, d_bias, e, e_bias), x = tensors, image.unsqueeze(0)
    x = F.max_pool2d(F.conv2d(x, a, a_bias), 2).tanh()
    x = F.max_pool2d(F.conv2d(x, b, b_bias), 2).tanh()
    x = F.conv2d(x, c, c_bias).tanh().flatten(1)
    return F.linear(F.linear(x, d, d_bias).tanh(), e, e_bias)[0].numpy()


def by_loops(tensors, image):
    """CNN-s of the source's def_net.py, as its layers are defined: kernels [out, in, height, width], matrices [out, in]."""
    tensors, x = [tensor.numpy().astype(np.float64) for tensor in tensors], image.numpy().astype(np.float64)
    for layer in range(3):
        kernel, bias = tensors[2 * layer : 2 * layer + 2]
        side, size = kernel.shape[-1], x.shape[-1] - kernel.shape[-1] + 1
        out = np.empty((len(kernel), size, size))
        for channel in range(len(kernel)):
            for row in range(size):
                for column in range(size):
                    out[channel, row, column] = (x[:, row : row + side, column : column + side] * kernel[channel]).sum()
            out[channel] += bias[channel]
        if layer < 2:
            out = out.reshape(len(kernel), size // 2, 2, size // 2, 2).max(axis=(2, 4))
        x = np.tanh(out)
    hidden = np.tanh([(row * x.ravel()).sum() + at for row, at in zip(*tensors[6:8], strict=True)])
    return np.array([(row * hidden).sum() + at for row, at in zip(*tensors[8:10], strict=True)])


def test_hyper_parameters_are_those_that_differ_and_neither_places_nor_results(source):
    found = modelzoos(source)
    assert found.about.hyper_parameters.keys() == {"dropout", "init", "learning_rate"}
    assert found.about.text == ("trial", "init")
    assert "seed" in found.about.columns
    assert "the same in all trials: model::channels_in 1, model::nlin tanh, model::o_dim 10, model::type CNN" in notes(found)
    assert "where and how the source ran: cuda, dataset::dump" in notes(found)


def test_zoos_of_weightclip_have_epochs_percent_and_results_among_their_parameters(tmp_path):
    for seed in range(3):
        state = synthetic.cnn(seed, synthetic.CNN_L)
        share = 10.0 * seed + 5
        lines = [{"epoch": e, "train_acc": share, "val_acc": share, "test_loss": 1.0, "test_acc": share} for e in range(25)]
        lines[3]["test_acc"] = float("nan")  # not evaluated in each epoch
        params = {
            "seed": seed,
            "lr": 10.0**-seed,
            "model::type": "CNN3",
            "final_test_acc": share,
            "late_window_gap": 0.1 * seed,
        }
        synthetic.trial(tmp_path / f"NN_tune_trainable_seed={seed}", {20: state, 24: state}, lines, params)
    (tmp_path / "lr_sweep").mkdir()
    found = modelzoos(tmp_path)
    assert found.columns["test_accuracy"].tolist() == [0.05, 0.15, 0.25]
    assert found.columns["validation_accuracy"].tolist() == [0.05, 0.15, 0.25]
    assert found.about.hyper_parameters.keys() == {"learning_rate"}
    assert found.columns["checkpoint"].tolist() == [24] * 3
    for said in ("in percent", "results: final_test_acc, late_window_gap", "10,853 weights", "1 folders beside the trials"):
        assert said in notes(found)


def test_buffers_of_batch_norm_are_statistics_and_no_inputs(tmp_path):
    states = [synthetic.resnet18(seed) for seed in range(4)]
    states[2]["bn1.running_var"][1] = float("inf")
    for seed, state in enumerate(states):
        params = {"model::type": "Resnet18", "seed": seed}
        synthetic.trial(tmp_path / "source" / f"trial-{seed}", {1: state}, [synthetic.result(state, 1, params)], params)
    found = modelzoos(tmp_path / "source")
    roles = {entry.name: entry.role for entry in found.layout}
    assert [entry.name for entry in found.layout] == [name for name in states[0] if not name.endswith("num_batches_tracked")]
    assert roles["layer2.0.downsample.1.running_var"] == roles["bn1.running_mean"] == "statistic"
    assert (roles["bn1.weight"], roles["bn1.bias"], roles["fc.weight"], roles["fc.bias"]) == (
        "scale",
        "shift",
        "linear",
        "bias",
    )
    assert roles["layer4.1.conv2.weight"] == "conv"
    assert "20 counters num_batches_tracked a net are left out" in notes(found)
    write(found, tmp_path / "zoo")
    made = zoo.open(tmp_path / "zoo")
    measured = sum(entry.size for entry in made.layout if entry.role == "statistic")
    assert int((~made.blueprint.trained).sum()) == measured == sum(s.numel() for n, s in states[0].items() if "running" in n)
    assert made.blueprint.fixed[~made.blueprint.trained].isnan().all()
    assert made.columns["diverged"].tolist() == [False, False, True, False]
    for index, state in enumerate(states):
        assert all(torch.equal(tensor, state[name]) for name, tensor in made.net(index).items())
    assert zoo.verify(tmp_path / "zoo") == []


def test_norms_without_running_statistics_are_norms_too(tmp_path):
    norm = torch.nn.LayerNorm(3).state_dict()
    state = {"linear.weight": torch.ones(3, 2), "alpha": torch.tensor(1.0), **{f"norm.{name}": norm[name] for name in norm}}
    synthetic.trial(tmp_path / "trial", {1: state}, [synthetic.result(state, 1, {})], {})
    roles = {entry.name: entry.role for entry in modelzoos(tmp_path).layout}
    assert roles == {"linear.weight": "linear", "alpha": "bias", "norm.weight": "scale", "norm.bias": "shift"}


def test_a_trajectory_has_each_checkpoint_and_nan_where_there_is_none(copied, tmp_path):
    shutil.rmtree(copied / NAMES[2] / "checkpoint_000001")
    found = modelzoos(copied, trajectory="all")
    assert found.about.trajectory == (0, 1, 2)
    values = found.trajectory(np.array([2, 3]))
    np.testing.assert_array_equal(values[:, 2], found.weights(np.array([2, 3])))
    np.testing.assert_array_equal(values[1, 0], weights_of(copied / NAMES[3], 0))
    assert np.isnan(values[0, 1]).all()
    assert not np.isnan(values[1]).any()
    lines = lines_of(copied / NAMES[3])
    np.testing.assert_allclose(found.curves["test_accuracy"][3], [line["test_acc"] for line in lines])
    assert np.isnan(found.curves["train_accuracy_running"][:, 0]).all()  # -999 in the source
    write(found, tmp_path / "zoo")
    made = zoo.open(tmp_path / "zoo")
    assert zoo.verify(tmp_path / "zoo") == []
    assert sum(len(made.curves(split).get("test_loss", ())) for split in ("train", "validation", "test")) == 4


def test_another_epoch_has_its_own_weights_and_results(source):
    found = modelzoos(source, epoch="1", trajectory="0,2")
    assert found.about.trajectory == (0, 2)
    np.testing.assert_array_equal(found.weights(np.array([3]))[0], weights_of(source / NAMES[3], 1))
    assert found.columns["test_accuracy"][3] == lines_of(source / NAMES[3])[1]["test_acc"]
    for option, said in (
        ({"epoch": "7"}, "no checkpoint 7; it has 0 to 2"),
        ({"trajectory": "0,9"}, "no trial has checkpoint 9"),
    ):
        with pytest.raises(ValueError, match=said):
            modelzoos(source, **option)


@pytest.mark.parametrize(
    ("checkpoints", "iterations", "offset"),
    [
        (range(6), range(6), 0),  # the authors' own
        (range(6), range(1, 6), 0),  # 0 is from before training, which has no results
        (range(1, 6), range(1, 6), 0),
        ([5], range(1, 6), 0),
        (range(2, 4), range(6), 0),  # results from before training: a checkpoint of them was there
        (range(5), range(1, 6), None),  # stopped before the last checkpoint, or numbered from 0
        (range(2, 4), range(1, 6), None),
    ],
)
def test_results_belong_to_a_checkpoint_where_numbers_leave_no_doubt(tmp_path, checkpoints, iterations, offset):
    folder = bare(tmp_path / "zoo", checkpoints=checkpoints, iterations=iterations)
    rewrite(folder / NAMES[0], [line | {"test_loss": line["training_iteration"]} for line in lines_of(folder / NAMES[0])])
    last = max(checkpoints)
    if offset is None:
        with pytest.raises(ValueError, match=r"may have the results of iteration n \(offset=0.*n \+ 1 \(offset=1"):
            modelzoos(folder)
        for given in (0, 1):
            found = modelzoos(folder, offset=str(given), trajectory="all")
            assert found.columns["test_loss"].tolist() == [last + given]
            assert found.about.trajectory == tuple(number + given for number in checkpoints)
            np.testing.assert_array_equal(found.curves["test_loss"][0][-2:], [last - 1 + given, last + given])
    else:
        assert modelzoos(folder).columns["test_loss"].tolist() == [last + offset]


def test_one_trial_that_leaves_no_doubt_decides_for_all(tmp_path):
    state = synthetic.cnn(0)
    for number, checkpoints in enumerate((range(3), range(4))):  # the first was stopped before its last checkpoint
        lines = [synthetic.result(state, iteration, {}) for iteration in range(1, 4)]
        synthetic.trial(tmp_path / NAMES[number], dict.fromkeys(checkpoints, state), lines, synthetic.params_of(number))
    found = modelzoos(tmp_path)
    assert found.columns["checkpoint"].tolist() == [2, 3]
    assert "1 nets have weights of an earlier checkpoint than 3" in notes(found)


def test_checkpoints_without_results_are_refused_and_with_an_offset_counted(tmp_path):
    folder = bare(tmp_path / "zoo", checkpoints=[3, 9], iterations=range(1, 4))
    with pytest.raises(ValueError, match="checkpoints 3, 9, results of training_iteration 1 to 3, which do not belong"):
        modelzoos(folder)
    assert "1 nets have no results of their checkpoint" in notes(modelzoos(folder, offset="0"))


def test_accuracies_in_percent_are_told_from_shares_or_refused(copied):
    for name in NAMES[:4]:
        rewrite(copied / name, [line | {"test_acc": 100 * line["test_acc"]} for line in lines_of(copied / name)])
    found = modelzoos(copied)
    assert 0 < found.columns["test_accuracy"].min() < found.columns["test_accuracy"].max() < 1
    with pytest.raises(ValueError, match="expected 0 to 1"):
        modelzoos(copied, accuracy="share")
    lines = lines_of(copied / NAMES[0])
    rewrite(copied / NAMES[0], [line | {"test_acc": 0.5, "train_acc": 0.5} for line in lines])
    with pytest.raises(ValueError, match="set accuracy to percent or share"):
        modelzoos(copied)
    assert modelzoos(copied, accuracy="percent").columns["test_accuracy"][0] == 0.005
    rewrite(copied / NAMES[0], [line | {"test_acc": 101.0} for line in lines])
    with pytest.raises(ValueError, match=r"accuracy of 101, expected 0 to 100"):
        modelzoos(copied)


def damage(folder, how):
    last = folder / "checkpoint_000002" / "checkpoints"
    if how == "no params.json":
        (folder / "params.json").unlink()
    elif how == "no result.json":
        (folder / "result.json").unlink()
    elif how == "no checkpoint":
        for place in folder.glob("checkpoint_*"):
            shutil.rmtree(place)
    elif how == "half a line":
        (folder / "result.json").write_text((folder / "result.json").read_text()[:-20])
    elif how == "no results":
        (folder / "result.json").write_text("")
    elif how == "a word for a number":
        rewrite(folder, [line | {"test_acc": "high"} for line in lines_of(folder)])
    elif how == "no iteration":
        rewrite(folder, [line | {"training_iteration": 1.5} for line in lines_of(folder)])
    elif how == "half a file":
        last.write_bytes(last.read_bytes()[:900])
    elif how == "a list":
        torch.save([torch.zeros(3)], last)
    elif how == "words in the state dict":
        torch.save({"module_list.0.weight": "zeros"}, last)
    elif how == "whole numbers":
        torch.save({"module_list.0.weight": torch.zeros(3, dtype=torch.int64)}, last)
    elif how == "an empty tensor":
        torch.save({"module_list.0.weight": torch.zeros(0, 3)}, last)
    elif how == "the same checkpoint twice":
        shutil.copytree(folder / "checkpoint_000002", folder / "checkpoint_2")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no params.json", r"params\.json"),
        ("no result.json", r"result\.json"),
        ("no checkpoint", "no weights"),
        ("no results", "has no results"),
        ("a word for a number", "line 1: test_acc is 'high'"),
        ("no iteration", r"is 1\.5, expected a whole number"),
        ("half a file", r"checkpoint_000002/checkpoints"),
        ("a list", "expected a state dict, found list"),
        ("words in the state dict", r"module_list\.0\.weight is str"),
        ("whole numbers", r"torch\.int64 \(3,\)"),
        ("an empty tensor", r"torch\.float32 \(0, 3\)"),
        ("the same checkpoint twice", "has checkpoint 2 twice"),
    ],
)
def test_a_broken_trial_is_an_error_or_left_out_and_counted(copied, how, said):
    damage(copied / NAMES[1], how)
    with pytest.raises(ValueError, match=rf"{said}.*broken=skip"):
        modelzoos(copied)
    found = modelzoos(copied, broken="skip")
    assert found.columns["trial"].tolist() == [NAMES[0], NAMES[2], NAMES[3]]
    assert "1 trials cannot be used and are left out; the first: " in notes(found)


def test_a_trial_that_was_killed_while_it_wrote_a_result_has_the_last_whole_one(copied):
    damage(copied / NAMES[1], "half a line")
    found = modelzoos(copied)
    assert found.columns["checkpoint"].tolist() == [2, 1, 2, 2]
    assert "1 files of results break off within a last line" in notes(found)


def test_where_all_trials_are_broken_nothing_is_imported(copied):
    for name in NAMES[:4]:
        damage(copied / name, "half a file")
    with pytest.raises(ValueError, match="none of the 4 trials can be used"):
        modelzoos(copied, broken="skip")


@pytest.mark.parametrize("broken", ["error", "skip"])
@pytest.mark.parametrize("number", [2, 1])  # the net's own, or another one of its trajectory
def test_a_net_of_another_shape_is_named_and_never_left_out(copied, number, broken):
    path = copied / NAMES[2] / f"checkpoint_00000{number}" / "checkpoints"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"module_list.6.weight": torch.zeros(5, 6, 2, 2)}, path)
    said = r"00002_2.*module_list\.6\.weight: \(5, 6, 2, 2\), but \(4, 6, 2, 2\)"
    with pytest.raises(ValueError, match=said):
        modelzoos(copied, broken=broken, trajectory="all")
    torch.save({name.replace("module_list", "layers"): tensor for name, tensor in state.items()}, path)
    with pytest.raises(ValueError, match=r"module_list\.0\.weight: no such tensor, but \(8, 1, 5, 5\)"):
        modelzoos(copied, broken=broken, trajectory="all")
    torch.save(dict(reversed(state.items())), path)
    with pytest.raises(ValueError, match="stand in another order"):
        modelzoos(copied, broken=broken, trajectory="all")


def test_a_checkpoint_that_would_run_code_is_refused_and_nothing_runs(copied, tmp_path):
    path = copied / NAMES[1] / "checkpoint_000002" / "checkpoints"
    torch.save({"module_list.0.weight": Malicious(tmp_path / "ran")}, path)
    with pytest.raises(ValueError, match=r"00001_1_.*checkpoint_000002/checkpoints: "):
        modelzoos(copied)
    assert len(modelzoos(copied, broken="skip").columns) == 3
    torch.save(Malicious(tmp_path / "ran"), copied / NAMES[1] / "checkpoint_000002" / "optimizer")
    torch.save(Malicious(tmp_path / "ran"), copied / "dataset.pt")
    assert len(modelzoos(copied, epoch="1").columns) == 4  # neither is read
    assert not (tmp_path / "ran").exists()


def test_pickled_data_sets_of_the_authors_are_refused_with_what_to_take_instead(tmp_path):
    torch.save({"trainset": Malicious(tmp_path / "ran")}, tmp_path / "dataset_cifar_small_hyp_rand.pt")
    for path in (tmp_path, tmp_path / "dataset_cifar_small_hyp_rand.pt"):
        with pytest.raises(ValueError, match="give the folder of raw trials"):
            modelzoos(path)
    assert not (tmp_path / "ran").exists()


def test_the_folder_of_trials_is_found_below_the_one_given(source, tmp_path):
    place = tmp_path / "unpacked" / "cifar10" / "cnn3"
    place.mkdir(parents=True)
    shutil.copytree(source, place / "tune_zoo_svhn")
    assert modelzoos(tmp_path).about.image_task == "svhn"
    assert modelzoos(tmp_path).about.name == "tune_zoo_svhn"
    with pytest.raises(ValueError, match="is one trial; give the folder"):
        modelzoos(place / "tune_zoo_svhn" / NAMES[0])
    shutil.copytree(source, place / "tune_zoo_usps")
    with pytest.raises(ValueError, match="holds 2 zoos"):
        modelzoos(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        modelzoos(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no folder in it is a trial"):
        modelzoos(tmp_path / "empty")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"epoch": "first"}, "epoch is a whole number"),
        ({"trajectory": "0-5"}, "trajectory is none, all, or numbers"),
        ({"offset": "2"}, "unknown offset '2'"),
        ({"accuracy": "percentage"}, "did you mean percent"),
        ({"broken": "ignore"}, "known: error, skip"),
    ],
)
def test_options_that_are_none_are_refused(source, option, said):
    with pytest.raises(ValueError, match=said):
        modelzoos(source, **option)


def test_the_last_of_the_results_of_an_iteration_counts(copied):
    lines = lines_of(copied / NAMES[0])
    rewrite(copied / NAMES[0], [*lines[:2], lines[2] | {"test_acc": 0.125}, lines[1], lines[2] | {"test_acc": 0.75}])
    found = modelzoos(copied)
    assert found.columns["test_accuracy"][0] == 0.75
    assert "2 results were written again" in notes(found)


def test_nets_whose_loss_or_weights_are_not_finite_are_kept_and_flagged(copied, tmp_path):
    lines = lines_of(copied / NAMES[0])
    rewrite(copied / NAMES[0], [*lines[:2], lines[2] | {"test_loss": None}])
    rewrite(copied / NAMES[3], [line | {"test_loss": 1e300} for line in lines_of(copied / NAMES[3])])
    path = copied / NAMES[1] / "checkpoint_000002" / "checkpoints"
    state = torch.load(path, weights_only=True)
    state["module_list.0.bias"][3] = float("nan")
    torch.save(state, path)
    write(modelzoos(copied), tmp_path / "zoo")
    made = zoo.open(tmp_path / "zoo")
    assert made.columns["diverged"].tolist() == [True, True, False, True]


def test_only_the_files_of_the_rows_asked_for_are_read(source, monkeypatch):
    found, read = modelzoos(source, trajectory="0"), []
    from zoo.untrusted import readers

    tensors = readers.tensors
    monkeypatch.setattr(readers, "tensors", lambda path: read.append(path) or tensors(path))
    found.weights(np.array([2]))
    found.trajectory(np.array([1]))
    assert read == [
        source / NAMES[2] / "checkpoint_000002" / "checkpoints",
        source / NAMES[1] / "checkpoint_000000" / "checkpoints",
    ]


def test_every_file_that_was_read_has_its_digest(source, copied):
    found = modelzoos(source).about.provenance.files
    assert len(found) == 4 * 3
    assert found[f"{NAMES[0]}/params.json"] == sha256(source / NAMES[0] / "params.json")
    assert not any("optimizer" in name or "checkpoint_000001" in name for name in found)


def test_a_parameter_cannot_take_the_name_of_another_column(tmp_path):
    for seed in range(2):
        state = synthetic.cnn(seed)
        params = {"test_accuracy": "a", "lr": 0.1 * seed, "optim::lr": seed, "9": seed, "nested": {"width": [seed, "x"]}}
        params["training::init_checkpoint_path"] = f"/netscratch/{seed}"
        params = {**params, "split": seed, "trajectory::x": seed, "on": bool(seed), "dim": None if seed else 3}
        synthetic.trial(tmp_path / f"t{seed}", {1: state}, [synthetic.result(state, 1, {})], params)
    found = modelzoos(tmp_path)
    about = found.about.hyper_parameters
    assert {"learning_rate", "optim_lr", "nested_width", "on", "dim"} < about.keys()
    assert len(about) == 8
    assert "where and how the source ran: training::init_checkpoint_path" in notes(found)
    assert not about.keys() & {"split", "test_accuracy", "trajectory_x"}
    assert found.columns["nested_width"].tolist() == ['[0, "x"]', '[1, "x"]']
    assert found.columns["dim"].isna().tolist() == [False, True]
    write(found, tmp_path / "zoo")
    assert zoo.open(tmp_path / "zoo").spec == found.about


def test_an_imported_zoo_is_scored_from_end_to_end(tmp_path):
    write(modelzoos(synthetic.zoo(tmp_path / "source", trials=48, epochs=1)), tmp_path / "zoo")
    quick = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    paths = score([tmp_path / "zoo"], ["all"], "test_accuracy", out=tmp_path / "out", seeds=1, training=quick)
    left = unreadable(zoo.open(tmp_path / "zoo"), fitting(pairs=False), "trained")
    assert {"probe", "mp_gmn"} <= left.keys()  # these nets cannot be run, nor is it known what their layers read
    assert len(paths) == len(fitting(pairs=False)) - len(left)
    (path,) = (path for path in paths if "trees_statistics" in path.parts)
    assert records.read(path).test["r2"] > 0.5  # the accuracies are a function of the weights


def test_the_folder_that_one_is_in_is_imported_by_its_name(source, tmp_path, monkeypatch):
    monkeypatch.chdir(source)
    for path in (Path(), source / NAMES[0] / ".."):
        made = zoo.open(import_zoo("modelzoos", path, tmp_path / f"made{len(path.parts)}"))
        assert made.spec.name == source.name
        assert made.spec.provenance.title.startswith(source.name)


def test_a_zip_of_trials_is_imported_from_end_to_end(tmp_path):
    source = tmp_path / "tune_zoo_f_mnist_uniform"
    for number in range(3):
        params, state = {"seed": number + 1, "model::type": "CNN"}, synthetic.cnn(number)
        lines = [synthetic.result(state, iteration, params) for iteration in (0, 50)]
        name = f"NN_tune_trainable_ff43b_{number:05}_{number}_seed={number + 1}_2021-07-12_12-44-44"
        synthetic.trial(source / name, {50: state}, lines, params)
    archive = Path(shutil.make_archive(str(tmp_path / "zoo"), "zip", tmp_path, source.name))
    made = zoo.open(import_zoo("modelzoos", archive, tmp_path / "made", options={"licence": "mine"}))
    assert (made.spec.name, made.spec.image_task) == ("tune_zoo_f_mnist_uniform", "fashion_mnist")
    assert made.spec.provenance.licence == "mine"
    assert made.columns["seed"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="did you mean trajectory"):
        import_zoo("modelzoos", source, tmp_path / "other", options={"trajectories": "all"})
