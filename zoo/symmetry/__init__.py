"""What changes weights but nothing that they compute."""

from zoo.symmetry.align import align, align_by_activations
from zoo.symmetry.canonical import canonical, log_sizes
from zoo.symmetry.element import Element, act, at, compose, draw, inverse
from zoo.symmetry.group import KINDS, Group, check_known, group_of

__all__ = [
    "KINDS",
    "Element",
    "Group",
    "act",
    "align",
    "align_by_activations",
    "at",
    "canonical",
    "check_known",
    "compose",
    "draw",
    "group_of",
    "inverse",
    "log_sizes",
]
