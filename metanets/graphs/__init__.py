"""Nets as graphs, and the metanet that passes messages on them; what needs torch-geometric is imported when asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metanets.graphs.neural_graph import NeuralGraph
    from metanets.graphs.zoo_graphs import ZooGraphs, graphs, graphs_of

__all__ = ["NeuralGraph", "ZooGraphs", "graphs", "graphs_of"]

_HOMES = {"NeuralGraph": "neural_graph", "ZooGraphs": "zoo_graphs", "graphs": "zoo_graphs", "graphs_of": "zoo_graphs"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'metanets.graphs' has no attribute {name!r}")
    return getattr(import_module(f"metanets.graphs.{_HOMES[name]}"), name)
