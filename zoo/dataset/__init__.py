"""Reading a zoo: its columns, its weights with their layout, and what it says of itself."""

from zoo.dataset.nets import Inputs, Nets
from zoo.dataset.reader import Zoo
from zoo.dataset.zoo_json import Description

__all__ = ["Description", "Inputs", "Nets", "Zoo"]
