"""What symmetry theory says of nets, and what comes out here, side by side.

python -m benchmark.analyses.theory

Every line is computed by the same functions that the rest of the suite uses, on untrained nets and on closed forms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo.landscape.interpolate import shape_of
from zoo.landscape.orbits.charges import charges, distance
from zoo.landscape.orbits.teleport import losses
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import Element, act, align, draw, group_of
from zoo.symmetry.discover import cosets, dimension
from zoo.tasks import images
from zoo.tasks.augment import normalise

NETS = 10
FACTORS = (2.0, 4.0, 10.0)  # of one layer against the next
RATES, TIME = (0.1, 0.01), 4.0  # of gradient descent: learning rates, and rate * steps
ACTIVATIONS = {"ReLU": torch.relu, "square": torch.square, "tanh": torch.tanh, "GELU": F.gelu, "none": lambda x: x}
DIMENSIONS = {"ReLU": "2, 3", "square": "2, 3", "tanh": "0, 0", "GELU": "0, 0", "none": "6, 15"}  # k^2 + i k (k - 1) / 2


@dataclass(frozen=True)
class Line:
    """One statement: what was computed, what theory says, what was found."""

    what: str
    theory: str
    found: str


def lines() -> Iterator[Line]:
    """All statements, one after the other."""
    yield from _kept_logits()
    yield _recovered()
    yield from _midpoints()
    yield _convexity()
    yield from _dimensions()
    yield from _discrete()
    yield _drift()
    yield _published_teleport()


def _net(name: str) -> tuple[Blueprint, Tensor]:
    """An architecture's digits nets of width 1/4 in float64, with initial weights moved a little, so that none is 0."""
    spec = zoo.load(f"digits-{name}-standard", {"net.width": 0.25})
    net = blueprint(spec).to(torch.device("cpu"), torch.float64)
    weights = torch.stack([net.initial(seed) for seed in range(NETS)]).double()
    return net, weights + 0.1 * torch.randn(weights.shape, dtype=torch.float64, generator=stream("theory", name))


def _kept_logits() -> Iterator[Line]:
    seen = torch.randn(16, 1, 8, 8, dtype=torch.float64, generator=stream("theory", "images")).expand(NETS, -1, -1, -1, -1)
    for name in ARCHITECTURES:
        net, weights = _net(name)
        before = net.logits(weights, seen)
        for kind, bound in (("permutation", "1e-12"), ("scale", "1e-12"), ("size", "1e-2, the norms' epsilon")):
            element = draw(group_of(net), NETS, stream("theory", kind), kinds=(kind,))
            if element != Element():
                after = net.logits(act(weights, net.layout, element), seen)
                change = float((after - before).abs().max() / before.abs().max())
                yield Line(f"{name}: largest change of a logit by {kind}, relative", f"below {bound}", f"{change:.0e}")


def _recovered() -> Line:
    net = blueprint(zoo.load("cifar10-resnet8-standard"))
    weights, group = torch.stack([net.initial(seed) for seed in range(NETS)]), group_of(net)
    moved = act(weights, net.layout, draw(group, NETS, stream("theory", "order"), kinds=("permutation",)))
    back = act(moved, net.layout, align(weights, moved, net.layout, group))
    count = sum(torch.equal(one, other) for one, other in zip(back, weights, strict=True))
    return Line("ResNet8 of width 1: nets whose order Git Re-Basin finds again", f"{NETS} of {NETS}", f"{count} of {NETS}")


def _midpoints() -> Iterator[Line]:
    """Without biases the logits of a net with one hidden layer are a product of two layers, here c W and W / c."""
    spec = zoo.load("digits-mlp-standard", {"net.hidden": [7], "net.width": 1.0})
    net = blueprint(spec).to(torch.device("cpu"), torch.float64)
    weights = net.initial(0).double()[None]
    for entry in net.layout:
        weights[:, entry.slice] *= entry.role != "bias"
    seen = torch.randn(1, 5, 1, 8, 8, dtype=torch.float64, generator=stream("theory", "inputs"))
    before = net.logits(weights, seen)
    for factor in FACTORS:
        logs = torch.full((1, 7), float(np.log(factor)), dtype=torch.float64)
        halfway = weights.lerp(act(weights, net.layout, Element(scales={"H1": logs})), 0.5)
        off = float((net.logits(halfway, seen) / before - 1).mean())
        theory = (factor**0.5 - factor**-0.5) ** 2 / 4
        yield Line(f"halfway between a net and itself scaled by {factor:g}: logits off by", f"{theory:.4f}", f"{off:.4f}")


