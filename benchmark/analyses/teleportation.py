"""Does teleporting a net once help its training, where the learning rate is tuned as well?

python -m benchmark.analyses.teleportation [--nets 4] [--rates 0.02 0.05 0.1 0.2 0.5]

ResNet8 of width 1/4 on the digits, plain SGD without decay. At one step each net stays, is moved at random, or is
teleported to where its gradient is larger (Zhao et al. 2022, arXiv 2205.10637); a move never changes its function.
"""

import argparse
from collections.abc import Callable, Mapping

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

import zoo
from zoo.landscape.orbits.teleport import check_kept, losses, squared_gradient, teleport
from zoo.messages import ending_in_words
from zoo.nets.blueprint import Blueprint
from zoo.seeds import net_seed, stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import act, draw, group_of
from zoo.tasks import images
from zoo.tasks.augment import normalise
from zoo.tasks.images import ImageSet

STEPS, MOVED_AT, BATCH = 120, 10, 64
RATES = (0.02, 0.05, 0.1, 0.2, 0.5)  # the best for nets that stay, and both sides of it
SEEN = 256  # training images that a net is teleported by
Move = Callable[[Blueprint, Tensor, Tensor, Tensor], Tensor]  # (net, weights, images, labels) -> weights


def _at_random(net: Blueprint, weights: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
    element = draw(group_of(net), len(weights), stream("teleportation", "random"), kinds=("scale", "size"))
    moved = act(weights, net.layout, element)
    check_kept(net, weights, moved, inputs, labels)
    return moved


MOVES: Mapping[str, Move] = {
    "none": lambda net, weights, inputs, labels: weights,
    "random": _at_random,
    "teleport": lambda net, weights, inputs, labels: teleport(net, weights, inputs, labels, group_of(net)),
}


def compare(spec: zoo.Spec, *, nets: int = 4, rates: tuple[float, ...] = RATES, steps: int = STEPS) -> pd.DataFrame:
    """For each learning rate and move: `test_loss` over nets after `steps` (nats; mean and `sd`), and what the move did.

    `gradient`: by how much the move multiplied the norm of the gradient, in the mean.
    """
    data, rows = images.load(spec.images), []
    net = blueprint(spec)
    test = normalise(data.test, data.mean, data.std)
    for rate in rates:
        for name, move in MOVES.items():
            start = torch.stack([net.initial(net_seed(spec.seed, index)) for index in range(nets)])
            ended, gain = _trained(net, net.effective(start), data, rate, move, steps)
            found = losses(net, ended, test, data.test_labels).detach()
            rows.append({"rate": rate, "move": name, "test_loss": float(found.mean()), "sd": float(found.std())})
            rows[-1]["gradient"] = gain
    return pd.DataFrame(rows)


def _trained(
    net: Blueprint, weights: Tensor, data: ImageSet, rate: float, move: Move, steps: int
) -> tuple[Float[Tensor, "net weight"], float]:
    """The nets after so many steps of SGD, all on the same batches, and the factor of the gradient's norm at the move."""
    inputs, labels, rng, gain = normalise(data.train, data.mean, data.std), data.train_labels, stream("teleportation"), 1.0
    for step in range(steps):
        if step == MOVED_AT:
            seen = inputs[:SEEN], labels[:SEEN]
            moved = move(net, weights, *seen)
            gain = float((squared_gradient(net, moved, *seen) / squared_gradient(net, weights, *seen)).sqrt().mean())
            weights = moved
        chosen = torch.randint(len(inputs), (BATCH,), generator=rng)
        free = weights.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(losses(net, free, inputs[chosen], labels[chosen]).sum(), free)
        weights = net.effective(weights - rate * gradient)
    return weights, gain


@ending_in_words()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=4)
    parser.add_argument("--rates", type=float, nargs="+", default=[*RATES])
    given = parser.parse_args()
    spec = zoo.load("digits-resnet8-standard", {"net.width": 0.25})
    print(compare(spec, nets=given.nets, rates=tuple(given.rates)).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
