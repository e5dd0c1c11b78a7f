"""Synthetic zoos in the format of Schürholt et al. 2022: folders of Ray Tune trials with random nets, none trained.

The format is that of the authors' scripts (`def_NN_experiment.py`, `train_zoo_mnist_*.py`) with Ray 1.8: trials called
`NN_tune_trainable_ID_NUMBER_NUMBER_PARAMETERS_TIME`, results as lines of JSON whose first is of the net before training,
with -999 for what was not measured, and a checkpoint with weights and optimiser for each result.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

State = dict[str, Tensor]
CNN_S = {0: (8, 1, 5, 5), 3: (6, 8, 5, 5), 6: (4, 6, 2, 2), 9: (20, 36), 11: (10, 20)}  # number of the layer -> kernel
CNN_S_DROPOUT = dict(zip((0, 4, 8, 11, 14), CNN_S.values(), strict=True))  # with dropout layers, which count too
CNN_L = {0: (16, 3, 3, 3), 4: (32, 16, 3, 3), 8: (15, 32, 3, 3), 13: (20, 60), 16: (10, 20)}
RESNET18 = [(stage, block, 2**stage) for stage in (1, 2, 3, 4) for block in (0, 1)]  # narrow: 2, 4, 8, 16 channels


def cnn(seed: int, layers: dict[int, tuple[int, ...]] = CNN_S) -> State:
    """A random net as `module_list.N.weight|bias`."""
    rng, state = torch.Generator().manual_seed(seed), {}
    for number, shape in layers.items():
        state[f"module_list.{number}.weight"] = torch.randn(shape, generator=rng) / math.sqrt(math.prod(shape[1:]))
        state[f"module_list.{number}.bias"] = torch.randn(shape[:1], generator=rng) * 0.1
    return state


def resnet18(seed: int) -> State:
    """A random net with torchvision's names, buffers of BatchNorm included."""
    rng, state = torch.Generator().manual_seed(seed), {}

    def draw(name: str, *shape: int) -> None:
        state[name] = torch.randn(shape, generator=rng)

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            draw(f"{name}.{part}", channels)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    draw("conv1.weight", 2, 3, 3, 3)
    norm("bn1", 2)
    for stage, block, out in RESNET18:
        into = out if block or stage == 1 else out // 2
        for number, channels in ((1, into), (2, out)):
            draw(f"layer{stage}.{block}.conv{number}.weight", out, channels, 3, 3)
            norm(f"layer{stage}.{block}.bn{number}", out)
        if into != out:
            draw(f"layer{stage}.{block}.downsample.0.weight", out, into, 1, 1)
            norm(f"layer{stage}.{block}.downsample.1", out)
    draw("fc.weight", 10, 16)
    draw("fc.bias", 10)
    return state


def accuracy(state: State) -> float:
    """A test accuracy that is a function of the weights, so that there is something to predict from them."""
    return round(1 / (1 + math.exp(-4 * float(next(iter(state.values())).mean()) * 5)), 4)


def result(state: State, iteration: int, params: dict[str, Any]) -> dict[str, Any]:
    """A line of result.json, as Ray writes it."""
    share = accuracy(state)
    trained = {"train_loss": 2 - share, "train_acc": share * 0.9} if iteration else {"train_loss": -999, "train_acc": -999}
    ray = {"timesteps_total": None, "done": False, "trial_id": "0b6e8_00000", "date": "2021-08-30_12-34-56", "pid": 4711}
    return {**trained, "test_loss": 2.5 - share, "test_acc": share, **ray, "training_iteration": iteration, "config": params}


def trial(folder: Path, states: dict[int, State], results: list[dict[str, Any]], params: dict[str, Any]) -> Path:
    """Writes a trial: its weights by number of the checkpoint, the lines of its results, its parameters."""
    for number, state in states.items():
        place = folder / f"checkpoint_{number:06d}"
        place.mkdir(parents=True)
        torch.save(state, place / "checkpoints")
        torch.save({"state": {}, "param_groups": [{"lr": 1e-3, "params": [0]}]}, place / "optimizer")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.json").write_text(json.dumps(params, indent=2, sort_keys=True))
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in results))
    return folder


def params_of(number: int) -> dict[str, Any]:
    """The parameters of a trial of `tune_zoo_mnist_hyperparameter_10_random_seeds`."""
    return {
        "cuda": False,
        "dataset::dump": "/netscratch/zoos/MNIST/tune_zoo/dataset.pt",
        "model::channels_in": 1,
        "model::dropout": 0.5 * (number % 2),
        "model::init_type": ("uniform", "normal", "kaiming_uniform", "kaiming_normal")[number // 2 % 4],
        "model::nlin": ("tanh", "relu", "sigmoid", "gelu")[number // 8 % 4],
        "model::o_dim": 10,
        "model::type": "CNN",
        "optim::lr": (1e-3, 1e-4)[number // 3 % 2],
        "optim::momentum": 0.9,
        "optim::optimizer": ("adam", "sgd")[number // 5 % 2],
        "optim::wd": (1e-3, 1e-4)[number // 7 % 2],
        "seed": 1000 + 37 * number,
        "training::batchsize": 10,
        "training::epochs_train": 2,
        "training::loss": "nll",
    }


def name_of(number: int) -> str:
    """What Ray calls the folder of a trial."""
    drawn = f"model::dropout={0.5 * (number % 2)},seed={1000 + 37 * number}"
    return f"NN_tune_trainable_0b6e8_{number:05}_{number}_{drawn}_2021-08-30_12-34-56"


def zoo(folder: Path, *, trials: int = 4, epochs: int = 2) -> Path:
    """Writes a zoo of CNN-s with one input channel, where nets with dropout number their layers otherwise."""
    for number in range(trials):
        params = params_of(number)
        layers = CNN_S_DROPOUT if params["model::dropout"] else CNN_S
        states = {epoch: cnn(1000 * number + epoch, layers) for epoch in range(epochs + 1)}
        lines = [result(state, epoch, params) for epoch, state in states.items()]
        trial(folder / name_of(number), states, lines, params)
    (folder / "config.json").write_text(json.dumps({"optim::lr": {"grid_search": [0.001, 0.0001]}, "optim::momentum": 0.9}))
    images = TensorDataset(torch.zeros(2, 1, 28, 28), torch.zeros(2, dtype=torch.long))
    torch.save({"trainset": images, "testset": images, "dataset_seed": 42}, folder / "dataset.pt")
    return folder
