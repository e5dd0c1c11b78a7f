"""How fast metanets are trained: plain PyTorch loops written from the paper against `metazoo score`, in one run.

    python benchmark/speed/metanets.py [--metanets mlp dmc deepsets statnn] [--nets 256]

An epoch trains on so many nets of 78,042 weights (the paper's) in batches of 128, then predicts half as many for
validation. Contenders: (files) the plain loop of the official code, one `.pt` file a net read at every epoch, statistics
recomputed; (plain) the same with all weights in memory, statistics still recomputed at every epoch; both in one process
with all threads; (metazoo) what `metazoo score` does, one process of one thread a core, each with its own seed, features
computed once. Given are milliseconds a training net and epoch; `table` is the paper's table, 4 metanets x 2 zoos of
10,000 nets x 5 seeds x 50 epochs. Weights are random, drawn as those of untrained nets; speed does not depend on them.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path: this file's own name hides the package's
    sys.path[0] = str(Path(__file__).parents[2])

import numpy as np
import pandas as pd
import psutil
import torch
from torch import Tensor, nn

from metanets import Examples, Training
from metanets.deepsets import DeepSets
from metanets.dmc.dmc import DMC
from metanets.mlp import MLP
from metanets.statnn import StatNN
from metanets.table import METANETS
from zoo import Nets, load
from zoo.nets.blueprint import Blueprint
from zoo.seeds import net_seed
from zoo.spec.resolve import blueprint
from zoo.training.machine import one_thread_that_keeps_its_memory

BATCH, RATE = 128, 1e-3
TRAIN, EPOCHS, SEEDS, ZOOS = 5_000, 50, 5, 2  # of the paper's table; 10,000 nets a zoo, half of them for training


def drawn(count: int) -> tuple[Blueprint, Tensor]:
    """The initial weights [net, weight] of so many of the paper's nets."""
    spec = load("cifar10-resnet8-standard")
    shared = blueprint(spec)
    return shared, torch.stack([shared.initial(net_seed(spec.seed, index)) for index in range(count)])


def plain_statistics(shared: Blueprint, weights: Tensor) -> Tensor:
    """The 203 statistics of each net as a script would compute them."""
    parts = []
    for entry in shared.layout:
        values = weights[:, entry.slice]
        quartiles = torch.quantile(values, torch.tensor([0.25, 0.5, 0.75]), dim=1).T
        parts.append(torch.stack([values.mean(1), values.var(1), values.amin(1), values.amax(1)], dim=1))
        parts.append(quartiles)
    return torch.cat(parts, dim=1)


PLAIN: dict[str, Callable[[int], nn.Module]] = {
    "mlp": MLP,
    "dmc": lambda weights: DMC(weights, plain=True),
    "deepsets": lambda weights: DeepSets(weights, exact=True),
    "statnn": lambda weights: StatNN(203),
}