def _convexity() -> Line:
    concave = shape_of(1 - np.linspace(0, 1, 25)[None] ** 2)
    right, official = (float(concave[name][0]) for name in ("mli_global", "mli_global_official"))
    found = f"{right:g} ({official:g})"
    return Line("global convexity of 1 - t^2, in brackets by the published code's formula", "0 (1)", found)


def _dimensions() -> Iterator[Line]:
    x = torch.randn(40, 2, dtype=torch.float64, generator=stream("theory", "points"))
    for name, activation in ACTIVATIONS.items():
        found = []
        for k in (2, 3):

            def outputs(w: Tensor, k: int = k, activation=activation) -> Tensor:  # type: ignore[no-untyped-def]
                return (activation(x @ w[: 2 * k].reshape(k, 2).T) @ w[2 * k :].reshape(k, 1)).flatten()

            found.append(dimension(outputs, torch.ones(3 * k, dtype=torch.bool), torch.zeros(3 * k)))
        what = f"nonlinearity {name}, 2 and 3 hidden units: dimensions of the symmetries"
        yield Line(what, DIMENSIONS[name], ", ".join(map(str, found)))


def _discrete() -> Iterator[Line]:
    for name, theory in (("ReLU", 2), ("tanh", 8)):
        found = len(cosets(ACTIVATIONS[name], 2))
        yield Line(f"nonlinearity {name}, 2 hidden units: discrete symmetries", str(theory), str(found))


def _drift() -> Line:
    net, weights = _net("resnet8")
    data = images.load(zoo.load("digits-resnet8-standard").images)
    inputs, labels = normalise(data.train, data.mean, data.std)[:64].double(), data.train_labels[:64]
    group, found = group_of(net), list[float]()
    for rate in RATES:
        moved = weights[:2]
        for _ in range(round(TIME / rate)):
            free = moved.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(losses(net, free, inputs, labels).sum(), free)
            moved = moved - rate * gradient
        ends = [charges(nets, net.layout, group) for nets in (weights[:2], moved)]
        found.append(float(distance(ends[0], ends[1], [*group.scales]).mean()))
    return Line(
        f"drift of charges under gradient descent, at {RATES[0]:g} over {RATES[1]:g}",
        "5 or more",
        f"{found[0] / found[1]:.1f}",
    )


def _published_teleport() -> Line:
    """The action on perceptrons of Zhao et al. 2022 (arXiv 2205.10637), equation 8, and as their code has it, with I - T.

    With h the states of few images, V becomes f^-1((I + T) f(V h)) h^+, and U, which reads them, U (I + T)^-1. The sizes
    are those of the code: 4 images, layers of 5, 6, 7 and 8 units, LeakyReLU, squared error.
    """
    rng = stream("theory", "teleport")
    sizes = [torch.rand(8, 4, generator=rng), *(torch.rand(i + 1, i, generator=rng) for i in (5, 6, 7))]
    target, *weights = (part.double() for part in sizes)
    seen = torch.rand(5, 4, generator=rng).double()
    moves = [0.1 * torch.randn(i, i, generator=rng, dtype=torch.float64) for i in (6, 7)]
    before, published, exact = (_squared_error(w, seen, target) for w in (weights, *_teleported(weights, seen, moves)))
    found = f"{published / before - 1:.0%} ({abs(exact / before - 1):.0e})"
    return Line("change of a perceptron's loss by the published code's teleport, in brackets by the paper's", "0 (0)", found)


def _teleported(weights: list[Tensor], seen: Tensor, moves: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The weights moved by the code's action, and by the paper's."""
    ends = []
    for linearised in (True, False):
        moved, states = list(weights), seen
        for i, move in enumerate(moves):
            one = torch.eye(len(move), dtype=move.dtype)
            after = F.leaky_relu((one + move) @ F.leaky_relu(moved[i] @ states, 0.1), 10)
            moved[i] = after @ torch.linalg.pinv(states)
            moved[i + 1] = moved[i + 1] @ (one - move if linearised else torch.linalg.inv(one + move))
            states = F.leaky_relu(moved[i] @ states, 0.1)
        ends.append(moved)
    return ends[0], ends[1]


def _squared_error(weights: list[Tensor], seen: Tensor, target: Tensor) -> float:
    states = seen
    for weight in weights[:-1]:
        states = F.leaky_relu(weight @ states, 0.1)
    return float((weights[-1] @ states - target).square().sum()) / 2


def main() -> None:
    """Prints the statements."""
    for line in lines():
        print(f"{line.what}: {line.found} (theory: {line.theory})", flush=True)


if __name__ == "__main__":
    main()
