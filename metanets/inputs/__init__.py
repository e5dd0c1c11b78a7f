"""What a metanet reads of nets: the table of inputs, and the batches that they return."""

from metanets.inputs.batch import Batch
from metanets.inputs.table import INPUTS, Input

__all__ = ["INPUTS", "Batch", "Input"]
