"""How fast metanets that read structure learn: graphs one after the other, a batch of them, and dense forms, in one run.

    python benchmark/speed/graphs.py [--nets 16] [--width 0.5] [--hidden 64]

Milliseconds a net, forward and backward, on one thread, of CIFAR-10's ResNet8 of this width with initial weights, in one
batch; the graphs are made beforehand. The first three are NG-GNN with the same parameters and predictions
(tests/metanets/test_graphs.py), as anyone would write it, as the library batches it, and dense; then all others, dense.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

if Path(sys.path[0]) == Path(__file__).parent:  # run by its path
    sys.path[0] = str(Path(__file__).parents[2])

import torch
from torch import Tensor

from metanets.graphs import NeuralGraph, graphs_of
from metanets.graphs.dense import DenseNeuralGraph
from metanets.graphs.geometric import Batch
from metanets.structured.mp_gmn import MPGMN
from metanets.structured.mp_scale_gmn import MPScaleGMN
from metanets.structured.nfn import NFN
from metanets.structured.scale_gmn import ScaleGMN
from metanets.structured.set_of_channels import SetOfChannels
from zoo import load
from zoo.nets.layout import views
from zoo.seeds import net_seed
from zoo.spec.resolve import blueprint
from zoo.training.machine import one_thread_that_keeps_its_memory

REPEATS = 3
OTHERS: dict[str, Callable[..., torch.nn.Module]] = {
    "mp_gmn": MPGMN,
    "mp_scale_gmn": MPScaleGMN,
    "scale_gmn": ScaleGMN,
    "nfn": NFN,
    "nfn_np": partial(NFN, own_axes=False),
    "set_of_channels": SetOfChannels,
}


def contenders(*, nets: int, width: float, hidden: int) -> dict[str, Callable[[], Tensor]]:
    """What each contender predicts of all nets."""
    spec = load("cifar10-resnet8-standard", {"net.width": width})
    shared = blueprint(spec)
    layout, weights = shared.layout, torch.stack([shared.initial(net_seed(spec.seed, index)) for index in range(nets)])
    sparse, dense = NeuralGraph((layout,), hidden=hidden), DenseNeuralGraph(layout, hidden=hidden)
    made, tensors = graphs_of(weights, layout), views(weights, layout)
    single, batch = [Batch.from_data_list([graph]) for graph in made], Batch.from_data_list(made)
    return {
        "single graphs": lambda: torch.cat([sparse(graph) for graph in single]),
        "batch of graphs": lambda: sparse(batch),
        "dense": lambda: dense(tensors),
        **{name: partial(module(layout), tensors) for name, module in OTHERS.items()},
    }


def seconds(predict: Callable[[], Tensor]) -> float:
    """Of a forward and a backward pass."""
    begun = time.process_time()  # of this process: what else runs on the machine does not count
    predict().sum().backward()
    return time.process_time() - begun


def main() -> None:
    """Prints milliseconds a net as JSON, and how many times as fast as single graphs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=16)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--hidden", type=int, default=64)
    given = parser.parse_args()
    one_thread_that_keeps_its_memory()
    found = contenders(nets=given.nets, width=given.width, hidden=given.hidden)
    taken = {name: min(seconds(predict) for _ in range(REPEATS)) * 1e3 / given.nets for name, predict in found.items()}
    ratios = {name: round(taken["single graphs"] / one, 2) for name, one in taken.items()}
    print(json.dumps({"ms_per_net": {name: round(one, 2) for name, one in taken.items()}, "ratio": ratios}))


if __name__ == "__main__":
    main()
