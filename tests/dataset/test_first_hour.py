"""A zoo in the hands of a newcomer: arrays for scikit-learn, nets by number, PyTorch's DataLoader, columns in order."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import zoo
from zoo.dataset.zoo_dataset import ZooDataset


@pytest.fixture(scope="module", params=["standard", "asymmetric"])
def made(request) -> zoo.Zoo:
    return zoo.open(request.getfixturevalue(request.param))


@pytest.mark.parametrize("inputs", ["trained", "all"])
def test_xy_is_the_nets_and_their_target_as_numpy_arrays(made, inputs):
    x, y = made.xy("validation", "test_loss", inputs=inputs)
    nets = made.nets("validation", inputs=inputs)
    assert (type(x), x.dtype, type(y), y.dtype) == (np.ndarray, np.float32, np.ndarray, np.float64)
    np.testing.assert_array_equal(x, nets.weights.numpy())
    np.testing.assert_array_equal(y, made.columns["test_loss"].to_numpy()[nets.index])


def test_xy_of_an_unknown_split_or_target_says_what_there_is(made):
    with pytest.raises(ValueError, match="unknown split 'trian'; did you mean train"):
        made.xy("trian")
    with pytest.raises(ValueError, match="unknown target 'accuracy'"):
        made.xy("train", "accuracy")


def test_a_net_by_its_number_and_one_after_the_other_is_the_net(made):
    for number, net in enumerate(islice(made, 2)):
        for found in (made[number], made[number - len(made)], made[np.int64(number)]):
            assert all(torch.equal(found[name], net[name]) for name in made.net(number))
    assert sum(1 for _ in made) == len(made)
    with pytest.raises(IndexError, match=f"no net {len(made)}; it has nets 0 to {len(made) - 1}"):
        made[len(made)]


@pytest.mark.parametrize("inputs", ["trained", "all"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_loader_gives_what_xy_gives(made, inputs, workers):
    loader = DataLoader(ZooDataset(made, "test", inputs=inputs), batch_size=5, num_workers=workers)
    x, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
    wanted = made.xy("test", inputs=inputs)
    np.testing.assert_array_equal(x.numpy(), wanted[0])
    np.testing.assert_array_equal(y.numpy(), wanted[1].astype(np.float32))


def test_columns_begin_with_the_net_its_targets_and_hyper_parameters(made):
    names = list(made.columns)
    assert names[:3] == ["index", "split", "test_accuracy"]
    assert names.index("train_loss") < names.index("learning_rate") < names.index("seed")
    assert len(set(names)) == len(names)
