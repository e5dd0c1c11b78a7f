"""What metanets read: nets with their structure, the table of inputs, batches of any kind."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from imported_zoo import foreign

import zoo
from metanets.inputs import batch as batches
from metanets.inputs.table import INPUTS
from zoo.dataset.nets import Nets
from zoo.importers.source_zoo import write


@pytest.fixture(params=["standard", "asymmetric"])
def made(request):
    return zoo.open(request.getfixturevalue(request.param))


def test_tensors_are_those_of_each_nets_state_dict(made):
    nets = made.nets("test")
    tensors = nets.tensors()
    assert list(tensors) == [entry.name for entry in made.layout]
    for row, index in enumerate(nets.index):
        for name, tensor in made.net(int(index)).items():
            assert torch.equal(tensors[name][row], tensor)


def test_trained_entries_and_whole_vectors_give_the_same_tensors(made):
    one, other = made.nets("train").tensors(), made.nets("train", inputs="all").tensors()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_masks_say_what_was_trained_and_fixed_entries_are_the_same_in_all_nets(made):
    nets = made.nets("train")
    masks, tensors = nets.masks(), nets.tensors()
    assert sum(int(mask.sum()) for mask in masks.values()) == int(made.blueprint.trained.sum())
    for name, mask in masks.items():
        fixed = tensors[name][:, ~mask]
        assert torch.equal(fixed, fixed[:1].expand_as(fixed))
    assert all(mask.all() for mask in masks.values()) == (made.spec.family == "standard")


def test_entries_that_differ_without_being_trained_need_the_whole_nets(tmp_path):
    write(foreign(), tmp_path / "theirs")
    made = zoo.open(tmp_path / "theirs")
    with pytest.raises(ValueError, match="inputs='all'"):
        made.nets("train").tensors()
    tensors = made.nets("train", inputs="all").tensors()
    assert tensors["one.running_mean"].std(dim=0).min() > 0


def test_one_hyper_parameter_is_read_without_a_warning(made):
    nets = made.nets("train")
    rate = np.linspace(0.1, 1, len(nets))
    rate.flags.writeable = False  # as an imported zoo's are
    read = INPUTS["hyper_parameters"].of(replace(nets, hyper_parameters=pd.DataFrame({"rate": rate}, copy=False)))
    assert read.flatten().tolist() == rate.astype(np.float32).tolist()


def test_nets_whose_layers_are_not_known_are_refused_with_a_way_to_read_them(made):
    nets = made.nets("train", inputs="all")
    layout = tuple(replace(entry, axes=(None,) * len(entry.axes)) for entry in nets.layout)
    with pytest.raises(ValueError, match=r'is not known: .*reads = "tensors"'):
        INPUTS["layers"].of(replace(nets, layout=layout))


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_is_a_batch_with_a_row_for_each_net(made, name):
    nets = made.nets("train", inputs="all" if INPUTS[name].whole else "trained")
    batch = INPUTS[name].read(nets)
    assert batches.length(batch) == len(nets)
    chosen = torch.tensor([5, 0, 3])
    again = INPUTS[name].read(some(nets, chosen))
    same(batches.rows(batch, chosen), again)
    same(batches.to(again, "cpu"), again)
    assert sum(batches.length(part) for part in batches.parts(batch, 7)) == len(nets)
    same(next(batches.parts(batch, 7)), INPUTS[name].read(some(nets, torch.arange(7))))


@pytest.mark.parametrize("name", INPUTS)
def test_floats_are_float32_whatever_the_zoo_keeps(made, name):
    nets = made.nets("train", inputs="all" if INPUTS[name].whole else "trained")
    batch = batches.floats(INPUTS[name].read(replace(nets, weights=nets.weights.half())))
    assert {part.dtype for part in (batch.values() if isinstance(batch, dict) else [batch])} == {torch.float32}


def test_the_number_of_inputs_is_what_stands_for_one_net(made):
    nets = made.nets("train")
    assert batches.numbers(INPUTS["vector"].read(nets)) == nets.weights.shape[1]
    assert batches.numbers(INPUTS["tensors"].read(nets)) == sum(entry.size for entry in made.layout)
    with pytest.raises(TypeError, match="list"):
        batches.numbers([1, 2])


def test_graphs_are_counted_and_chosen_as_graphs():
    data = pytest.importorskip("torch_geometric.data", reason="torch-geometric is not installed")
    graphs = [data.Data(x=torch.full((size, 1), float(size)), y=torch.tensor([size])) for size in (2, 3, 4)]
    batch = data.Batch.from_data_list(graphs)
    assert batches.length(batch) == 3
    assert batches.rows(batch, torch.tensor([2, 0])).x.flatten().tolist() == [4.0] * 4 + [2.0] * 2
    assert [batches.length(part) for part in batches.parts(batch, 2)] == [2, 1]


def some(nets: Nets, rows: torch.Tensor) -> Nets:
    numbers = rows.numpy()
    return replace(
        nets, index=nets.index[numbers], weights=nets.weights[rows], hyper_parameters=nets.hyper_parameters.iloc[numbers]
    )


def same(one, other) -> None:
    for part, again in zip(*(batch.values() if isinstance(batch, dict) else [batch] for batch in (one, other)), strict=True):
        np.testing.assert_array_equal(part.numpy(), again.numpy())
