"""ProbeGen: what moves nothing, the same net by net, gradients that reach the probes, and that it learns."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import ConvTranspose2d

import zoo
from metanets import METANETS, Examples, Training
from metanets.fit import validation_r2
from metanets.inputs.batch import rows
from metanets.inputs.runnable import runnable
from metanets.probe_gen import LATENT, ProbeGen, generator
from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, total
from zoo.seeds import stream
from zoo.symmetry import act, draw
from zoo.symmetry.group import acting, masked

LAYOUTS = {
    "resnet8": resnet.layout(width=0.125, channels=1, classes=5),
    "mlp": mlp.layout(width=0.25, channels=1, pixels=42, classes=5),
    "mlp with norms": mlp.layout(width=0.25, channels=1, pixels=42, classes=5, norm=True),
}
IMAGE = (1, 6, 7)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def nets_of(layout: Layout, count: int = 6) -> zoo.Nets:
    """Random nets in float64, all of whose vectors differ from where training starts."""
    weights = torch.randn(count, total(layout), dtype=torch.float64, generator=stream("test_probe_gen", "nets")) / 4
    for entry in layout:
        weights[:, entry.slice] += entry.role == "scale"
    every = torch.ones(total(layout), dtype=torch.bool)
    group, frame = masked(acting(layout), every), pd.DataFrame(index=range(count))
    return zoo.Nets(np.arange(count), weights, frame, layout, every, torch.zeros(total(layout)), group, IMAGE)


def built(layout: Layout) -> ProbeGen:
    torch.manual_seed(0)
    return ProbeGen(layout, IMAGE, probes=4, hidden=16).double()


@every_layout
def test_no_symmetry_moves_a_prediction(layout):
    nets, module = nets_of(layout), built(layout)
    before = module(runnable(nets)).detach()
    assert before.std() > 1e-4
    for kind, tolerance in (("permutation", 1e-10), ("scale", 1e-10), ("size", 0.02 * before.std())):  # a norm's epsilon
        element = draw(nets.group, len(nets), stream("test_probe_gen", kind), kinds=(kind,))
        moved = replace(nets, weights=act(nets.weights, layout, element))
        torch.testing.assert_close(module(runnable(moved)), before, rtol=0, atol=float(tolerance))


@pytest.mark.parametrize("gated", [False, True], ids=["plain", "gated"])
@every_layout
def test_many_nets_at_once_answer_as_each_alone(layout, gated):
    nets, module = nets_of(layout), built(layout)
    if gated:
        kind, hidden = (resnet, {"width": 0.125}) if layout is LAYOUTS["resnet8"] else (mlp, {"width": 0.25})
        rng = stream("test_probe_gen", "gates")
        gates = {at: torch.randn(n, n, generator=rng, dtype=torch.float64) for at, n in kind.gates(**hidden).items()}
        nets = replace(nets, gate=gates)
    batch, probes = runnable(nets), module.probes()
    torch.testing.assert_close(module.answers(batch, probes), nets.logits(probes))
    alone = [module(rows(batch, torch.tensor([i]))) for i in range(len(nets))]
    torch.testing.assert_close(module(batch), torch.cat(alone))


@every_layout
def test_gradients_reach_probes_through_the_nets(layout):
    module, batch = built(layout), runnable(nets_of(layout))
    probes = module.probes().detach().requires_grad_()
    module.answers(batch, probes).square().sum().backward()
    module(batch).square().sum().backward()

    def slope(at, found) -> float:
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                at += step
                ends.append(float(found().square().sum()))
                at -= step
        return (ends[0] - ends[1]) / 2e-6

    pixel, latent = probes.detach()[1, 0, 2, 3], module.latents.detach()[2, 5]
    assert slope(pixel, lambda: module.answers(batch, probes.detach())) == pytest.approx(
        float(probes.grad[1, 0, 2, 3]), 1e-4
    )
    assert slope(latent, lambda: module(batch)) == pytest.approx(float(module.latents.grad[2, 5]), 1e-4)
    assert abs(float(module.latents.grad[2, 5])) > 1e-12


@pytest.mark.parametrize("image", [(1, 3, 3), (1, 8, 8), (3, 28, 30), (3, 32, 32)], ids=str)
def test_the_generator_is_linear_and_as_large_as_images_are(image):
    make = generator(image)
    one, other = torch.randn(2, 3, LATENT, 1, 1)
    torch.testing.assert_close(make(one) + make(other), make(one + other) + make(0 * one))
    assert min(a - b for a, b in zip(make(one).shape[2:], image[1:], strict=True)) >= 0
    if image[1] == 32:
        assert [layer.out_channels for layer in make if isinstance(layer, ConvTranspose2d)] == [128, 64, 32, 16, 3]


def test_sixteen_nets_are_learnt_by_heart(standard):
    made, metanet = zoo.open(standard), METANETS["probe_gen"]
    nets = made.nets("train", inputs="all")
    nets = nets.only(np.arange(len(nets)) < 16)
    target = made.columns["test_accuracy"].to_numpy(np.float64)[nets.index]
    few = Examples(metanet.features(nets), target, nets.layout)
    training = Training(epochs=30, batch=16, learning_rates=(3e-3,)).following(metanet.recipe)
    fitted = metanet.fit(few, few, training=training, seed=0)
    assert validation_r2(target, fitted.predict(few.features)) > 0.99


def test_images_of_another_size_are_refused():
    layout = LAYOUTS["resnet8"]
    module = partial(ProbeGen, image=(1, 8, 8))(layout).double()
    with pytest.raises(ValueError, match=r"run on images of \[1, 6, 7\], and the probes learnt are of \[1, 8, 8\]"):
        module(runnable(nets_of(layout)))
    with pytest.raises(ValueError, match="cannot be run"):
        ProbeGen(layout[:-1], IMAGE)