def plain_epoch(name: str, read: Callable[[Tensor], Tensor], count: int) -> float:
    """Seconds of an epoch of the plain loop; `read` gives the weights of the nets with these numbers."""
    shared, _ = drawn(1)
    torch.manual_seed(0)
    module, target = PLAIN[name](len(shared.trained)), torch.rand(count + count // 2)
    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=0.01)

    def inputs(chosen: Tensor) -> Tensor:
        weights = read(chosen)
        return plain_statistics(shared, weights) if name == "statnn" else weights

    def epoch() -> None:
        module.train()
        for chosen in torch.randperm(count).split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(module(inputs(chosen)), target[chosen]).backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            for chosen in torch.arange(count, count + count // 2).split(BATCH):
                module(inputs(chosen))

    begun = time.perf_counter()
    epoch()
    return time.perf_counter() - begun


def files_epoch(name: str, shared: Blueprint, weights: Tensor, count: int) -> float:
    """Seconds of an epoch with a `.pt` file a net, (state_dict, accuracy), as the official code keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(weights):
            state = {entry.name: row[entry.slice].view(entry.shape).clone() for entry in shared.layout}
            torch.save((state, 50.0), f"{folder}/{number}.pt")

        def read(chosen: Tensor) -> Tensor:
            states = [torch.load(f"{folder}/{number}.pt", weights_only=True)[0] for number in chosen.tolist()]
            return torch.stack([torch.cat([tensor.flatten() for tensor in state.values()]) for state in states])

        return plain_epoch(name, read, count)


def _ours(queue: Any, start: Any, name: str, count: int, epochs: int, seed: int) -> None:
    one_thread_that_keeps_its_memory()
    metanet = METANETS[name]
    shared, weights = drawn(count + count // 2)
    begun = time.perf_counter()
    columns = pd.DataFrame(index=range(len(weights)))
    nets = Nets(np.arange(len(weights)), weights, columns, shared.layout, shared.trained, shared.fixed)
    features = metanet.features(nets)
    preparing = time.perf_counter() - begun
    target = np.random.default_rng(0).random(len(weights))
    train, validation = (Examples(features[part], target[part]) for part in (slice(0, count), slice(count, None)))
    fit = metanet.fit
    fit(train, validation, training=Training(epochs=1, learning_rates=(RATE,)), seed=seed)
    start.wait()
    begun = time.perf_counter()
    fit(train, validation, training=Training(epochs=epochs, learning_rates=(RATE,)), seed=seed)
    queue.put((preparing, time.perf_counter() - begun))


def ours(name: str, count: int, epochs: int) -> tuple[float, float]:
    """Seconds of the features of all nets once, and of an epoch; all cores at work, each on a run of its own."""
    spawn, cores = multiprocessing.get_context("spawn"), psutil.cpu_count(logical=False) or 1
    queue, start = spawn.Queue(), spawn.Barrier(cores)
    workers = [spawn.Process(target=_ours, args=(queue, start, name, count, epochs, seed)) for seed in range(cores)]
    for worker in workers:
        worker.start()
    found = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    preparing, fitting = (sum(values) / cores for values in zip(*found, strict=True))
    return preparing / cores, fitting / epochs / cores


def measure(name: str, nets: int) -> dict[str, float]:
    """Milliseconds a training net and epoch of each contender, and of preparing a net once."""
    few = min(nets, BATCH) if name in ("dmc", "deepsets") else nets  # the plain ones take 0.1 s a net
    shared, weights = drawn(few + few // 2)
    plain_epoch(name, weights.__getitem__, min(few, 8))  # first touches
    plain = min(plain_epoch(name, weights.__getitem__, few) for _ in range(1 if few < nets else 3))
    files = files_epoch(name, shared, weights, few)
    preparing, fitting = ours(name, nets, epochs=2 if name == "dmc" else 8)
    per_net = 1e3 / nets
    return {
        "files": files * 1e3 / few,
        "plain": plain * 1e3 / few,
        "metazoo": fitting * per_net,
        "once": preparing * per_net / 1.5,
    }


def hours(ms: float, once: float = 0.0) -> float:
    """Of one metanet's row of the paper's table."""
    return ZOOS * (SEEDS * EPOCHS * TRAIN * ms + 2 * TRAIN * once) / 3.6e6


def main() -> None:
    """Prints a line a metanet, and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metanets", nargs="+", choices=PLAIN, default=list(PLAIN))
    parser.add_argument("--nets", type=int, default=256, help="for training; half as many for validation")
    given = parser.parse_args()
    print(f"{'ms a net and epoch':20} {'files':>9} {'plain':>9} {'metazoo':>9} {'once':>7} {'ratio':>7} {'hours':>14}")
    ratios: dict[str, dict[str, float]] = {}
    total = {"plain": 0.0, "metazoo": 0.0}
    for name in given.metanets:
        found = measure(name, given.nets)
        plain, mine = hours(found["plain"]), hours(found["metazoo"], found["once"])
        total["plain"] += plain
        total["metazoo"] += mine
        ratio = found["plain"] / found["metazoo"]
        ratios[name] = {"ratio": round(ratio, 2), "ms_per_net": round(found["metazoo"], 4)}
        print(
            f"{name:20} {found['files']:9.3f} {found['plain']:9.3f} {found['metazoo']:9.4f} {found['once']:7.3f} "
            f"{ratio:7.1f} {plain:6.1f} {mine:7.2f}",
            flush=True,
        )
    ratios["table"] = {"ratio": round(total["plain"] / total["metazoo"], 2), "hours": round(total["metazoo"], 2)}
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
