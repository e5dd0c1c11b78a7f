"""torch-geometric, imported here alone, and its warnings kept here: whoever asks for graphs waits for it, nobody else."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it is compiled by torch.jit.script, which is deprecated
    from torch_geometric.data import Batch, Data, Dataset
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import scatter

__all__ = ["Batch", "Data", "Dataset", "MessagePassing", "scatter"]
