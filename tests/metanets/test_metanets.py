import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

import zoo
from metanets import Examples, Training
from metanets.baselines import ALPHAS
from metanets.deepsets import DeepSets
from metanets.dmc import dmc
from metanets.dmc.dmc import DMC
from metanets.fit import by_gradient, fit_module, predict, validation_r2
from metanets.inputs import batch as batches
from metanets.inputs.distribution import LARGEST, NODES, distribution, nodes
from metanets.inputs.statistics import statistics
from metanets.mlp import MLP
from metanets.statnn import StatNN
from metanets.table import METANETS
from zoo.nets import resnet
from zoo.nets.layout import from_shapes
from zoo.spec import HYPER_PARAMETERS

QUICK = Training(epochs=3, batch=8, learning_rates=(1e-3, 1e-2))


def nets(weights: torch.Tensor) -> zoo.Nets:
    """Nets of one tensor."""
    columns = pd.DataFrame({name: np.linspace(0.1, 1, len(weights)) for name in HYPER_PARAMETERS})
    layout = from_shapes([("weight", (weights.shape[1],), "linear", (None,))])
    trained = torch.ones(weights.shape[1], dtype=torch.bool)
    return zoo.Nets(np.arange(len(weights)), weights, columns, layout, trained, torch.zeros(weights.shape[1]))


