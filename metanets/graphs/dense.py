"""NG-GNN for nets of one layout, without an index: an edge's place in its unit's weight says which nodes it joins."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from metanets.graphs.graph import graph_of
from metanets.graphs.maps import TINY, EdgeUpdate, Layer, Maps
from metanets.graphs.messages import Messages
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, INPUT

# AdamW's rate and decay and the clipping are those of Kofinas et al.; fewer nets a step than their 128, since our zoos have
# hundreds of nets and not thousands, and so warm-up and cosine, which they do without.
RECIPE: dict[str, Any] = {
    "learning_rates": (1e-3,),
    "weight_decay": 5e-4,
    "batch": 16,
    "clip": 10.0,
    "warm_up": 0.1,
    "schedule": "cosine",
    "standardise": True,
}


class DenseNeuralGraph(nn.Module):
    """NG-GNN as `NeuralGraph` has it, for nets of one layout: the same parameters and predictions, in half the time.

    32 hidden numbers where 64 are published, so that five seeds on 512 CIFAR-10 nets take 10 minutes of a core and not 32.

    An edge's states are [net, out, into, hidden] a unit. A map of both ends of an edge is one of each, added by broadcast;
    and linear maps that follow one another are multiplied, since nothing stands between an edge's update and what reads it.
    """

    degree: Tensor

    def __init__(self, layout: Layout, *, hidden: int = 32, layers: int = 4) -> None:
        super().__init__()
        self.graph, self.maps = graph_of(layout), Maps((layout,), hidden=hidden, layers=layers)
        self.register_buffer("degree", self.graph.degree, persistent=False)

    def forward(self, tensors: dict[str, Float[Tensor, "net ..."]]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        nodes, edges, before = self._nodes(tensors), self._edges(tensors), self.maps.edge
        for layer in self.maps.layers:
            nodes = self._gathered(layer, nodes, edges, before)
            if layer.edge is not None:
                edges = self._updated(layer.edge, nodes, edges, before)
                before = layer.edge.out
        return self.maps.read_out(nodes[:, self.graph.spaces[CLASSES]])

    def _nodes(self, tensors: dict[str, Tensor]) -> Float[Tensor, "net node hidden"]:
        graph, maps = self.graph, self.maps
        number, written = graph.unit_of_written.to(self.degree.device), graph.written.to(self.degree.device)
        channels = maps.channels(graph.channels(tensors), number)
        nodes = channels.new_zeros(len(channels), graph.nodes, channels.shape[2]).index_add(1, written, channels)
        parts = self._by_space(nodes)
        parts[INPUT] = parts[INPUT] + maps.inputs.weight
        parts[CLASSES] = parts[CLASSES] + maps.classes.weight
        return torch.cat([*parts.values()], dim=1)

    def _edges(self, tensors: dict[str, Tensor]) -> list[Float[Tensor, "net out into hidden"]]:
        maps, found = self.maps, []
        for unit, kernel, own in zip(self.graph.units, self.graph.kernels(tensors), maps.of_unit.weight, strict=True):
            state = F.silu(F.linear(kernel, maps.kernels[str(unit.offsets)].weight, own))
            found.append(state.unflatten(1, unit.weight.shape[:2]))
        return found

    def _gathered(
        self, layer: Layer, nodes: Tensor, edges: list[Tensor], before: nn.Linear
    ) -> Float[Tensor, "net node hidden"]:
        """The next states of the nodes; `before` is the map that stands between the edges' states and what is given."""
        target, source = self._by_space(layer.of_target(nodes)), self._by_space(layer.of_source(nodes))
        weight, bias = _after(layer.film, before)
        (for_scale, for_shift), (scale_bias, shift_bias) = weight.chunk(2), bias.chunk(2)
        found: dict[str, list[tuple[Tensor, ...]]] = {}
        for unit, edge in zip(self.graph.units, edges, strict=True):
            scale, shift = F.linear(edge, for_scale, scale_bias), F.linear(edge, for_shift, shift_bias)
            found.setdefault(unit.writes, []).append(Messages.apply(scale, shift, target[unit.writes], source[unit.reads]))
        none = nodes.new_zeros(len(nodes), len(self.graph.nodes_of(INPUT)), 4 * nodes.shape[2])
        degrees = {space: [unit.weight.shape[1] for unit in self.graph.units if unit.writes == space] for space in found}
        gathered = [_together(found[space], degrees[space]) if space in found else none for space in self.graph.spaces]
        aggregates = torch.cat(gathered, dim=1)
        amplified = aggregates * self.maps.amplified(self.degree)
        return layer.norm(layer.gather(torch.cat([nodes, aggregates, amplified], dim=2)))

    def _updated(
        self, update: EdgeUpdate, nodes: Tensor, edges: list[Tensor], before: nn.Linear
    ) -> list[Float[Tensor, "net out into hidden"]]:
        """The next states of the edges, but for the update's last map."""
        target, source = self._by_space(update.of_target(nodes)), self._by_space(update.of_source(nodes))
        weight, bias = _after(update.of_edge, before)
        return [
            F.silu(F.linear(edge, weight, bias) + target[unit.writes].unsqueeze(2) + source[unit.reads].unsqueeze(1))
            for unit, edge in zip(self.graph.units, edges, strict=True)
        ]

    def _by_space(self, nodes: Tensor) -> dict[str, Float[Tensor, "net node hidden"]]:
        spaces = self.graph.spaces
        return dict(zip(spaces, nodes.split([part.stop - part.start for part in spaces.values()], dim=1), strict=True))


def _after(second: nn.Linear, first: nn.Linear) -> tuple[Float[Tensor, "out into"], Float[Tensor, " out"]]:
    """Weight and bias of both maps as one."""
    return second.weight @ first.weight, second.weight @ first.bias + second.bias


def _together(units: list[tuple[Tensor, ...]], degrees: list[int]) -> Float[Tensor, "net node _"]:
    """Mean, min, max and deviation over the messages of all units that write a space (Chan et al. 1983 for the latter)."""
    shares = [degree / sum(degrees) for degree in degrees]
    means, variances, least, greatest = zip(*units, strict=True)
    mean = torch.stack([share * part for share, part in zip(shares, means, strict=True)]).sum(dim=0)
    within = [
        share * (variance + (part - mean).square()) for share, part, variance in zip(shares, means, variances, strict=True)
    ]
    deviation = (torch.stack(within).sum(dim=0) + TINY).sqrt()
    return torch.cat([mean, torch.stack(least).amin(dim=0), torch.stack(greatest).amax(dim=0), deviation], dim=2)
