"""Random numbers that depend on names only, never on order, workers, processes or machines."""

import hashlib

import torch


def stable_seed(*names: object) -> int:
    """A 63-bit seed from the names: SHA-256 of their text. Not `hash()`, which is salted anew in each process."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(*names: object) -> torch.Generator:
    """The random numbers of one purpose, on the CPU: `stream(net_seed, "order")`."""
    return torch.Generator().manual_seed(stable_seed(*names))


def net_seed(zoo_seed: int, index: int) -> int:
    """Net `index`'s own seed: the net is the same alone, in a unit of any size, or on another machine."""
    return stable_seed(zoo_seed, "net", index)
