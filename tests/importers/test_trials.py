"""The parts of the importer of ModelZoos, each on its own: what a folder of Ray Tune trials says, what it leaves open."""

import json
from pathlib import Path

import numpy as np
import pytest
import synthetic_modelzoos as synthetic
import torch

from zoo.importers.infer_layout import inferred_layout
from zoo.importers.modelzoos import conventions, image_names, parameters, trials, weights
from zoo.importers.modelzoos import results as trial_results


@pytest.fixture
def source(tmp_path):
    return synthetic.zoo(tmp_path / "source", trials=2, epochs=1)


def test_a_trial_is_read_but_for_its_weights(source):
    (source / "not a trial").mkdir()
    (first, second), others = trials.folders(source)
    assert (first.name, second.name, others) == (*map(synthetic.name_of, range(2)), [source / "not a trial"])
    assert trials.find(source.parent) == source
    trial = trials.read(second)
    assert trial.params["model::dropout"] == 0.5
    assert trial.results.keys() == {0, 1}
    assert trial.results[1].keys() == {"test_acc", "test_loss", "train_acc", "train_loss"}
    assert trial.checkpoints[1] == second / "checkpoint_000001" / "checkpoints"
    assert (trial.used(None), trial.used(0)) == (1, 0)
    with pytest.raises(ValueError, match="no checkpoint 7; it has 0, 1"):
        trial.used(7)


def test_nested_parameters_have_the_names_of_what_they_are_in(source):
    folder = source / synthetic.name_of(0)
    (folder / "params.json").write_text(json.dumps({"optim": {"lr": 0.1, "betas": {}}, "seed": 1}))
    assert trials.read(folder).params == {"optim::lr": 0.1, "optim::betas": {}, "seed": 1}


def test_what_fails_is_kept_aside_or_ends_it():
    faults: list[str] = []
    assert trials.each(lambda text: json.loads(text), ["1", "x", "3"], faults) == [1, 3]
    assert len(faults) == 1
    with pytest.raises(ValueError, match="broken=skip leaves such trials out"):
        trials.each(lambda text: json.loads(text), ["1", "x"], None)
    with pytest.raises(ValueError, match="none of the 2 trials can be used"):
        trials.each(lambda text: json.loads(text), ["x"], faults)


def test_results_are_numbers_as_float32_holds_them(tmp_path):
    lines = [{"training_iteration": 1, "test_acc": 0.5, "test_loss": -1e300, "date": "today"}]
    lines += [{"epoch": 2, "test_acc": None, "train_acc": -999, "val_acc": 1}, {"epoch": 1, "test_acc": 0.25}]
    (tmp_path / "result.json").write_text("\n".join(map(json.dumps, lines)))
    results, repeated, told = trial_results.read(tmp_path / "result.json")
    assert (results[1], repeated, set(told.values())) == ({"test_acc": 0.25}, 1, {0})
    assert np.isnan([results[2]["test_acc"], results[2]["train_acc"]]).all()
    assert trial_results.accuracies(results) == [0.25, 1]
    assert trial_results.as_float32(-1e300) == -np.inf
    found = trial_results.measured({"test_acc": 40.0, "train_acc": 70.0, "test_loss": 2.0}, 100.0)
    assert found == pytest.approx(
        {"test_accuracy": 0.4, "train_accuracy_running": 0.7, "test_loss": 2.0, "generalisation_gap_running": 0.3}
    )
    assert list(trial_results.targets([found, {"validation_loss": np.nan}])) == [
        "test_accuracy",
        "test_loss",
        "train_accuracy_running",
        "generalisation_gap_running",
    ]


def trial(checkpoints, iterations, **accuracies):
    results = {iteration: dict(accuracies) for iteration in iterations}
    return trials.Trial(Path(f"zoo/{accuracies}"), {}, results, {number: Path() for number in checkpoints}, 0)


def test_the_offset_is_the_one_that_fits_all_trials():
    plain, shifted, both = trial([1, 2], [1, 2]), trial([0, 2], [1, 3]), trial([0, 1], [1, 2])
    assert [conventions.offsets(one) for one in (plain, shifted, both)] == [{0}, {1}, {0, 1}]
    assert conventions.offset(Path("zoo"), [shifted, both]) == 1
    with pytest.raises(ValueError, match=r"no offset fits all trials: .*checkpoints 1, 2.*checkpoints 0, 2"):
        conventions.offset(Path("zoo"), [plain, shifted])
    with pytest.raises(ValueError, match="set offset to the one that holds"):
        conventions.offset(Path("zoo"), [both])
    with pytest.raises(ValueError, match="do not belong together"):
        conventions.check_paired(trial([5], [1]))


def test_the_unit_of_accuracies_is_that_of_all_trials():
    share, percent, unknown = trial([1], [1], test_acc=0.9), trial([1], [1], val_acc=70.0), trial([1], [1])
    assert conventions.unit(Path("zoo"), [share, unknown]) == 1
    assert conventions.unit(Path("zoo"), [percent, unknown]) == 100
    with pytest.raises(ValueError, match="set accuracy to percent or share"):
        conventions.unit(Path("zoo"), [share, percent])
    with pytest.raises(ValueError, match="an accuracy of 70, expected 0 to 1"):
        conventions.check_accuracies([share, percent], 1.0)


