"""Probes and invariant weight features: what moves them and what does not, and the same by loops over nets."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy, norm

import zoo
from benchmark.scoring.feature_cache import CACHE, features
from metanets import METANETS, Examples, Training
from metanets.forests import fit_extra_trees
from metanets.inputs.channels import channels
from metanets.inputs.invariant import invariant
from metanets.inputs.matrices import Matrix, log_rank
from metanets.inputs.probes import PROBES, answers, noise, probes
from metanets.inputs.table import INPUTS
from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, total, views
from zoo.seeds import stream
from zoo.symmetry import act, draw
from zoo.symmetry.canonical import canonical
from zoo.symmetry.group import acting, masked

LAYOUTS = {
    "resnet8": resnet.layout(width=0.25, channels=1, classes=10),
    "mlp": mlp.layout(width=0.5, channels=1, pixels=64, classes=10),
    "mlp with norms": mlp.layout(width=0.5, channels=1, pixels=64, classes=10, norm=True),
}


def nets_of(layout: Layout, *, count: int = 4, seed: int = 0) -> zoo.Nets:
    """Random nets in float64, all of whose vectors differ from where training starts."""
    weights = torch.randn(count, total(layout), dtype=torch.float64, generator=stream("test_probes", seed)) / 4
    for entry in layout:
        if entry.role == "scale":
            weights[:, entry.slice] += 1
    every = torch.ones(total(layout), dtype=torch.bool)
    group = masked(acting(layout), every)
    columns = pd.DataFrame(index=range(count))
    return zoo.Nets(np.arange(count), weights, columns, layout, every, torch.zeros(total(layout)), group, (1, 8, 8))


def moved(nets: zoo.Nets, *kinds: str) -> zoo.Nets:
    element = draw(nets.group, len(nets), stream("test_probes", "moved"), kinds=kinds)
    return replace(nets, weights=act(nets.weights, nets.layout, element))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_no_symmetry_moves_what_is_invariant(layout):
    nets = nets_of(layout)
    found = invariant(nets)
    assert (found.std(dim=0) > 0).float().mean() > 0.9
    for kinds in (("permutation",), ("scale",), ("size",), ("permutation", "scale", "size")):
        torch.testing.assert_close(invariant(moved(nets, *kinds)), found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_no_symmetry_moves_what_nets_answer_to_probes(layout):
    nets = nets_of(layout)
    found = probes(nets)
    assert (found.std(dim=0) > 0).float().mean() > 0.8  # the votes of classes that win nowhere are 0
    torch.testing.assert_close(probes(moved(nets, "permutation", "scale")), found, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(probes(moved(nets, "size")), found, rtol=0.02, atol=1e-3)  # the norms' epsilon


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_orders_do_not_move_channels_and_scales_do(layout):
    nets = nets_of(layout)
    found = channels(nets)
    torch.testing.assert_close(channels(moved(nets, "permutation")), found, rtol=1e-6, atol=1e-6)
    other = channels(moved(nets, *(["size"] if layout is LAYOUTS["mlp with norms"] else ["scale"])))
    assert (other - found).abs().max() > 0.1


def test_a_resnet8_has_287_invariant_features_and_118_answers():
    nets = nets_of(LAYOUTS["resnet8"])
    assert (invariant(nets).shape[1], probes(nets).shape[1], channels(nets).shape[1]) == (287, 118, 515)


def test_what_is_not_known_to_be_free_is_read_as_it_is():
    nets = replace(nets_of(LAYOUTS["mlp"]), group=None)
    scaled = moved(nets_of(LAYOUTS["mlp"]), "scale")
    assert (invariant(replace(scaled, group=None)) - invariant(nets)).abs().max() > 0.1


def test_a_row_does_not_depend_on_the_nets_beside_it():
    nets = nets_of(LAYOUTS["resnet8"], count=70)
    alone = nets.only(np.arange(70) == 66)
    for read in (invariant, channels, probes):
        torch.testing.assert_close(read(alone), read(nets)[66:67], rtol=1e-6, atol=1e-7)


def test_the_invariant_features_of_the_first_convolution_are_those_of_a_loop_over_nets():
    """Spectrum by numpy's SVD, norms and moments by their definitions, all on the canonical form."""
    nets = nets_of(LAYOUTS["resnet8"])
    found = invariant(nets).numpy()
    tensors = views(canonical(nets.weights, nets.layout, nets.group).numpy(), nets.layout)
    for row, weight in enumerate(tensors["conv1.weight"]):
        weight, g, b = weight / np.sqrt((weight**2).sum()), tensors["ln1.weight"][row], tensors["ln1.bias"][row]
        share = np.linalg.svd(weight.reshape(len(weight), -1), compute_uv=False) ** 2
        rows = np.log([(one**2).sum() * len(weight) for one in weight])
        kernels = [
            sum(kernel[1, 1] ** 2 for out in weight for kernel in out),
            sum(kernel[y, x] ** 2 for out in weight for kernel in out for y, x in ((0, 1), (1, 0), (1, 2), (2, 1))),
            sum(kernel.sum() ** 2 / 9 for out in weight for kernel in out),
            sum(((kernel - kernel[:, ::-1]) ** 2).sum() for out in weight for kernel in out),
        ]
        tails = np.log((weight**4).mean() / (weight**2).mean() ** 2)
        channel = np.mean([out.mean() ** 2 for out in weight]) * weight[0].size
        sizes, angles = g**2 + b**2, np.arctan2(b, np.abs(g))
        moments = [_rectified(one, other) for one, other in zip(g, b, strict=True)]
        spectra = [*np.log(share[:3]), entropy(share), np.log(share[-1])]
        norms = [rows.min(), np.median(rows), rows.max(), rows.std()]
        of_norm = [*np.quantile(np.log(sizes), np.arange(5) / 4), *np.quantile(angles, np.arange(5) / 4)]
        expected = [*spectra, *norms, *kernels, tails, channel, *of_norm, (g < 0).mean(), *np.mean(moments, axis=0)]
        np.testing.assert_allclose(found[row, : len(expected)], expected, rtol=1e-4, atol=1e-5)


