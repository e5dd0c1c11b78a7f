"""NG-GNN (Kofinas et al. 2024, arXiv 2403.12143) on torch-geometric's graphs, of nets of any mix of architectures."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from metanets.graphs.geometric import Batch, MessagePassing, scatter
from metanets.graphs.maps import TINY, EdgeUpdate, Layer, Maps
from zoo.nets.layout import Layout


class NeuralGraph(nn.Module):
    """Message passing with FiLM, PNA's aggregates and edge updates on a net's graph; the classes' nodes are read out.

    Published: hidden 256 on the small CNN zoo and 64 on the CNN wild park, 4 layers, messages along the net's direction.
    Departures: weights pass through a linear map a kernel size, SiLU and a linear map instead of random Fourier features;
    residual streams are shared nodes; norms are read; the prediction is linear, without a sigmoid behind it. Edges farther
    than `layers` - 1 edges from the classes, along the shortest way, reach no prediction.
    """

    def __init__(self, layouts: tuple[Layout, ...], *, hidden: int = 64, layers: int = 4) -> None:
        super().__init__()
        self.maps, self.passing = Maps(layouts, hidden=hidden, layers=layers), Passing()

    def forward(self, batch: Batch) -> Float[Tensor, " net"]:
        """One prediction for each net of a batch of `graphs`. Raises ValueError where the layouts had nothing of a net's."""
        self._check(batch)
        nodes, edges = self._nodes(batch), self._edges(batch)
        degree = scatter(torch.ones_like(batch.edge_unit), batch.edge_index[1], dim_size=batch.num_nodes)
        for layer in self.maps.layers:
            nodes = self._gathered(layer, nodes, edges, batch.edge_index, degree)
            if layer.edge is not None:
                edges = _updated(layer.edge, nodes, edges, batch.edge_index)
        return self.maps.read_out(nodes[batch.class_index].unflatten(0, (-1, self.maps.classes.num_embeddings)))

    def _check(self, batch: Batch) -> None:
        maps, sizes = self.maps, batch.kernel_size.unique().tolist()
        units, inputs, classes = (int(of.max()) + 1 for of in (batch.edge_unit, batch.input_channel, batch.class_number))
        all_classes = batch.num_graphs * maps.classes.num_embeddings
        found = {
            "kernels of so many numbers": (sizes, set(sizes) <= set(maps.offsets)),
            "units": (units, units <= maps.of_unit.num_embeddings),
            "input channels": (inputs, inputs <= maps.inputs.num_embeddings),
            "classes": (classes, classes == maps.classes.num_embeddings and len(batch.class_index) == all_classes),
        }
        for what, (number, known) in found.items():
            if not known:
                raise ValueError(
                    f"these graphs have {what}: {number}, which no layout given has; give this metanet their layout"
                )

    def _nodes(self, batch: Batch) -> Float[Tensor, "node hidden"]:
        maps = self.maps
        channels = maps.channels(batch.channels, batch.channel_unit)
        nodes = scatter(channels, batch.channel_index, dim_size=batch.num_nodes)
        nodes = nodes.index_add(0, batch.input_index, maps.inputs(batch.input_channel))
        return nodes.index_add(0, batch.class_index, maps.classes(batch.class_number))

    def _edges(self, batch: Batch) -> Float[Tensor, "edge hidden"]:
        maps, start = self.maps, batch.kernel_size.cumsum(0) - batch.kernel_size
        edges = maps.of_unit(batch.edge_unit)
        for size in maps.offsets:
            (of_size,) = torch.nonzero(batch.kernel_size == size, as_tuple=True)
            places = start[of_size].unsqueeze(1) + torch.arange(size, device=start.device)
            edges = edges.index_add(0, of_size, maps.kernels[str(size)](batch.kernels[places]))
        return maps.edge(nn.functional.silu(edges))

    def _gathered(
        self, layer: Layer, nodes: Tensor, edges: Tensor, edge_index: Tensor, degree: Tensor
    ) -> Float[Tensor, "node hidden"]:
        target, source = layer.of_target(nodes), layer.of_source(nodes)
        scale, shift = layer.film(edges).chunk(2, dim=1)
        aggregates = self.passing(edge_index, target, source, scale, shift)
        amplified = aggregates * self.maps.amplified(degree)
        return layer.norm(layer.gather(torch.cat([nodes, aggregates, amplified], dim=1)))


class Passing(MessagePassing):
    """Messages along the edges, and PNA's aggregates of them at each node (Corso et al. 2020, arXiv 2004.05718)."""

    def __init__(self) -> None:
        super().__init__(aggr=None)

    def forward(self, edge_index: Tensor, target: Tensor, source: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The aggregates at each node, [node, 4 * hidden]."""
        return self.propagate(edge_index, target=target, source=source, scale=scale, shift=shift)

    def message(self, target_i: Tensor, source_j: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """An edge's message from its ends, scaled and shifted by its state."""
        return scale * (target_i + source_j) + shift

    def aggregate(self, inputs: Tensor, index: Tensor, dim_size: int) -> Tensor:
        """Mean, min, max and deviation, [node, 4 * hidden]; 0 at nodes without a message."""
        mean, least, greatest = (scatter(inputs, index, dim_size=dim_size, reduce=name) for name in ("mean", "min", "max"))
        variance = scatter((inputs - mean[index]).square(), index, dim_size=dim_size, reduce="mean")
        some = scatter(torch.ones_like(index), index, dim_size=dim_size).clamp(max=1).unsqueeze(1)
        return torch.cat([mean, least, greatest, (variance + TINY).sqrt() * some], dim=1)


def _updated(
    update: EdgeUpdate, nodes: Tensor, edges: Tensor, edge_index: Int[Tensor, "2 edge"]
) -> Float[Tensor, "edge hidden"]:
    source, target = update.of_source(nodes)[edge_index[0]], update.of_target(nodes)[edge_index[1]]
    return update.out(nn.functional.silu(update.of_edge(edges) + source + target))
