"""What analyses read: nets by index, a zoo's images; and what they keep, so that a stopped one goes on."""

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.dataset import zoo_json
from zoo.dataset.reader import Zoo
from zoo.spec.imported import Imported
from zoo.storage import files
from zoo.tasks import images
from zoo.tasks.image_tasks import TASKS
from zoo.tasks.images import Images, ImageSet
from zoo.untrusted.files import read_bytes

Progress = Callable[[int, int], None]  # gets how much is done, and of how much
KEPT_BYTES = 10**8  # of one part that is kept, at most


def unseen(done: int, of: int) -> None:
    """Shows no progress."""


def images_of(zoo: Zoo, *, folder: Path | str | None = None, download: bool = False) -> ImageSet:
    """The images of a zoo's task. Raises ValueError where they are not those that its nets were trained on.

    Of an imported zoo the whole task's images are taken, normalised as this package does.
    """
    if isinstance(zoo.spec, Imported):
        if zoo.spec.image_task not in TASKS:
            raise ValueError(f"{zoo.folder}: the images of an imported zoo on {zoo.spec.image_task!r} are not known")
        return images.load(Images(task=zoo.spec.image_task, held_out=0), path=folder, download=download)
    found = images.load(zoo.spec.images, path=folder, download=download)
    if found.digest() != zoo_json.read(zoo.folder).images_sha256:
        raise ValueError(f"{zoo.folder}: these are not the images that its nets were trained on; see --images")
    return found


def weights_of(zoo: Zoo, indices: Sequence[int]) -> Float[Tensor, "net weight"]:
    """Whole vectors of these nets, float32, in this order; each is read once."""
    vectors = {index: torch.cat([tensor.flatten() for tensor in zoo.net(index).values()]) for index in set(indices)}
    return torch.stack([vectors[index] for index in indices])


def kept(key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """What `compute` gives, or what it gave before under this key, which names all that it depends on.

    It is kept in the user's own cache folder, where no zoo of others reaches, and which may be deleted.
    """
    name = f"{files.hash_of(key.encode())[:32]}.npy"
    with suppress(OSError, RuntimeError, ValueError):  # not there, a user without a home, a file that was cut off
        return np.load(io.BytesIO(read_bytes(_place() / name, KEPT_BYTES)), allow_pickle=False)
    found, memory = compute(), io.BytesIO()
    np.save(memory, found, allow_pickle=False)
    with suppress(OSError, RuntimeError):
        _place().mkdir(parents=True, exist_ok=True)
        files.write(_place() / name, memory.getvalue(), durable=False)
    return found


def _place() -> Path:
    return files.cache() / "landscape"
