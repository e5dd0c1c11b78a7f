"""Metanets that read structure: what leaves their predictions as they are, and that they learn."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import zoo
from metanets import METANETS, Examples, Training
from metanets.fit import validation_r2
from metanets.inputs.layers import layers
from metanets.structured.layers import kernel
from metanets.structured.matrix_product import RECIPE, MatrixProduct, turned
from metanets.structured.mp_gmn import MPGMN
from metanets.structured.mp_scale_gmn import MPScaleGMN
from metanets.structured.nfn import NFN
from metanets.structured.scale_gmn import ScaleGMN
from metanets.structured.set_of_channels import SetOfChannels
from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, total, views
from zoo.nets.units import CLASSES, INPUT, units_of
from zoo.symmetry import act, draw
from zoo.symmetry.group import acting, masked

BOTH = (MPGMN, MPScaleGMN)  # of matrix products, whatever the width
MOVED_BY = {MPGMN: "permutation", MPScaleGMN: "permutation scale size", ScaleGMN: "permutation scale size"}
MOVED_BY[NFN] = "permutation"
MOVED_BY[partial(NFN, own_axes=False)] = "permutation"


def resnet8(width: float) -> Layout:
    return resnet.layout(width=width, channels=3, classes=4)


def perceptron(*hidden: int, norm: bool = False) -> Layout:
    return mlp.layout(width=1.0, channels=1, pixels=9, classes=4, hidden=hidden, norm=norm)


LAYOUTS = {"resnet8": resnet8(0.25), "mlp": perceptron(6, 8), "mlp_norm": perceptron(6, 8, norm=True)}


def drawn(layout: Layout, nets: int = 3) -> torch.Tensor:
    return 0.3 * torch.randn(nets, total(layout), generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def built(cls, layout: Layout) -> torch.nn.Module:
    torch.manual_seed(0)
    return cls(layout).double().eval()


def widened(weights: torch.Tensor, narrow: Layout, wide: Layout, *, even: bool) -> torch.Tensor:
    """The same functions in the wide layout: channels are duplicated in any order, what reads a channel is shared out.

    The shares of a weight add up to 1: all equal, or drawn for each weight and offset on its own, of both signs.
    """
    rng, sources, found = torch.Generator().manual_seed(7), {}, []
    for unit, wider in zip(units_of(narrow), units_of(wide), strict=True):
        if unit.writes != CLASSES and unit.writes not in sources:
            few, many = unit.weight.shape[0], wider.weight.shape[0]
            sources[unit.writes] = (torch.arange(many) % few)[torch.randperm(many, generator=rng)]
    tensors = views(weights, narrow)
    for unit in units_of(narrow):
        rows = sources.get(unit.writes, slice(None))
        weight = tensors[unit.weight.name][:, rows]
        if unit.reads != INPUT:
            column = sources[unit.reads]
            weight = weight[:, :, column]
            alike = (column[:, None] == column).to(weight)  # channel channel
            mean = alike / alike.sum(dim=0)
            noise = torch.randn(weight.shape, generator=rng, dtype=weight.dtype) * (not even)
            share = 1 / alike.sum(dim=0).reshape(-1, *[1] * (weight.dim() - 3))
            weight = weight * (share + noise - torch.einsum("noi...,ij->noj...", noise, mean))
        found.append(weight.flatten(1))
        found += [tensors[entry.name][:, rows] for entry in unit.vectors.values()]
    return torch.cat(found, dim=1)


WIDER = {
    "resnet8, every channel twice": (resnet8(0.125), resnet8(0.25)),
    "mlp, channels 1 to 3 times": (perceptron(4, 5), perceptron(10, 11)),
    "mlp with norms, every channel 3 and 2 times": (perceptron(4, 5, norm=True), perceptron(12, 10, norm=True)),
}


@pytest.mark.parametrize("even", [True, False], ids=["equal shares", "any shares"])
@pytest.mark.parametrize("case", WIDER)
@pytest.mark.parametrize("cls", BOTH)
def test_a_wider_net_that_computes_the_same_gets_the_same_prediction(cls, case, even):
    narrow, wide = WIDER[case]
    weights = drawn(narrow)
    wider = widened(weights, narrow, wide, even=even)
    kind, size = (resnet, 8) if "resnet" in case else (mlp, 3)
    images = torch.randn(3, 5, 3 if kind is resnet else 1, size, size, dtype=torch.float64)
    logits = [kind.forward(views(w, lay), images) for w, lay in ((weights, narrow), (wider, wide))]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-10)  # the certificate is of widenings that keep the function
    one, other = built(cls, narrow), built(cls, wide)
    other.load_state_dict(one.state_dict())  # parameters of any width are those of the other
    before, after = one(views(weights, narrow)), other(views(wider, wide))
    assert before.std() > 1e-4
    torch.testing.assert_close(after, before, rtol=0, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cls", MOVED_BY)
def test_symmetries_move_nothing(cls, layout):
    layout = LAYOUTS[layout]
    weights, module = drawn(layout), built(cls, layout)
    group = masked(acting(layout), torch.ones(total(layout), dtype=torch.bool))
    before = module(views(weights, layout))
    for kind in MOVED_BY[cls].split():
        element = draw(group, len(weights), torch.Generator().manual_seed(1), kinds=(kind,))
        after = module(views(act(weights, layout, element), layout))
        torch.testing.assert_close(after, before, rtol=0, atol=1e-10)
    assert before.std() > 1e-4
    moved = views(weights * (1 + 0.1 * torch.randn_like(weights)), layout)
    assert (module(moved) - before).abs().min() > 1e-6  # any other change is seen


@pytest.mark.parametrize("back", [False, True])
def test_a_matrix_product_is_the_sum_over_offsets(back):
    unit = units_of(LAYOUTS["resnet8"])[1]
    product = MatrixProduct((unit,), 5, back=back).double()
    weight = kernel(views(drawn(LAYOUTS["resnet8"]), LAYOUTS["resnet8"]), unit)
    states = torch.randn(3, weight.shape[1 if back else 2], 5, dtype=torch.float64)
    maps, slow = product.maps["9"], 0
    for s in range(9):
        matrix = weight[..., s].mT * weight.shape[2] / weight.shape[1] if back else weight[..., s]
        slow = slow + matrix @ states @ maps[:, s]
    torch.testing.assert_close(product(turned(weight) if back else weight, states), slow)


@pytest.mark.parametrize("size", [0.0, 1e-15, 1.0])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cls", [*MOVED_BY, SetOfChannels])
def test_gradients_are_finite_for_weights_next_to_nothing(cls, layout, size):
    layout = LAYOUTS[layout]
    weights = (size * drawn(layout)).float().requires_grad_()
    module = built(cls, layout).float().train()
    module(views(weights, layout)).square().sum().backward()
    gradients = [weights.grad, *(parameter.grad for parameter in module.parameters())]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(
    ("name", "rate", "epochs"),
    [
        ("mp_gmn", 1e-2, 50),
        ("mp_scale_gmn", 1e-2, 50),
        ("scale_gmn", 1e-2, 50),
        ("nfn", 3e-3, 100),
        ("set_of_channels", 3e-3, 50),
    ],
)
def test_sixteen_nets_are_learnt_by_heart_and_marks_and_moves_are_taken(standard, name, rate, epochs):
    made = zoo.open(standard)
    nets = made.nets("train", inputs="all")
    nets = nets.only(np.arange(len(nets)) < 16)
    metanet = METANETS[name].reading("+canonical")
    target = made.columns["test_accuracy"].to_numpy(np.float64)[nets.index]
    few = Examples(metanet.features(nets), target, nets.layout)
    training = Training(epochs=epochs, batch=16, learning_rates=(rate,)).following(metanet.recipe)
    fitted = metanet.fit(few, few, training=training, seed=0)
    assert validation_r2(target, fitted.predict(few.features)) > 0.99
    element = draw(nets.group, len(nets), torch.Generator().manual_seed(3))
    moved = replace(nets, weights=act(nets.weights, nets.layout, element))
    if name != "set_of_channels":
        np.testing.assert_allclose(fitted.predict(metanet.features(moved)), fitted.predict(few.features), atol=1e-5)
    anew = replace(few, moved=lambda rng: layers(moved))
    again = metanet.fit(anew, few, training=replace(training, epochs=1), seed=0)
    assert np.isfinite(again.predict(few.features)).all()


def test_nets_that_are_no_layers_are_refused(standard):
    nets = zoo.open(standard).nets("test", inputs="all")
    tied = replace(nets, layout=resnet.with_gates(nets.layout))
    with pytest.raises(ValueError, match=r"F_mat .*is no part of a layer"):
        METANETS["mp_gmn"].features(tied)
    with pytest.raises(ValueError, match="no layer of these nets writes their outputs"):
        METANETS["mp_gmn"].features(replace(nets, layout=nets.layout[:-2]))
    assert set(RECIPE) <= set(Training.__dataclass_fields__)
