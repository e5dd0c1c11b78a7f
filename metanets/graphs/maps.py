"""The learned maps of NG-GNN (Kofinas et al. 2024, arXiv 2403.12143), which both of its forms share."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from metanets.graphs.graph import ROLES, Graph, graph_of
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, INPUT

SPREAD = 0.1  # of what tells units, inputs and classes apart at first: at 1 it hides how nets differ (measured)
AGGREGATES = 4  # mean, min, max and deviation
TINY = 1e-5  # under the root of the variance, as in torch-geometric: the gradient is finite where messages are equal


class Layer(nn.Module):
    """The maps of one layer: of the ends of an edge, of its state to scale and shift, and of what is gathered at a node."""

    def __init__(self, hidden: int, *, last: bool) -> None:
        super().__init__()
        self.of_target, self.of_source = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.film = nn.Linear(hidden, 2 * hidden)
        self.gather = nn.Linear((1 + 2 * AGGREGATES) * hidden, hidden)
        self.norm = nn.Identity() if last else nn.Sequential(nn.LayerNorm(hidden), nn.SiLU())
        self.edge = None if last else EdgeUpdate(hidden)


class EdgeUpdate(nn.Module):
    """The maps that make an edge's next state of its own and those of the nodes at its ends."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.of_edge = nn.Linear(hidden, hidden)
        self.of_source, self.of_target = (nn.Linear(hidden, hidden, bias=False) for _ in range(2))
        self.out = nn.Linear(hidden, hidden)


class Maps(nn.Module):
    """All maps, for nets of these layouts: one for each size of kernel, and what tells units, inputs and classes apart.

    Units are told apart by their number in the layout. Amplification is log(degree + 1) over its mean over the nodes of
    all these layouts (Corso et al. 2020, arXiv 2004.05718). Raises ValueError where layouts differ in their classes.
    """

    mean_log_degree: Tensor
    layers: Any  # a ModuleList of Layer
    kernels: Any  # a ModuleDict of Linear, by the size of a kernel

    def __init__(self, layouts: tuple[Layout, ...], *, hidden: int, layers: int) -> None:
        super().__init__()
        graphs = [graph_of(layout) for layout in layouts]
        classes = {len(graph.nodes_of(CLASSES)) for graph in graphs}
        if len(classes) != 1:
            raise ValueError(f"a metanet on graphs reads out one number of classes, found layouts with {sorted(classes)}")
        self.offsets = sorted({unit.offsets for graph in graphs for unit in graph.units})
        inputs = max(len(graph.nodes_of(INPUT)) for graph in graphs)
        self.kernels = nn.ModuleDict({str(size): nn.Linear(size, hidden, bias=False) for size in self.offsets})
        self.of_unit = nn.Embedding(max(len(graph.units) for graph in graphs), hidden)
        self.edge = nn.Linear(hidden, hidden)
        self.of_writer = nn.Embedding(self.of_unit.num_embeddings, hidden)
        self.vectors = nn.Embedding(self.of_unit.num_embeddings, len(ROLES) * hidden)
        self.inputs, self.classes = nn.Embedding(inputs, hidden), nn.Embedding(classes.pop(), hidden)
        for told_apart in (self.of_unit, self.of_writer, self.inputs, self.classes):
            nn.init.normal_(told_apart.weight, std=SPREAD)
        nn.init.normal_(self.vectors.weight, std=len(ROLES) ** -0.5)
        self.layers = nn.ModuleList([Layer(hidden, last=number == layers) for number in range(1, layers + 1)])
        self.read_out = nn.Sequential(
            *(nn.Flatten(), nn.Linear(self.classes.num_embeddings * hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Flatten(0)),
        )
        self.register_buffer("mean_log_degree", torch.tensor(_mean_log_degree(graphs)))

    def channels(self, numbers: Float[Tensor, "*net channel 3"], unit: Int[Tensor, " channel"]) -> Tensor:
        """Bias, scale and shift of channels through a map of the unit each, [*net, channel, hidden]."""
        of_unit = self.vectors(unit).unflatten(1, (len(ROLES), -1))
        return torch.einsum("...cr,crh->...ch", numbers, of_unit) + self.of_writer(unit)

    def amplified(self, degree: Tensor) -> Float[Tensor, "node 1"]:
        """How much a node of this degree is amplified."""
        return (torch.log(degree.float() + 1) / self.mean_log_degree).unsqueeze(-1)


def _mean_log_degree(graphs: list[Graph]) -> float:
    degrees = torch.cat([graph.degree for graph in graphs])
    return float(torch.log(degrees + 1.0).mean())
