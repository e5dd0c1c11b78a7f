"""Nets as torch-geometric's graphs: of nets in memory, or of a zoo, whose weights are read when a graph is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from metanets.graphs.geometric import Batch, Data, Dataset
from metanets.graphs.graph import graph_of
from zoo import Nets, Zoo
from zoo.nets.layout import Layout, views
from zoo.nets.units import CLASSES, INPUT


def graphs(nets: Nets) -> Batch:
    """The nets as one batch of graphs, as `graphs_of` has them. Raises ValueError as it does, and as `Nets.whole`."""
    weights = nets.whole()
    return Batch.from_data_list(graphs_of(weights.to(torch.promote_types(weights.dtype, torch.float32)), nets.layout))


def graphs_of(weights: Float[Tensor, "net entry"], layout: Layout) -> list[Data]:
    """A graph a net, whose `edge_index`, `edge_unit` and the like are those of `Graph`, shared by all nets of a layout.

    `kernels` has the numbers of all edges one after the other, `kernel_size` of them an edge; `channels` bias, scale and
    shift of each output channel of each unit, and `channel_index` the node that it is added to. Raises ValueError where
    the layout has no graph.
    """
    graph, tensors = graph_of(layout), views(weights, layout)
    inputs, classes = graph.nodes_of(INPUT), graph.nodes_of(CLASSES)
    shared: dict[str, Any] = {
        "num_nodes": graph.nodes,
        "edge_index": torch.stack([graph.source, graph.target]),
        "edge_unit": graph.unit,
        "kernel_size": graph.offsets,
        "channel_index": graph.written,
        "channel_unit": graph.unit_of_written,
        "input_index": inputs,
        "input_channel": torch.arange(len(inputs)),
        "class_index": classes,
        "class_number": torch.arange(len(classes)),
    }
    kernels = torch.cat([part.flatten(1) for part in graph.kernels(tensors)], dim=1)
    return [Data(**shared, kernels=own, channels=rows) for own, rows in zip(kernels, graph.channels(tensors), strict=True)]


class ZooGraphs(Dataset):
    """The graphs of a split's nets that did not diverge, with the target as `y` and the net's index in the zoo as `net`.

    One of torch-geometric's data sets: `len`, slices, `transform` and its `DataLoader` work as everywhere. A net's weights
    are read from the zoo's shards when its graph is asked for; nothing is written, and no pickled file is read. Raises
    ValueError where the zoo has no such split or target.
    """

    def __init__(
        self,
        zoo: Zoo,
        split: str = "train",
        target: str = "test_accuracy",
        *,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        zoo.check_target(target)
        self.zoo, self.split, self.target, self._arrays = zoo, split, target, zoo.arrays(split)
        frame = zoo.columns[zoo.columns["split"] == split]
        kept = ~frame["diverged"].to_numpy()
        self._rows, self._targets = np.flatnonzero(kept), frame[target].to_numpy(np.float32)[kept]
        self._nets, self._starts = frame["index"].to_numpy()[kept], np.cumsum([0, *map(len, self._arrays)])
        super().__init__(transform=transform)

    def len(self) -> int:
        """The number of nets."""
        return len(self._rows)

    def get(self, idx: int) -> Data:
        """The graph of one net, [1] its `y` and `net`."""
        row = self._rows[idx]
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        weights = torch.from_numpy(self._arrays[shard][row - self._starts[shard]].astype(np.float32))
        (graph,) = graphs_of(weights.unsqueeze(0), self.zoo.layout)
        graph.y, graph.net = torch.tensor([self._targets[idx]]), torch.tensor([self._nets[idx]])
        return graph
