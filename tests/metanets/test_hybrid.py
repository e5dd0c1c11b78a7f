"""The hybrid: blind to every symmetry, both ways along the net, the mean of its networks and its trees."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import zoo
from metanets import METANETS, Examples, Training
from metanets.fit import by_gradient, validation_r2
from metanets.forests import fit_extra_trees
from metanets.hybrid import MEMBERS, _quantiles, _ranked, fit_hybrid
from metanets.inputs.layers import FEATURES, layers, layers_and_invariant
from metanets.structured.hybrid import Hybrid
from metanets.structured.layers import embeddings, read
from zoo.nets import mlp, resnet
from zoo.nets.layout import total, views
from zoo.nets.units import units_of
from zoo.seeds import stable_seed, stream
from zoo.symmetry import act, draw
from zoo.symmetry.group import acting, masked

LAYOUTS = {
    "resnet8": resnet.layout(width=0.25, channels=1, classes=4),
    "mlp": mlp.layout(width=0.25, channels=1, pixels=9, classes=4),
    "mlp_norm": mlp.layout(width=0.25, channels=1, pixels=9, classes=4, norm=True),
}
QUICK = Training(epochs=2, batch=16, learning_rates=(1e-3, 5e-3)).following(METANETS["hybrid"].recipe)


def hybrid(layout, features=6) -> Hybrid:
    torch.manual_seed(0)
    return Hybrid(layout, features, width=8)


def drawn(layout, *, features=6):
    rng = stream("test_hybrid")
    weights = 0.3 * torch.randn(3, total(layout), generator=rng, dtype=torch.float64)
    return weights, {FEATURES: torch.randn(3, features, generator=rng, dtype=torch.float64)}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_order_of_channels_moves_nothing_and_every_tensor_is_seen(layout):
    weights, rest = drawn(layout)
    module = hybrid(layout).double().eval()
    before = module({**views(weights, layout), **rest})
    orders = draw(
        masked(acting(layout), torch.ones(total(layout), dtype=torch.bool)), 3, stream("x"), kinds=("permutation",)
    )
    after = module({**views(act(weights, layout, orders), layout), **rest})
    torch.testing.assert_close(after, before, rtol=0, atol=1e-10)
    weights.requires_grad_()
    module({**views(weights, layout), **rest}).sum().backward()
    assert all(weights.grad[:, entry.slice].abs().max() > 0 for entry in layout)


@pytest.mark.parametrize("size", [0.0, 1e-15, 1.0])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_gradients_are_finite_for_weights_next_to_nothing(layout, size):
    weights, rest = drawn(layout)
    module = hybrid(layout)
    tensors = views((size * weights).float(), layout)
    module({**tensors, FEATURES: rest[FEATURES].float()}).square().sum().backward()
    assert all(part.grad is None or part.grad.isfinite().all() for part in module.parameters())


def test_a_stream_is_the_sum_of_what_writes_it():
    units = units_of(LAYOUTS["resnet8"])
    states = {unit.name: torch.randn(2, unit.weight.shape[0], 3) for unit in units}
    inputs, _ = embeddings(units, 3)
    found = {unit.name: read(states, unit, units, inputs) for unit in units}
    assert torch.equal(found["conv1"], inputs["conv1"].expand(2, -1, -1))
    assert torch.equal(found["layer2.0.conv1"], states["conv1"] + states["layer1.0.conv2"])
    assert torch.equal(found["linear"], states["layer3.0.conv2"] + states["layer3.0.shortcut.0"])


def test_what_symmetries_make_of_nets_gets_the_same_prediction(standard):
    made = zoo.open(standard)
    parts, target = [made.nets(split) for split in ("train", "validation")], made.columns["test_accuracy"].to_numpy(float)
    known, held = (Examples(layers_and_invariant(nets), target[nets.index], nets.layout) for nets in parts)
    fitted = fit_hybrid(known, held, training=QUICK, seed=1)
    before = fitted.predict(held.features)
    assert before.std() > 1e-3
    for kinds in (("permutation",), ("scale",), ("size",), ("permutation", "scale", "size")):
        element = draw(parts[1].group, len(parts[1]), stream("test_hybrid", *kinds), kinds=kinds)
        moved = replace(parts[1], weights=act(parts[1].weights, parts[1].layout, element))
        np.testing.assert_allclose(fitted.predict(layers_and_invariant(moved)), before, atol=1e-5)

    ranks = _ranked(_quantiles(known.features[FEATURES]))  # the slow way: each part on its own
    own = [replace(part, features=ranks(part.features)) for part in (known, held)]
    build = partial(Hybrid, features=own[0].features[FEATURES].shape[1])
    chosen, networks = None, []
    for number in range(MEMBERS):
        torch.manual_seed(stable_seed("hybrid", 1, number))
        one = by_gradient(build)(*own, training=QUICK, seed=stable_seed("hybrid", 1, number), chosen=chosen)
        chosen = chosen or one.chosen
        networks.append(one.predict(own[1].features))
    plain = [replace(part, features=part.features[FEATURES]) for part in (known, held)]
    trees = fit_extra_trees(*plain, training=QUICK, seed=1).predict(plain[1].features)
    np.testing.assert_allclose(before, (np.mean(networks, axis=0) + trees) / 2, atol=1e-12)


def test_the_network_learns_sixteen_nets_by_heart(standard):
    made = zoo.open(standard)
    nets = made.nets("train").only(np.arange(len(made.nets("train"))) < 16)
    found, target = layers_and_invariant(nets), made.columns["test_accuracy"].to_numpy(float)[nets.index]
    few = Examples({**found, FEATURES: torch.zeros(16, 1)}, target, nets.layout)  # by structure alone
    training = replace(QUICK, epochs=50, batch=16, learning_rates=(5e-3,))
    fitted = by_gradient(partial(Hybrid, features=1))(few, few, training=training, seed=0)
    assert validation_r2(target, fitted.predict(few.features)) > 0.99


def test_ranks_have_no_unit_and_leave_out_what_does_not_differ():
    known = torch.randn(50, 4, generator=stream("ranks"))
    known[:, 2] = 3.0
    plain, other = _ranked(_quantiles(known)), _ranked(_quantiles(known.exp() * 100))
    new = torch.randn(20, 4, generator=stream("new"))
    found = plain({FEATURES: known})[FEATURES]
    assert found.shape == (50, 3)
    assert found.abs().max() <= 3
    torch.testing.assert_close(other({FEATURES: known.exp() * 100})[FEATURES], found, atol=1e-3, rtol=0)
    assert (plain({FEATURES: new})[FEATURES][:, 0].argsort() == new[:, 0].clamp(*known[:, 0].aminmax()).argsort()).all()


def test_asymmetric_nets_are_read_whole(asymmetric):
    nets = zoo.open(asymmetric).nets("test")
    fixed = nets.fixed.clone()
    fixed[~nets.trained] += 1
    for read_of in (layers, layers_and_invariant):
        before, after = read_of(nets), read_of(replace(nets, fixed=fixed))
        assert set(before) == set(after)
        assert not torch.equal(before["layer1.0.conv1.weight"], after["layer1.0.conv1.weight"])
