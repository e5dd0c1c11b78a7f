"""What metanets read of a split's nets; inputs that take long are kept beside the zoo."""

import contextlib
import functools
import inspect
import io
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metanets import Metanet
from metanets.inputs.batch import Batch
from metanets.inputs.canonical import canonical_nets
from metanets.inputs.table import Input, input_named
from metanets.mistakes import mistakes_named
from metanets.reading import nets_of
from zoo import Nets, Zoo
from zoo.dataset.nets import Inputs
from zoo.storage import files
from zoo.storage.files import hash_of
from zoo.symmetry import act, canonical, group_of
from zoo.untrusted.files import opened

CACHE = "cache"  # in the zoo's folder; no part of the zoo, and never published


def features(
    zoo: Zoo, metanet: Metanet, split: str, *, inputs: Inputs = "trained", hidden: str | None = None
) -> tuple[np.ndarray, Batch]:
    """The indices of a split's nets that did not diverge, and what this metanet reads of them.

    `hidden` is as in `nets_or_kept`. Raises as it does, and MistakeError as an input of a user's own does.
    """
    name = metanet.reads if isinstance(metanet.reads, str) else None
    index, found = nets_or_kept(zoo, name, split, whole=metanet.input.whole, inputs=inputs, hidden=hidden)
    if isinstance(found, Tensor):
        return index, found
    with mistakes_named():
        return index, metanet.features(found)


def nets_or_kept(
    zoo: Zoo, reads: str | None, split: str, *, whole: bool, inputs: Inputs = "trained", hidden: str | None = None
) -> tuple[np.ndarray, Nets | Tensor]:
    """The indices of a split's nets that did not diverge, and these nets; or the input `reads`, where it is kept.

    `hidden` is a hyper-parameter that the metanet must not see, because it is the target. Inputs of the suite's own that
    are `cached` are computed once a zoo, and kept under the hash of its manifest and of the code that computed them, so
    they are never stale. Raises ValueError where weights are not finite.
    """
    frame = zoo.columns[zoo.columns["split"] == split]
    index = frame.loc[~frame["diverged"], "index"].to_numpy()
    read = None if reads is None else input_named(reads)
    if read is None or not read.cached:
        return index, nets_of(zoo, split, whole=whole, inputs=inputs, hidden=hidden)
    return index, _kept(zoo, read, split, len(index), inputs=inputs, hidden=hidden)


def _kept(zoo: Zoo, read: Input, split: str, nets: int, *, inputs: Inputs, hidden: str | None) -> Tensor:
    """What a cached input reads of a split, kept, or computed and kept; of inputs side by side each on its own."""
    inputs = "all" if read.whole else inputs
    if read.parts and not read.mark.endswith("+sizes"):  # sizes stand once, behind all parts
        parts = [input_named(f"{part}{read.mark}") for part in read.parts]
        return torch.cat([_kept(zoo, part, split, nets, inputs=inputs, hidden=hidden) for part in parts], dim=1)
    path = _path(zoo, read, split, inputs)
    kept = _read(path, nets, zoo.folder)
    if kept is None:
        kept = read.of(nets_of(zoo, split, whole=read.whole, inputs=inputs, hidden=hidden))
        _keep(path, kept, zoo.folder)
    return kept


def _path(zoo: Zoo, read: Input, split: str, inputs: Inputs) -> Path:
    computed_by: list[Callable[..., object]] = [read.read, *read.code]
    computed_by += (canonical_nets, canonical, act, group_of) if read.mark else ()
    sources = [Path(inspect.getsourcefile(inspect.unwrap(one)) or "").read_bytes() for one in computed_by]
    code = hash_of(b"".join(sources))[:12]
    called = f"{'_'.join(read.parts) or read.read.__name__}{read.mark.replace('+', '_')}"
    name = f"{zoo.manifest_sha256[:16]}-{called}-{code}-{inputs}-{split}"
    return zoo.folder / CACHE / f"{name}-{hash_of(f'{_secret()} {name}'.encode())[:16]}.npy"


@functools.cache
def _secret() -> str:
    """What makes the names of features that this user kept: those that came along with a zoo of others are not read."""
    path, new = files.cache() / "secret", secrets.token_hex(16)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.publish(path, new.encode())
        return path.read_text()
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return new


def _read(path: Path, nets: int, folder: Path) -> Tensor | None:
    """The features kept there, if they are whole."""
    try:
        with opened(path, folder) as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.dtype == np.float32 and found.ndim == 2 and len(found) == nets and np.isfinite(found).all()
    return torch.from_numpy(found) if whole else None


def _keep(path: Path, found: Tensor, folder: Path) -> None:
    """Keeps features for the next time, where the zoo's folder can be written."""
    memory = io.BytesIO()
    np.save(memory, found.numpy(), allow_pickle=False)
    with contextlib.suppress(OSError):
        files.write(path, memory.getvalue(), below=folder)
