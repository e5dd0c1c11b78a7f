"""What determines a zoo: its spec, the draws of each net, and what all its nets share."""

from zoo.spec.columns import HYPER_PARAMETERS, SPLITS, TARGETS
from zoo.spec.draws import draw, split_of
from zoo.spec.imported import Imported
from zoo.spec.resolve import blueprint, layout_of
from zoo.spec.spec import SPECS, Net, Recipe, Spec, load, parse, to_json

__all__ = [
    "HYPER_PARAMETERS",
    "SPECS",
    "SPLITS",
    "TARGETS",
    "Imported",
    "Net",
    "Recipe",
    "Spec",
    "blueprint",
    "draw",
    "layout_of",
    "load",
    "parse",
    "split_of",
    "to_json",
]
