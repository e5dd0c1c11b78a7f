"""What changes weights but no function."""

from zoo.symmetry.action import permuted, rescaled
from zoo.symmetry.group import Spaces, check_known, free_spaces, free_spaces_of

__all__ = ["Spaces", "check_known", "free_spaces", "free_spaces_of", "permuted", "rescaled"]