def examples(rows: int, *, seed: int = 0, width: int = 300) -> Examples:
    """A target that the features determine but for a little noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, width))
    target = features[:, 0] + features[:, 1] + rng.normal(size=rows) * 0.1
    return Examples(torch.from_numpy(features).float(), target)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_parameter_counts():
    full = sum(entry.size for entry in resnet.layout(width=1.0, channels=3, classes=10))
    assert parameters(MLP(full)) == 4_994_945
    assert parameters(MLP(60_634)) == 3_880_833
    assert parameters(DMC(full)) == 105_357
    assert parameters(DeepSets(NODES)) == parameters(DeepSets(full, exact=True)) == 8_897
    assert parameters(StatNN(203)) == 119_297


def test_a_resnet8_has_203_statistics(asymmetric):
    assert statistics(zoo.open(asymmetric).nets("test")).shape[1] == 203


def test_statistics_with_a_gradient_are_the_same(asymmetric):
    nets = zoo.open(asymmetric).nets("test")
    plain = statistics(nets)
    asked = replace(nets, weights=nets.weights.clone().requires_grad_())
    found = statistics(asked)
    torch.testing.assert_close(found.detach(), plain, rtol=1e-6, atol=1e-7)
    found.sum().backward()
    assert asked.weights.grad.abs().sum() > 0


def test_statistics_are_those_of_numpy_tensor_by_tensor(asymmetric):
    made = zoo.open(asymmetric).nets("train")
    found = statistics(made).numpy().reshape(len(made), -1, 7)
    for number, (_, where) in enumerate(made.segments):
        values = made.weights[:, where].numpy().astype(np.float64)
        if values.shape[1] == 0:
            assert (found[:, number] == 0).all()
            continue
        for row, slow in zip(found[:, number], values, strict=True):
            quartiles = [np.percentile(slow, q) for q in (25, 50, 75)]
            plain = [slow.mean(), slow.var(ddof=1), slow.min(), slow.max(), *quartiles]
            np.testing.assert_allclose(row, plain, rtol=1e-6, atol=1e-7)


def test_dmc_has_the_layers_of_the_paper():
    widths = [layer.out_channels for layer in DMC(2044).convolutions if isinstance(layer, torch.nn.Conv1d)]
    assert widths == [2, 4, 8, 16, 32, 64, 64, 64, 64, 64]
    assert DMC(78_042).convolutions(torch.zeros(2, 1, 78_042)).shape == (2, 64, 297)


def test_dmc_fills_nets_that_leave_it_no_position_with_zeros():
    torch.manual_seed(0)
    few, filled = torch.randn(3, 100), torch.zeros(3, 2044)
    filled[:, :100] = few
    small, large = DMC(100), DMC(2044)
    small.load_state_dict(large.state_dict())
    assert torch.equal(small.eval()(few), large.eval()(filled))


def test_deepsets_is_blind_to_the_order_of_all_weights():
    weights = torch.randn(3, 500)
    shuffled = weights[:, torch.randperm(500)]
    module = DeepSets(500, exact=True)
    torch.testing.assert_close(module(weights), module(shuffled))
    torch.testing.assert_close(distribution(nets(weights)), distribution(nets(shuffled)))


@pytest.mark.parametrize("name", ["mlp", "dmc"])
def test_mlp_and_dmc_see_the_order_of_the_weights(name):
    module = {"mlp": MLP, "dmc": DMC}[name](2100).double().eval()
    weights = torch.randn(3, 2100).double()
    assert not torch.allclose(module(weights), module(weights[:, torch.randperm(2100)]), atol=1e-6)


def test_dmc_can_be_copied_and_goes_backward_once_for_each_forward():
    module, inputs = DMC(2044), torch.randn(3, 2044)
    copied = copy.deepcopy(module)
    torch.testing.assert_close(module(inputs), copied(inputs))
    if module.native is not None:
        first, _ = module(inputs), module(inputs)
        with pytest.raises(RuntimeError, match="last forward"):
            first.sum().backward()
        with pytest.raises(ValueError, match="2044 weights, found 3000"):
            module(torch.randn(3, 3000))


@pytest.mark.skipif(dmc.missing() is not None, reason=f"no native code: {dmc.missing()}")
@pytest.mark.parametrize(("tiles", "near"), [(False, 5e-5), (True, 5e-4)])
@pytest.mark.parametrize(("weights", "nets"), [(2044, 5), (2045, 3), (5142, 4), (20_011, 3)])
def test_dmcs_native_convolutions_are_the_plain_ones_but_for_rounding(weights, nets, tiles, near):
    torch.manual_seed(0)
    fast, plain = DMC(weights), DMC(weights, plain=True).double()
    fast.native = dmc._Convolutions(weights, tiles=tiles)
    for name, parameter in fast.named_parameters():
        if parameter.dim() == 1 and "bias" not in name:  # the norms' scales, of both signs
            parameter.data = torch.randn_like(parameter).sign() * (0.5 + torch.rand_like(parameter))
    plain.load_state_dict(fast.state_dict())
    inputs = torch.randn(nets, weights) * 0.1
    for _ in range(2):  # the second step goes from running means that have moved
        quick, slow = fast._by_native_code(inputs), plain.convolutions(inputs.double().unsqueeze(1))
        assert (quick - slow).norm() <= 10 * near * slow.norm()
        weighing = torch.randn_like(quick)
        found = torch.autograd.grad((quick * weighing).sum(), list(fast.convolutions.parameters()))
        expected = torch.autograd.grad((slow * weighing).sum(), list(plain.convolutions.parameters()))
        errors = [((one - other).norm() / other.norm()).item() for one, other in zip(found, expected, strict=True)]
        assert max(errors[-8:]) < near  # the last two layers
        assert max(errors) < 0.06  # below, a pool may choose another of two numbers that are equal but for rounding
    for (name, one), other in zip(fast.named_buffers(), plain.buffers(), strict=True):
        if "running" in name:
            torch.testing.assert_close(one.to(other), other, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(fast.eval()(inputs).double(), plain.eval()(inputs.double()), rtol=1e-3, atol=1e-4)


@given(st.lists(st.floats(-2e4, 2e4, width=32), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60)
def test_a_distribution_adds_up_to_one_and_keeps_the_mean(values):
    row = distribution(nets(torch.tensor([values])))
    assert row.sum().item() == pytest.approx(1, abs=1e-5)
    clamped = np.clip(values, -LARGEST, LARGEST)
    assert (row.double() @ nodes()).item() == pytest.approx(
        clamped.mean(), rel=1e-5, abs=1e-5 * np.abs(clamped).max() + 1e-9
    )


def trained_deepsets(folder) -> tuple[DeepSets, zoo.Nets]:
    made = zoo.open(folder)
    train, validation = made.nets("train"), made.nets("validation")
    built = []

    def build(inputs: int) -> DeepSets:
        built.append(DeepSets(inputs))
        return built[-1]

    target = {s: made.columns["test_accuracy"].to_numpy(np.float64)[made.nets(s).index] for s in ("train", "validation")}
    training = Training(epochs=30, batch=4, learning_rates=(1e-2,))
    pairs = Examples(distribution(train), target["train"]), Examples(distribution(validation), target["validation"])
    fit_module(build, *pairs, training=training, learning_rate=1e-2, seed=0)
    return built[0], train


@pytest.mark.parametrize("scale", [None, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6])
def test_the_fast_deepsets_predicts_as_the_exact_one_for_trained_and_for_extreme_weights(standard, scale):
    fast, seen = trained_deepsets(standard)
    weights = seen.weights if scale is None else torch.randn(8, 3000) * scale
    exact = DeepSets(weights.shape[1], exact=True)
    exact.load_state_dict(fast.state_dict())
    fast, exact = fast.double(), exact.double()
    quick, slow = fast(distribution(nets(weights)).double()), exact(weights.double())
    assert (quick - slow).abs().max() < 1e-4
    gradients = (torch.autograd.grad(out.square().sum(), list(m.parameters())) for out, m in ((quick, fast), (slow, exact)))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=1e-4)


def test_deepsets_without_exact_refuses_plain_weights():
    with pytest.raises(ValueError, match="exact=True"):
        DeepSets(5142)


@pytest.mark.parametrize("name", METANETS)
def test_every_metanet_fits_predicts_and_repeats_itself(standard, name):
    made, metanet = zoo.open(standard), METANETS[name]
    data = {}
    for split in ("train", "validation"):
        members = made.nets(split)
        target = made.columns["test_accuracy"].to_numpy(np.float64)[members.index]
        data[split] = Examples(metanet.features(members), target, members.layout)
    features = metanet.features(made.nets("test"))
    if name == "dmc":  # the small zoo's nets are too short for it
        data = {k: Examples(v.features.repeat(1, 2), v.target) for k, v in data.items()}
        features = features.repeat(1, 2)
    chosen = {"steps": 2} if name.startswith("consensus") else None  # quick, as others are by QUICK
    first, second = (metanet.fit(*data.values(), training=QUICK, seed=3, chosen=chosen).predict(features) for _ in range(2))
    assert first.shape == (batches.length(features),)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["trees_hyper_parameters", "trees_statistics", "ridge", "mlp", "statnn"])
def test_what_features_determine_is_learnt(name):
    train, validation, test = examples(200, width=20), examples(100, seed=1, width=20), examples(100, seed=2, width=20)
    training = Training(epochs=20, batch=16, learning_rates=(5e-3,))
    fitted = METANETS[name].fit(train, validation, training=training, seed=0)
    assert validation_r2(test.target, fitted.predict(test.features)) > 0.8


def test_a_second_seed_takes_what_the_first_chose():
    train, validation = examples(40), examples(20, seed=1)
    for name in ("mlp", "trees_statistics"):
        first = METANETS[name].fit(train, validation, training=QUICK, seed=0)
        again = METANETS[name].fit(train, validation, training=QUICK, seed=0, chosen=first.chosen)
        assert again.chosen == first.chosen


def test_the_epoch_and_the_learning_rate_are_the_best_on_validation():
    train, validation = examples(40), examples(20, seed=1)
    chosen = by_gradient(MLP)(train, validation, training=QUICK, seed=0)
    single = [
        fit_module(MLP, train, validation, training=QUICK, learning_rate=rate, seed=0) for rate in QUICK.learning_rates
    ]
    assert chosen.chosen["validation_r2"] == max(run.chosen["validation_r2"] for run in single)
    kept = validation_r2(validation.target, chosen.predict(validation.features))
    assert kept == chosen.chosen["validation_r2"]


def test_fit_module_is_a_plain_adamw_loop():
    train, validation = examples(30), examples(20, seed=1)
    training = Training(epochs=1, batch=7)
    fitted = fit_module(MLP, train, validation, training=training, learning_rate=1e-3, seed=5)
    torch.manual_seed(5)
    module = MLP(300)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=0.01)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(5))
    for batch in order.split(7):
        optimizer.zero_grad()
        loss = ((module(train.features[batch]) - torch.from_numpy(train.target).float()[batch]) ** 2).mean()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(fitted.predict(validation.features), predict(module, validation.features), rtol=1e-5)


def test_a_metanet_whose_every_epoch_is_nan_predicts_nan():
    train = Examples(torch.full((20, 300), float("inf")), np.arange(20.0))
    fitted = fit_module(MLP, train, train, training=QUICK, learning_rate=1e-3, seed=0)
    assert np.isnan(fitted.predict(train.features)).all()


def test_the_mean_baseline_predicts_the_training_mean():
    train, validation = examples(30), examples(20, seed=1)
    fitted = METANETS["mean"].fit(train, validation, training=QUICK, seed=0)
    np.testing.assert_array_equal(fitted.predict(validation.features), np.full(20, train.target.mean()))


def test_ridge_is_linear_regression_with_a_penalty():
    train, validation = examples(30), examples(20, seed=1)
    fitted = METANETS["ridge"].fit(train, validation, training=QUICK, seed=0)
    inputs = train.features.double().numpy()
    scale = ((inputs - inputs.mean(0)) ** 2).sum() / len(inputs)
    runs = [Ridge(alpha=alpha * scale, solver="cholesky").fit(inputs, train.target) for alpha in ALPHAS]
    predictions = [run.predict(validation.features.double().numpy()) for run in runs]
    best = max(predictions, key=lambda predicted: validation_r2(validation.target, predicted))
    np.testing.assert_allclose(fitted.predict(validation.features), best, atol=1e-6)
