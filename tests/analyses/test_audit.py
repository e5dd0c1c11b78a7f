import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import small
from strangers import sign

import zoo
from benchmark.analyses.audit import SHUFFLES, Finding, audit, shuffle
from benchmark.analyses.fingerprints import fingerprints
from benchmark.cli import main
from benchmark.statistics.attainable import measured_again
from metanets import Fitted, Metanet
from metanets.table import METANETS
from zoo import Nets, Zoo

QUICK = {"ridge": 6}


def shard(folder: Path, split: str) -> Path:
    return folder / f"data/{split}-00000-of-00001.h5"


def findings(folder: Path, target: str = "test_accuracy") -> tuple[Finding, ...]:
    return audit(folder, target, shuffles=QUICK).findings


@pytest.fixture
def copy(standard, tmp_path):
    return shutil.copytree(standard, tmp_path / "zoo")


def permuted(row: np.ndarray, made: Zoo) -> np.ndarray:
    """The same net with its channels in another order."""
    rng = np.random.default_rng(0)
    sizes = {space: size for e in made.layout for space, size in zip(e.axes, e.shape, strict=True) if space}
    orders = {space: rng.permutation(size) for space, size in sizes.items()}
    parts = []
    for entry in made.layout:
        tensor = row[entry.slice].reshape(entry.shape)
        for axis, space in enumerate(entry.axes):
            tensor = tensor if space is None else tensor.take(orders[space], axis)
        parts.append(tensor.flatten())
    return np.concatenate(parts)


def plant(folder: Path, column: str, *, source: str, target: str, change=lambda value: value) -> tuple[int, int]:
    """Copies a column's value of the source split's first net to the target's last; returns both nets' indices."""
    with h5py.File(shard(folder, source)) as file:
        value, one = file[column][0], int(file["index"][0])
    with h5py.File(shard(folder, target), "r+") as file:
        file[column][-1] = change(value)
        other = int(file["index"][-1])
    sign(folder)
    return one, other


def test_whole_zoos_have_no_finding(standard, asymmetric):
    for folder in (standard, asymmetric):
        found = audit(folder, shuffles={"ridge": 6, "trees_statistics": 2})
        assert found.findings == ()
        assert (found.nets, found.vectors, len(found.shuffled)) == (64, 64, 4)
        assert found.lines()[-1] == "nothing found"


@pytest.mark.parametrize("family", ["standard", "asymmetric"])
@pytest.mark.parametrize(
    ("column", "source", "target", "level", "check"),
    [
        ("weights", "train", "test", "leak", "equal weights"),
        ("weights", "validation", "test", "leak", "equal weights"),
        ("weights", "train", "train", "warning", "equal weights"),
        ("seed", "train", "validation", "leak", "equal seeds"),
        ("seed", "test", "test", "warning", "equal seeds"),
    ],
)
def test_what_two_nets_have_in_common_is_found_and_named(request, tmp_path, family, column, source, target, level, check):
    folder = shutil.copytree(request.getfixturevalue(family), tmp_path / "zoo")
    one, other = plant(folder, column, source=source, target=target)
    (found,) = findings(folder)
    assert (found.level, found.check) == (level, check)
    assert f"net {one} ({source})" in found.text
    assert f"net {other} ({target})" in found.text


def test_a_copy_with_permuted_channels_is_found_although_no_weight_is_where_it_was(copy):
    made = zoo.open(copy)
    one, other = plant(copy, "weights", source="train", target="test", change=lambda row: permuted(row, made))
    changed = zoo.open(copy)
    images = torch.randn(1, 5, 1, 8, 8)
    logits = [
        made.blueprint.logits(torch.cat([w.flatten() for w in changed.net(i).values()])[None], images) for i in (one, other)
    ]
    torch.testing.assert_close(*logits)
    (found,) = findings(copy)
    assert found == Finding("leak", "permuted weights", f"net {one} (train), net {other} (test)")
    at = {sighting.index: sighting for sighting in fingerprints(changed)}
    assert at[one].exact != at[other].exact
    assert at[one].unordered == at[other].unordered
    assert len({sighting.unordered for sighting in at.values()}) == len(changed) - 1


def test_weights_that_another_net_had_on_its_way_are_found(tmp_path):
    spec = small(nets=48, trajectory=(0, 1), recipe__epochs=(2, 3), net__width=0.0625)
    folder = zoo.build(spec, tmp_path / "zoo", workers=1)
    clean = audit(folder, shuffles=QUICK)
    assert (clean.findings, clean.vectors) == ((), 3 * 48)
    with h5py.File(shard(folder, "train")) as file:
        row, one = file["trajectory"][0, 1], int(file["index"][0])
    with h5py.File(shard(folder, "test"), "r+") as file:
        file["weights"][2], other = row, int(file["index"][2])
    sign(folder)
    (found,) = findings(folder)
    assert found == Finding("leak", "equal weights", f"net {other} (test), net {one} (train after epoch 1)")


