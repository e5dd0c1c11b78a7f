"""The paper's table at a small size: alignment takes most of a barrier away, and W-asymmetry more."""

import torch

import zoo
from zoo.landscape.paths import barriers, lines, some
from zoo.spec.resolve import blueprint
from zoo.symmetry import act, align, group_of
from zoo.tasks import images
from zoo.training.train import train

SMALL = {"net.width": 0.25, "net.n_fix": (16, 16, 16, 64), "recipe.epochs": (10, 10)}


def test_w_asymmetric_nets_have_the_lowest_barriers_then_aligned_ones_then_the_others():
    found = {}
    for family in ("standard", "w_asymmetric"):
        spec = zoo.load(f"digits-lmc-mlp-{family}", SMALL)
        net, image_set = blueprint(spec), images.load(spec.images)
        weights = train(spec, net, image_set, range(3)).weights
        one, two, pictures = weights[[0, 0]], weights[[1, 2]], some(image_set, "test", 360)
        curves = lines(net, one, two, pictures, points=3)
        assert curves.accuracy[:, [0, 2]].min() > 0.9
        found[family] = torch.from_numpy(barriers(curves)["barrier_mid"])
        if family == "standard":
            aligned = act(two, net.layout, align(one, two, net.layout, group_of(net)))
            found["aligned"] = torch.from_numpy(barriers(lines(net, one, aligned, pictures, points=3))["barrier_mid"])
    assert (found["w_asymmetric"] < found["aligned"]).all()
    assert (found["aligned"] < found["standard"] / 5).all()
