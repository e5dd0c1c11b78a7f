"""Nets as graphs: NG-GNN, dense and on torch-geometric's graphs, and the data set of a zoo's graphs."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from metanets import Examples, Training
from metanets.fit import fit_module
from metanets.graphs import ZooGraphs, graphs
from metanets.graphs.dense import RECIPE, DenseNeuralGraph
from metanets.graphs.geometric import Batch
from metanets.graphs.graph import graph_of
from metanets.graphs.maps import Maps
from metanets.graphs.messages import Messages
from metanets.graphs.neural_graph import NeuralGraph
from metanets.graphs.zoo_graphs import graphs_of
from metanets.table import of_the_suite
from zoo.nets import mlp, resnet
from zoo.nets.layout import from_shapes, total, views
from zoo.seeds import stream
from zoo.symmetry import act, draw
from zoo.symmetry.group import acting, masked

LAYOUTS = {
    "resnet": resnet.layout(width=0.25, channels=3, classes=10),
    "perceptron": mlp.layout(width=1.0, channels=1, pixels=9, classes=10, hidden=(8, 6)),
    "with norms": mlp.layout(width=1.0, channels=1, pixels=9, classes=10, hidden=(8, 6), norm=True),
}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def weights_of(layout, count=4):
    """Random nets, some of larger weights than others."""
    drawn = torch.randn(count, total(layout), generator=stream("graphs", total(layout)))
    return drawn * torch.linspace(0.1, 0.8, count).unsqueeze(1)


def nets_of(layout, weights):
    size, count = total(layout), len(weights)
    shared = layout, torch.ones(size, dtype=torch.bool), torch.zeros(size)
    return zoo.Nets(np.arange(count), weights, pd.DataFrame(index=range(count)), *shared, masked(acting(layout), shared[1]))


def build(kind, given):
    torch.manual_seed(3)
    return kind(given, hidden=16)


def both(layout):
    """The dense form and the one on graphs, with the same parameters, each as a function of weights."""
    dense, sparse = build(DenseNeuralGraph, layout), build(NeuralGraph, (layout,))
    sparse.load_state_dict(dense.state_dict())
    return {
        dense: lambda weights: dense(views(weights, layout)),
        sparse: lambda weights: sparse(Batch.from_data_list(graphs_of(weights, layout))),
    }


@layouts
def test_no_order_of_channels_moves_a_prediction(layout):
    weights = weights_of(layout)
    group = nets_of(layout, weights).group
    moved = act(weights, layout, draw(group, len(weights), stream("orders"), kinds=("permutation",)))
    assert group.orders
    assert not torch.equal(moved, weights)
    for predict in both(layout).values():
        before, after = predict(weights), predict(moved)
        assert before.std() > 100 * (after - before).abs().max()
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6)


@layouts
def test_the_dense_form_is_the_one_on_graphs_with_its_gradients(layout):
    weights, found = weights_of(layout), []
    for module, predict in both(layout).items():
        predicted = predict(weights)
        predicted.square().sum().backward()
        found.append((predicted, {name: part.grad for name, part in module.named_parameters()}))
    (dense, of_dense), (sparse, of_sparse) = found
    torch.testing.assert_close(dense, sparse, rtol=0, atol=1e-5)
    torch.testing.assert_close(of_dense, of_sparse, rtol=1e-3, atol=1e-5)
    assert all(part.any() for part in of_sparse.values())


def test_nets_of_several_architectures_in_one_batch_are_predicted_as_each_alone():
    module = build(NeuralGraph, tuple(LAYOUTS.values()))
    made = [graph for layout in LAYOUTS.values() for graph in graphs_of(weights_of(layout, 2), layout)]
    mixed = [made[number] for number in (4, 0, 2, 5, 1, 3)]
    alone = torch.cat([module(Batch.from_data_list([graph])) for graph in mixed])
    torch.testing.assert_close(module(Batch.from_data_list(mixed)), alone, rtol=0, atol=1e-6)


def test_a_width_1_resnet_has_the_graph_of_its_channels():
    graph = graph_of(resnet.layout(width=1.0, channels=3, classes=10))
    assert (graph.nodes, len(graph.source)) == (237, 11_440)
    assert sum(len(graph.nodes_of(space)) for space in graph.spaces) == 237


@layouts
def test_each_edge_carries_the_kernel_between_its_channels_and_each_node_its_vectors(layout):
    weights = weights_of(layout, 1)
    graph, (made,), tensors = graph_of(layout), graphs_of(weights, layout), views(weights, layout)
    kernels = made.kernels.split(made.kernel_size.tolist())
    for (source, target), number, kernel in zip(made.edge_index.T.tolist(), made.edge_unit.tolist(), kernels, strict=True):
        unit = graph.units[number]
        out, into = target - graph.spaces[unit.writes].start, source - graph.spaces[unit.reads].start
        own = tensors[unit.weight.name][0, out, into].flatten()
        torch.testing.assert_close(kernel, own * (unit.weight.size / unit.weight.shape[0]) ** 0.5)
    for unit, rows in zip(graph.units, made.channels.split(made.channel_unit.bincount().tolist()), strict=True):
        for role, column in zip(("bias", "scale", "shift"), rows.T, strict=True):
            entry = unit.vectors.get(role)
            assert torch.equal(column, tensors[entry.name][0] if entry else torch.zeros_like(column))


def test_the_gradient_of_messages_is_that_of_what_they_compute():
    rng = stream("messages")
    shapes = (2, 3, 4, 2), (2, 3, 4, 2), (2, 3, 2), (2, 4, 2)
    given = [torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(Messages.apply, given)


@layouts
@pytest.mark.parametrize("size", [0.0, 1e-15])
def test_gradients_are_finite_where_weights_are_all_but_zero(layout, size):
    for module, predict in both(layout).items():
        weights = (weights_of(layout) * size).requires_grad_()
        predict(weights).sum().backward()
        assert weights.grad.isfinite().all()
        assert all(part.grad.isfinite().all() for part in module.parameters())


def test_16_nets_are_learned_by_heart(standard):
    made = zoo.open(standard)
    nets = made.nets("train")
    nets = nets.only(np.arange(len(nets)) < 16)
    some = Examples(nets.tensors(), made.columns["test_accuracy"].to_numpy(np.float64)[nets.index], nets.layout)
    training = Training(**RECIPE | {"epochs": 80, "batch": 8})
    fitted = fit_module(partial(DenseNeuralGraph, hidden=16), some, some, training=training, learning_rate=3e-3, seed=0)
    assert fitted.chosen["validation_r2"] > 0.99


def test_in_canonical_form_no_symmetry_moves_a_prediction(standard):
    nets = zoo.open(standard).nets("test")
    moved = replace(nets, weights=act(nets.weights, nets.layout, draw(nets.group, len(nets), stream("any"))))
    metanet, module = of_the_suite("neural_graph+canonical"), build(DenseNeuralGraph, nets.layout)
    before, after, plain = (
        module(features) for features in (metanet.features(nets), metanet.features(moved), moved.tensors())
    )
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert (plain - before).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["standard", "asymmetric"])
def test_the_graphs_of_a_zoo_are_its_nets_with_their_targets(family, request):
    from torch_geometric.loader import DataLoader

    folder = request.getfixturevalue(family)
    files = sorted(folder.rglob("*"))
    made = zoo.open(folder)
    data, nets = ZooGraphs(made, "validation", "train_loss"), made.nets("validation")
    (batch,) = DataLoader(data, batch_size=len(data))
    expected = graphs(nets)
    assert all(torch.equal(batch[key], part) for key, part in expected.to_dict().items() if torch.is_tensor(part))
    assert batch.net.tolist() == nets.index.tolist()
    assert batch.y.tolist() == made.columns["train_loss"][nets.index].astype(np.float32).tolist()
    assert [graph.net.item() for graph in data[2:4]] == nets.index[2:4].tolist()
    assert sorted(folder.rglob("*")) == files


def test_what_cannot_be_read_is_told():
    made = Batch.from_data_list(graphs_of(weights_of(LAYOUTS["resnet"]), LAYOUTS["resnet"]))
    with pytest.raises(ValueError, match=r"kernels of so many numbers: \[1, 9\]"):
        build(NeuralGraph, (LAYOUTS["perceptron"],))(made)
    with pytest.raises(ValueError, match="found none"):
        graph_of(from_shapes([("a.weight", (4, 3), "linear", ("A", "B"))]))
    with pytest.raises(ValueError, match=r"b\.weight"):
        graph_of(from_shapes([("a.weight", (4, 3), "linear", ("A", None)), ("b.weight", (2, 5), "linear", (None, "A"))]))
    with pytest.raises(ValueError, match="one number of classes"):
        Maps((LAYOUTS["resnet"], resnet.layout(width=0.25, channels=3, classes=3)), hidden=4, layers=1)


def test_torch_geometric_is_imported_when_graphs_are_asked_for_and_without_a_warning():
    code = (
        "import sys, metanets.table, benchmark.scoring.score; assert 'torch_geometric' not in sys.modules\n"
        "import warnings; warnings.simplefilter('error')\n"
        "from metanets.graphs import ZooGraphs; assert 'torch_geometric' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_in_float64_it_computes_in_float64(standard):
    nets = zoo.open(standard).nets("test")
    module = build(DenseNeuralGraph, nets.layout)
    single = module(nets.tensors())
    double = module.double()({name: tensor.double() for name, tensor in nets.tensors().items()})
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)
