"""ScaleGMN: its messages and edges as loops over edges, dead channels, and many edges a few nets at a time."""

import pytest
import torch

from metanets.structured import scale_gmn
from metanets.structured.scale_gmn import ScaleGMN, Told, Turn
from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, total, views
from zoo.nets.units import units_of

LAYOUTS = {
    "resnet8": resnet.layout(width=0.125, channels=3, classes=4),
    "mlp": mlp.layout(width=1.0, channels=1, pixels=9, classes=4, hidden=(6, 8)),
    "mlp_norm": mlp.layout(width=1.0, channels=1, pixels=9, classes=4, hidden=(6, 8), norm=True),
}


def drawn(layout: Layout, nets: int = 5) -> torch.Tensor:
    return 0.3 * torch.randn(nets, total(layout), generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def built(layout: Layout) -> ScaleGMN:
    torch.manual_seed(0)
    return ScaleGMN(layout).double()


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.square().mean().sqrt()


def test_what_edges_tell_and_become_is_what_the_formulas_say_edge_by_edge():
    torch.manual_seed(1)
    told, turn = Told(5).double(), Turn(5).double()
    edges, source, target = (torch.randn(*shape, 5, dtype=torch.float64) for shape in ((2, 4, 3), (2, 3), (2, 4)))
    messages, after = told(edges, source), turn(edges, target, source)
    for net in range(2):
        for i in range(4):
            total = torch.zeros(5, dtype=torch.float64)
            for j in range(3):
                x = (told.edge.weight @ edges[net, i, j]) * (told.source.weight @ source[net, j])
                total += (told.message.linear.weight @ x) * told.message.weights(unit(x))
                both = turn.target(unit(target[net, i])) + turn.source.weight @ unit(source[net, j])
                torch.testing.assert_close(after[net, i, j], (turn.edge.weight @ edges[net, i, j]) * turn.factor(both))
            torch.testing.assert_close(messages[net, i], total)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_many_edges_a_few_nets_at_a_time_give_the_same_numbers_and_gradients(layout, monkeypatch):
    found = []
    for at_once in (10**9, 1):
        monkeypatch.setattr(scale_gmn, "EDGES_AT_ONCE", at_once)
        module, weights = built(layout), drawn(layout).requires_grad_()
        predicted = module(views(weights, layout))
        predicted.square().sum().backward()
        found.append([predicted, weights.grad, *(parameter.grad for parameter in module.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-15])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_channels_that_are_next_to_dead_leave_gradients_finite(layout, size):
    """Of nets whose other channels are alive: weight decay leaves some near 1e-15 (Ma et al. 2026 met NaN there)."""
    tensors = views(drawn(layout).float(), layout)
    for layer in units_of(layout):
        for entry in (layer.weight, *layer.vectors.values()):
            tensors[entry.name][:, ::2] *= size
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    module = built(layout).float()
    predicted = module(leaves)
    predicted.square().sum().backward()
    gradients = [*(leaf.grad for leaf in leaves.values()), *(parameter.grad for parameter in module.parameters())]
    assert predicted.isfinite().all()
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)
