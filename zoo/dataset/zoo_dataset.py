"""A split of a zoo as one of PyTorch's data sets, whose weights are read when they are asked for."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.dataset.nets import Inputs
from zoo.dataset.reader import Zoo


class ZooDataset(Dataset[tuple[Tensor, Tensor]]):
    """(weights [weight], target []) of each net of a split, both float32, for PyTorch's `DataLoader`.

    Nets are those of `Zoo.xy`, in its order, and `index` has their numbers in the zoo. A net's weights are read from the
    zoo's shards when it is asked for. For graphs, which torch-geometric batches, there is `metanets.graphs.ZooGraphs`.
    Raises ValueError where the zoo has no such split or target.
    """

    def __init__(self, zoo: Zoo, split: str = "train", target: str = "test_accuracy", *, inputs: Inputs = "trained") -> None:
        zoo.check_target(target)
        self.arrays, trained = zoo.arrays(split), zoo.blueprint.trained
        frame = zoo.columns[zoo.columns["split"] == split]
        kept = ~frame["diverged"].to_numpy() & np.isfinite(frame[target].to_numpy(np.float64))
        self.index, self.targets = frame["index"].to_numpy()[kept], frame[target].to_numpy(np.float32)[kept]
        self._rows, self._starts = np.flatnonzero(kept), np.cumsum([0, *map(len, self.arrays)])
        self._entries = None if inputs == "all" or bool(trained.all()) else np.flatnonzero(trained.numpy())

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """A net's weights and its target. Raises IndexError where there is none of that number."""
        row = self._rows[number]
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        weights = self.arrays[shard][row - self._starts[shard]].astype(np.float32)
        seen = weights if self._entries is None else weights[self._entries]
        return torch.from_numpy(seen), torch.tensor(self.targets[number])