@pytest.mark.parametrize(
    ("column", "change", "text"),
    [
        ("test_accuracy", lambda values: values * 100, "outside 0 to 1"),
        ("train_loss", lambda values: -values, "outside 0 to inf"),
        ("test_loss", lambda values: np.where(np.arange(len(values)) == 3, np.nan, values), "test_loss is missing for net"),
        ("test_accuracy", lambda values: np.full_like(values, 0.1), "nothing to predict"),
        ("diverged", lambda values: np.ones_like(values), "did not diverge"),
    ],
)
def test_faulty_labels_are_found_and_nothing_is_fitted_to_them(copy, column, change, text):
    with h5py.File(shard(copy, "test"), "r+") as file:
        file[column][...] = change(file[column][...])
    sign(copy)
    found = audit(copy, shuffles=QUICK)
    assert found.shuffled == ()
    assert [(finding.level, finding.check) for finding in found.findings] == [("fault", "labels")]
    assert text in found.findings[0].text


def cheat(made: Zoo, *, share: float) -> Metanet:
    """A metanet that knows the labels of nets by their index, and predicts them with so much noise."""

    def answers(nets: Nets) -> torch.Tensor:
        true = made.columns["test_accuracy"].to_numpy(np.float32)[nets.index]
        rng = torch.Generator().manual_seed(0)
        return torch.from_numpy(true)[:, None] * share + torch.randn(len(nets), 1, generator=rng) * (1 - share) * true.std()

    def fit(train, validation, *, training, seed, chosen=None) -> Fitted:
        return Fitted(predict=lambda features: features[:, 0].double().numpy(), parameters=0)

    return Metanet(answers, fit)


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_a_metanet_that_knows_labels_from_elsewhere_is_found(standard, monkeypatch, share):
    monkeypatch.setitem(METANETS, "ridge", cheat(zoo.open(standard), share=share))
    found = findings(standard)
    assert {(finding.level, finding.check) for finding in found} == {("leak", "shuffled labels")}
    assert any("ridge" in finding.text and "tau" in finding.text for finding in found)


def test_a_metanet_that_learns_what_it_is_taught_is_not_found_with_any_shuffle(standard, asymmetric):
    for folder in (standard, asymmetric):
        made = zoo.open(folder)
        for seed in range(5):
            assert not any(result.leaks for result in shuffle(made, "test_accuracy", "ridge", 20, seed=seed))


def test_shuffles_depend_on_the_seed_and_never_on_labels_of_test_nets(standard, copy):
    with h5py.File(shard(copy, "test"), "r+") as file:
        file["test_accuracy"][...] = file["test_accuracy"][...][::-1]
    sign(copy)
    plain, changed, other = (audit(f, seed=s, shuffles=QUICK).shuffled for f, s in ((standard, 0), (copy, 0), (standard, 1)))
    assert plain == changed
    assert plain != other


def test_unknown_names_and_too_few_fits_are_refused(standard):
    with pytest.raises(ValueError, match="did you mean test_accuracy"):
        audit(standard, "accuracy")
    with pytest.raises(ValueError, match="unknown metanet"):
        audit(standard, shuffles={"rigde": 4})
    with pytest.raises(ValueError, match="expected 2 or more"):
        audit(standard, shuffles={"ridge": 1})


def test_the_command_prints_the_numbers_and_fails_on_findings(standard, copy, monkeypatch, capsys):
    monkeypatch.delitem(SHUFFLES, "trees_statistics")

    def metazoo(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main.main()
        return stop.value.code, capsys.readouterr().out

    code, out = metazoo("audit", standard)
    assert (code, "mean tau" in out, "nothing found" in out) == (0, True, True)
    one, other = plant(copy, "weights", source="train", target="test")
    code, out = metazoo("audit", copy)
    assert (code, f"leak: equal weights: net {one} (train), net {other} (test)" in out) == (1, True)
    code, out = metazoo("audit", copy, "--json", "--target", "test_loss", "--seed", 3)
    found = json.loads(out)
    assert (code, found["target"], found["findings"][0]["level"]) == (1, "test_loss", "leak")
    assert found["shuffled"][0]["mean"] == shuffle(zoo.open(standard), "test_loss", "ridge", 20, seed=3)[0].mean


def test_how_noisy_accuracies_are_is_told_of_nets_that_no_test_is_on(standard):
    made = zoo.open(standard)
    known = made.columns[made.columns["split"] != "test"]
    again = measured_again(*known[["test_accuracy", "validation_accuracy"]].to_numpy(np.float64).T)
    (line,) = audit(standard, shuffles={}).noise
    assert f"predicts test_accuracy with R² {again:.3f}; " in line
    assert line.endswith("given 200 test images")