def _rectified(g: float, b: float) -> list[float]:
    """P(active), mean and variance of ReLU(g z + b), integrated on a grid."""
    z = np.linspace(-9, 9, 200_001)
    value, density = np.maximum(g * z + b, 0), norm.pdf(z) * (z[1] - z[0])
    mean = (value * density).sum()
    return [((value > 0) * density).sum(), mean, (value**2 * density).sum() - mean**2]


def test_spectrum_and_effective_rank_are_known_of_projections():
    basis = torch.linalg.qr(torch.randn(6, 3, dtype=torch.float64, generator=stream("test_probes", "basis")))[0]
    for weight in (basis.T, basis):
        matrix = Matrix(weight.unsqueeze(0))
        torch.testing.assert_close(matrix.spectrum()[0, :3], torch.ones(3, dtype=torch.float64))
        torch.testing.assert_close(log_rank(matrix.spectrum()).exp(), torch.tensor([[3.0]], dtype=torch.float64))


def test_nets_that_are_zeros_or_blew_up_have_finite_features():
    nets = nets_of(LAYOUTS["resnet8"])
    for factor in (0.0, 1e-20, 1e15):
        odd = replace(nets, weights=(nets.weights * factor).float())
        assert all(read(odd).isfinite().all() for read in (invariant, channels, probes))


def test_neither_the_order_of_probes_nor_that_of_classes_moves_answers():
    logits = torch.randn(3, 2 * PROBES, 10, generator=stream("test_probes", "logits"))
    order = torch.cat([torch.randperm(PROBES), PROBES + torch.randperm(PROBES)])
    torch.testing.assert_close(answers(logits[:, order][:, :, torch.randperm(10)]), answers(logits), rtol=1e-9, atol=1e-9)


