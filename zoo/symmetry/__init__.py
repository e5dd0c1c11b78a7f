"""What changes weights but no function."""

from zoo.symmetry.action import permuted, rescaled
from zoo.symmetry.group import Spaces, free_spaces

__all__ = ["Spaces", "free_spaces", "permuted", "rescaled"]
