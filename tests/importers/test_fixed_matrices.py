"""Sigma-asymmetric nets that have fixed matrices in their own files: the paper's own zoo, and exports of single nets."""

import csv
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import small
from plain_resnet8 import PlainResNet8

import zoo
from benchmark.scoring.score import score
from metanets import Training
from zoo.dataset.export import export, in_official_names
from zoo.importers.asymmetric_networks.importer import asymmetric_networks
from zoo.importers.fixed_matrices import gated_layout, in_our_names, recognised
from zoo.importers.infer_layout import shapes_of
from zoo.importers.source_zoo import write
from zoo.importers.state_dicts.importer import state_dicts
from zoo.nets import resnet
from zoo.nets.asymmetric import draw_gates
from zoo.symmetry import group_of

WIDTH, NETS = 0.125, 40


@pytest.fixture(scope="module")
def sigma(tmp_path_factory) -> Path:
    return zoo.build(small("sigma_asymmetric", nets=6), tmp_path_factory.mktemp("zoos") / "sigma", workers=1)


def inputs() -> torch.Tensor:
    return torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def matrices(seed: int) -> dict[str, torch.Tensor]:
    return draw_gates(resnet.gates(width=WIDTH), seed=seed)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> Path:
    """Nets of random weights as the paper's code saves them: each with matrices of its own, since it seeds them by a
    salted hash.
    """
    folder = tmp_path_factory.mktemp("theirs") / "sigma_asym_resnet8"
    folder.mkdir()
    for index in range(NETS):
        torch.manual_seed(index)
        state = dict(PlainResNet8(width=WIDTH, channels=1).state_dict())
        state |= in_official_names({f"{place}.F_mat": matrix for place, matrix in matrices(index).items()})
        torch.save((state, 40.0 + index), folder / f"{index}.pt")
    return folder


@pytest.fixture(scope="module")
def made(theirs, tmp_path_factory) -> zoo.Zoo:
    folder = tmp_path_factory.mktemp("zoos") / "own matrices"
    folder.mkdir()
    write(asymmetric_networks(theirs, images="digits"), folder)
    assert zoo.verify(folder) == []
    return zoo.open(folder)


def logits(made: zoo.Zoo, index: int) -> torch.Tensor:
    vector = torch.cat([tensor.flatten() for tensor in made.net(index).values()])
    return made.blueprint.logits(vector[None], inputs()[None])[0]


def by_hand(state: dict[str, torch.Tensor]) -> torch.Tensor:
    """The logits of a plain PyTorch net with these tensors, matrices in the official code's names and shapes."""
    ends = {name: tensor for name, tensor in state.items() if name.endswith(".F_mat")}
    gates = {name.removesuffix(".F_mat"): tensor[:, :, 0, 0] for name, tensor in ends.items()}
    plain = PlainResNet8(width=WIDTH, channels=1, gates={**gates, "nonlin1": gates["nonlin"]})
    plain.load_state_dict({name: tensor for name, tensor in state.items() if name not in ends})
    return plain(inputs())


def test_each_net_of_the_papers_zoo_keeps_its_own_matrices_and_its_logits(made, theirs):
    assert (made.spec.family, made.spec.architecture) == ("sigma_asymmetric", "resnet8")
    assert made.blueprint.gate is None
    assert "each net has its own matrices F" in " ".join(made.spec.provenance.notes)
    for index in (0, 1, 17):
        state, percent = torch.load(theirs / f"{index}.pt", weights_only=True)
        torch.testing.assert_close(logits(made, index), by_hand(state))
        assert made.columns["test_accuracy"][index] == pytest.approx(percent / 100)


def test_many_nets_with_their_own_matrices_run_at_once_as_one_by_one(made):
    nets = made.nets("train", inputs="all").weights[:3]
    pictures = inputs().expand(3, *inputs().shape)
    one_by_one = [made.blueprint.logits(net[None], inputs()[None])[0] for net in nets]
    torch.testing.assert_close(made.blueprint.logits(nets, pictures), torch.stack(one_by_one))


def test_matrices_are_not_trained_and_leave_no_symmetry(made):
    gates = [entry for entry in made.layout if entry.role == "gate"]
    assert {entry.name.removesuffix(".F_mat") for entry in gates} == resnet.gates(width=WIDTH).keys()
    plain = resnet.layout(width=WIDTH, channels=1, classes=10)
    assert int(made.blueprint.trained.sum()) == sum(entry.size for entry in plain)
    assert not any(made.blueprint.trained[entry.slice].any() for entry in gates)
    with pytest.raises(ValueError, match="symmetries of these nets are not known"):
        group_of(made.blueprint)


