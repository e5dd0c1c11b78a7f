"""What a net is: its tensors, its architecture and family, what all nets of a zoo share."""

from zoo.nets.architectures import ARCHITECTURES, Architecture
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES, Family
from zoo.nets.layout import Entry, Layout

__all__ = ["ARCHITECTURES", "FAMILIES", "Architecture", "Blueprint", "Entry", "Family", "Layout"]
