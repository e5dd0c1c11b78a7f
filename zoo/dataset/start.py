"""The weights that a zoo's nets were trained from: made again from their seeds, or kept as a checkpoint."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.dataset.reader import Zoo
from zoo.spec.columns import SPLITS
from zoo.spec.imported import Imported


def check_start_known(zoo: Zoo) -> None:
    """Raises ValueError where nobody knows what its nets were trained from.

    So it is with moved copies, whose seeds' initial nets were not moved, and with imported zoos without a checkpoint of
    epoch 0, whose seeds are not this package's.
    """
    if zoo.moved is not None:
        raise ValueError(f"{zoo.folder}: its nets are moved copies, which were not trained; take their source")
    if not _seeded(zoo) and 0 not in zoo.spec.trajectory:
        raise ValueError(
            f"{zoo.folder}: the initial weights of its nets are not known: an imported zoo has no seeds of this package, "
            f"and this one comes without weights of epoch 0; take a zoo built here, or one imported with a trajectory from 0"
        )


def initial(zoo: Zoo, indices: list[int]) -> Float[Tensor, "net weight"]:
    """The weights that these nets were trained from, with fixed entries in place. Raises as `check_start_known`."""
    check_start_known(zoo)
    if _seeded(zoo):
        seeds = zoo.columns["seed"].to_numpy()[indices]
        return zoo.blueprint.effective(torch.stack([zoo.blueprint.initial(int(seed)) for seed in seeds]))
    at, found = zoo.spec.trajectory.index(0), dict[int, np.ndarray]()
    for split in SPLITS:
        own = zoo.columns.loc[zoo.columns["split"] == split, "index"].to_numpy()
        points = (row[at] for part in zoo.trajectories(split) for row in part)
        found |= {index: row for index, row in zip(own.tolist(), points, strict=True) if index in set(indices)}
    return torch.from_numpy(np.stack([found[index] for index in indices]).astype(np.float32))


def _seeded(zoo: Zoo) -> bool:
    return "seed" in zoo.columns and not isinstance(zoo.spec, Imported)