def test_a_metanet_sees_matrices_only_where_all_entries_are_asked_for(made, tmp_path):
    """Scoring takes either: the statistics of a matrix that nobody sees are those of no entries."""
    trained, whole = (made.nets("test", inputs=inputs) for inputs in ("trained", "all"))
    assert trained.weights.shape[1] == int(made.blueprint.trained.sum())
    assert torch.equal(whole.weights[:, made.blueprint.trained], trained.weights)
    own = whole.tensors()["layer3.0.nonlin2.F_mat"]
    assert torch.equal(own[0], matrices(int(whole.index[0]))["layer3.0.nonlin2"])
    with pytest.raises(ValueError, match="inputs='all'"):
        trained.whole()
    quick = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    for inputs in ("trained", "all"):
        paths = score(
            [made.folder], ["statnn", "mlp"], "test_accuracy", out=tmp_path / inputs, seeds=1, training=quick, inputs=inputs
        )
        assert len(paths) == 2


def old_export(path: Path) -> None:
    """Writes an export as metazoo 0.1 did: our names, our shapes."""
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in in_our_names(tensors).items()}, path)


@pytest.mark.parametrize("release", ["now", "0.1"])
@pytest.mark.parametrize("kind", ["safetensors", "state_dict"])
def test_exported_nets_load_in_the_official_class_and_come_back_with_their_logits(sigma, tmp_path, kind, release):
    original = zoo.open(sigma)
    folder, ending = tmp_path / "nets", "safetensors" if kind == "safetensors" else "pt"
    folder.mkdir()
    rows = [["file", "test_accuracy"]]
    for index in range(len(original)):
        path = export(original, index, folder / f"{index}.{ending}", kind=kind)
        tensors = safetensors.torch.load_file(path) if kind == "safetensors" else torch.load(path, weights_only=True)
        assert {name: tensor.shape for name, tensor in tensors.items() if "F_mat" in name} == official_shapes()
        torch.testing.assert_close(by_hand(tensors), logits(original, index))
        if release == "0.1" and kind == "safetensors":
            old_export(path)
        rows.append([path.name, str(original.columns["test_accuracy"][index])])
    with (folder / "nets.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "zoo").mkdir()
    write(state_dicts(folder), tmp_path / "zoo")
    again = zoo.open(tmp_path / "zoo")
    assert again.spec.architecture == "resnet8"
    assert int(again.blueprint.trained.sum()) == int(original.blueprint.trained.sum())
    for index in range(len(original)):
        torch.testing.assert_close(logits(again, index), logits(original, index))
        assert np.isclose(again.columns["test_accuracy"][index], original.columns["test_accuracy"][index])


def official_shapes() -> dict[str, torch.Size]:
    """`nonlin` of the net itself and `nonlin1`, `nonlin2` of each block, as kernels of 1x1 convolutions."""
    gates = resnet.gates(width=WIDTH)
    return {
        f"{'nonlin' if place == 'nonlin1' else place}.F_mat": torch.Size((size, size, 1, 1)) for place, size in gates.items()
    }


def test_an_exported_net_with_its_own_matrices_is_in_the_official_form_too(made, theirs, tmp_path):
    state, _ = torch.load(theirs / "3.pt", weights_only=True)
    tensors = safetensors.torch.load_file(export(made, 3, tmp_path / "net", kind="safetensors"))
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())


def test_both_forms_are_one_and_other_nets_stay_as_they_are():
    state = dict(PlainResNet8(width=WIDTH, channels=1).state_dict())
    ours = state | {f"{place}.F_mat": matrix for place, matrix in matrices(0).items()}
    official = in_official_names(ours)
    for tensors in (ours, official):
        assert gated_layout(shapes_of(recognised(tensors))) is not None
        assert all(torch.equal(recognised(tensors)[name], tensor) for name, tensor in ours.items())
    other = {"nonlin.F_mat": torch.ones(3, 3, 1, 1), "one.weight": torch.ones(3, 2)}
    assert recognised(other) is other
    with pytest.raises(ValueError, match="one place"):
        in_our_names(ours | official)