def test_answers_are_those_of_a_loop_over_nets():
    logits = torch.randn(3, 2 * PROBES, 10, generator=stream("test_probes", "logits")) * 2
    found = answers(logits).numpy()
    for row, of_net in enumerate(logits.double().numpy()):
        one = of_net[:PROBES]
        softmax = np.exp(one) / np.exp(one).sum(axis=1, keepdims=True)
        surely, top = entropy(softmax, axis=1), np.sort(one, axis=1)
        votes = np.bincount(one.argmax(axis=1), minlength=10) / PROBES
        total_entropy = entropy(softmax.mean(axis=0))
        five = np.arange(5) / 4
        centred = one - one.mean(axis=1, keepdims=True)
        values = np.sort(np.linalg.eigvalsh(np.cov(centred.T, bias=True)))[:0:-1]
        expected = [
            *(surely.mean(), *np.quantile(surely, five)),
            *(softmax.max(axis=1).mean(), *np.quantile(softmax.max(axis=1), five)),
            *np.quantile(np.log(top[:, -1] - top[:, -2]), five),
            *(total_entropy, total_entropy - surely.mean(), entropy(votes)),
            *(*np.sort(softmax.mean(axis=0))[::-1], *np.sort(votes)[::-1]),
            *(*np.log(values), *(values / values.sum()), np.log(np.linalg.norm(centred.mean(axis=0)))),
        ]
        np.testing.assert_allclose(found[row, :59], expected, rtol=1e-6, atol=1e-9)


def test_probes_depend_on_the_size_of_images_alone_and_have_unit_variance():
    for plain, again in zip(noise((3, 7, 8)), noise((3, 7, 8)), strict=True):
        assert plain.shape == (PROBES, 3, 7, 8)
        assert torch.equal(plain, again)
        assert abs(plain.std() - 1) < 0.02
    assert not torch.equal(noise((1, 8, 8))[0][:, :, :7], noise((1, 7, 8))[0])


def test_inputs_side_by_side_are_kept_one_by_one(standard, tmp_path):
    made = zoo.open(zoo_copy(standard, tmp_path))
    found = {name: features(made, METANETS[name], "test")[1] for name in ("probe", "trees_invariant", "probe_and_weights")}
    assert torch.equal(found["probe_and_weights"], torch.cat([found["probe"], found["trees_invariant"]], dim=1))
    kept = sorted(path.name.split("-")[1] for path in (made.folder / CACHE).iterdir())
    assert kept == ["invariant", "probes"]
    assert torch.equal(INPUTS["probes_and_invariant"].of(made.nets("test")), found["probe_and_weights"])


def zoo_copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "zoo", ignore=shutil.ignore_patterns(CACHE))


def test_what_runs_nets_says_so_and_nets_that_cannot_be_run_are_named():
    names = {name for name, metanet in METANETS.items() if metanet.reads_function}
    assert names == {"probe", "probe_and_weights", "probe_and_channels", "probe_gen", "consensus", "consensus_and_weights"}
    nets = replace(nets_of(LAYOUTS["mlp"]), image=None)
    for name in names:
        with pytest.raises(ValueError, match="cannot be run"):
            METANETS[name].features(nets)


def test_extra_trees_depend_on_the_seed_alone_and_learn():
    rng = np.random.default_rng(0)
    rows = np.tile(rng.normal(size=(200, 3)), (1, 10))  # as many as here, so that each split has some to choose from
    parts = [Examples(torch.from_numpy(part).float(), part[:, 0] * 2 + part[:, 1]) for part in (rows[:150], rows[150:])]
    one, again, other = (fit_extra_trees(*parts, training=Training(), seed=seed) for seed in (0, 0, 1))
    assert one.chosen["validation_r2"] > 0.8
    assert np.array_equal(one.predict(parts[1].features), again.predict(parts[1].features))
    assert not np.array_equal(one.predict(parts[1].features), other.predict(parts[1].features))