def test_parameters_that_differ_are_columns_unless_they_are_results_or_the_machines():
    params = [
        {"optim::lr": 0.1 * seed, "seed": seed, "loss": seed, "dataset::dump": f"{seed}", "act": "ab"[seed], "wd": 0}
        for seed in range(2)
    ]
    found = parameters.differing(params, taken={"act"})
    assert (found.named.keys(), found.seeds.keys()) == ({"learning_rate", "parameter_3"}, {"seed"})
    assert found.text == ("parameter_3",)
    assert found.values["learning_rate"].tolist() == [0, 0.1]
    assert [note.split(": ")[1] for note in found.notes] == ["loss", "dataset::dump", "wd 0"]


def test_a_last_line_that_breaks_off_is_left_out_and_counted(tmp_path):
    whole = '{"training_iteration": 1, "test_acc": 0.5}\n'
    for end in ('{"training_iteration": 2, "test_lo', "{", '{"training_iteration": 2, "note": "\u00fc'.encode()[:-1]):
        (tmp_path / "result.json").write_bytes(whole.encode() + (end if isinstance(end, bytes) else end.encode()))
        results, _, told = trial_results.read(tmp_path / "result.json")
        assert (results, told[trial_results.BROKEN_OFF]) == ({1: {"test_acc": 0.5}}, 1)
    (tmp_path / "result.json").write_text(whole + whole.strip())  # whole, but for the end of its line
    assert trial_results.read(tmp_path / "result.json")[1:] == (1, {trial_results.BROKEN_OFF: 0, trial_results.PERCENT: 0})
    for text in (whole + '{"training_\n' + whole, '{"training_'):  # in the middle, or all there is
        (tmp_path / "result.json").write_text(text)
        with pytest.raises(ValueError, match=r"result\.json, line \d is damaged"):
            trial_results.read(tmp_path / "result.json")


def test_results_and_parameters_that_are_written_as_texts_are_read_as_entries_of_tables(tmp_path):
    (tmp_path / "result.json").write_text(
        '{"training_iteration": 1, "test_acc": "91.3%", "test_loss": "NA", "val_acc": "0.5"}'
    )
    results, _, told = trial_results.read(tmp_path / "result.json")
    assert results[1] == pytest.approx({"test_acc": 0.913, "test_loss": np.nan, "val_acc": 0.5}, nan_ok=True)
    assert told[trial_results.PERCENT] == 1
    rates = ["0.1", 0.2, "None", None, 1e-40]
    found = parameters.differing([{"lr": rate} for rate in rates], taken=set()).values["learning_rate"]
    np.testing.assert_array_equal(found, [0.1, 0.2, np.nan, np.nan, 1e-40])
    with pytest.raises(ValueError, match=r"lr of params\.json, trial c: 'fast' is neither a number"):
        parameters.differing([{"lr": 0.1}, {"lr": 0.2}, {"lr": "fast"}, {"lr": 0.4}, {"lr": 1}], taken=set(), trials="abcde")


def test_no_parameter_takes_the_column_of_another():
    params = [{"parameter 2": seed, "1st": seed, "2nd": 10 * seed} for seed in range(2)]
    found = parameters.differing(params, taken={"index"})
    assert {name: values.tolist() for name, values in found.values.items()} == {
        "parameter_2": [0, 1],
        "parameter_3": [0, 1],
        "parameter_4": [0, 10],
    }


def test_weights_are_in_the_order_of_the_state_dict_whatever_layers_are_numbered(source):
    first, second = (weights.look(trials.read(folder), None, None) for folder in trials.folders(source)[0])
    weights.check_alike([first, second])
    assert first.shapes.keys() != second.shapes.keys()
    assert weights.steps([first, second], None) == (0, 1)
    layout = inferred_layout(first.shapes)
    state = torch.load(second.path, weights_only=True)
    expected = torch.cat([tensor.flatten() for tensor in state.values()]).numpy()
    np.testing.assert_array_equal(weights.vector(second.path, layout), expected)
    torch.save({**state, "more": torch.ones(1)}, second.path)
    with pytest.raises(ValueError, match="changed while it was read"):
        weights.vector(second.path, layout)


@pytest.mark.parametrize(
    ("texts", "task"),
    [
        (("tune_zoo_tiny-imagenet_resnet18",), "tiny_imagenet"),
        (("zoo_CIFAR100",), "cifar100"),
        (("tune_zoo_f_mnist_uniform",), "fashion_mnist"),
        (("nets", "/netscratch/zoos/MNIST/dataset.pt"), "mnist"),
        (("svhn", "/netscratch/zoos/MNIST/dataset.pt"), "svhn"),
        (("nets", ""), "unknown"),
        (("zoo_of_mnist",), "mnist"),
        (("tune_zoo_kmnist", "/zoos/EMNIST/dataset.pt"), "unknown"),
    ],
)
def test_the_images_are_those_of_the_first_name_that_says_it(texts, task):
    assert image_names.named_in(texts) == task
