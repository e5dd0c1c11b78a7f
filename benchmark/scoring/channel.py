"""What is sent between the process that scores and the one that fits: questions with tensors one way, bytes the other."""

import io
import os
import pickle
import socket
import struct
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

INLINE = 2**16  # bytes of a tensor, from which on it goes through a file that both sides map
HEAD = struct.Struct("!QI")  # of a message: its bytes, and the files that come with it
ANSWER_BYTES = 2**30  # at most, of an answer: a number for each net and seed


class _Pickler(pickle.Pickler):
    """Puts large tensors into files without names, which both sides map."""

    def __init__(self, memory: io.BytesIO) -> None:
        super().__init__(memory)
        self.files = dict[int, IO[bytes]]()  # a tensor's identity -> its file
        self.kept = list[Tensor]()  # so that no other tensor gets the identity of one that is gone

    def persistent_id(self, found: Any) -> tuple[int, str, tuple[int, ...]] | None:
        if not isinstance(found, Tensor) or found.nbytes < INLINE:
            return None
        array = found.numpy()
        if id(found) not in self.files:
            self.kept.append(found)
            self.files[id(found)] = TemporaryFile()  # noqa: SIM115 (closed when the message is sent)
            array.tofile(self.files[id(found)])
            self.files[id(found)].flush()
        return [*self.files].index(id(found)), array.dtype.str, array.shape


class _Unpickler(pickle.Unpickler):
    """What the parent sent; each large tensor is mapped, so that pages are copied only where they are changed."""

    def __init__(self, memory: io.BytesIO, files: list[int]) -> None:
        super().__init__(memory)
        self.files = files

    def persistent_load(self, told: tuple[int, str, tuple[int, ...]]) -> Tensor:
        place, kind, shape = told
        with os.fdopen(os.dup(self.files[place]), "rb") as file:
            return torch.from_numpy(np.memmap(file, kind, "c", shape=shape))


def send(channel: socket.socket, message: object) -> None:
    """Sends a question, pickled: it goes from the process that scores to one that it started, never back."""
    memory = io.BytesIO()
    pickler = _Pickler(memory)
    try:
        pickler.dump(message)
        data = memory.getbuffer()
        socket.send_fds(
            channel, [HEAD.pack(len(data), len(pickler.files))], [file.fileno() for file in pickler.files.values()]
        )
        channel.sendall(data)
    finally:
        for file in pickler.files.values():
            file.close()


def receive(channel: socket.socket) -> Any:
    """The question that comes. Raises EOFError where the other side has hung up."""
    head, files, _, _ = socket.recv_fds(channel, HEAD.size, 100)
    head += _exactly(channel, HEAD.size - len(head)) if head else _exactly(channel, 1)
    length, _ = HEAD.unpack(head)
    try:
        return _Unpickler(io.BytesIO(_exactly(channel, length)), files).load()
    finally:
        for file in files:
            os.close(file)


def send_bytes(channel: socket.socket, data: bytes) -> None:
    """Sends an answer."""
    channel.sendall(HEAD.pack(len(data), 0) + data)


def receive_bytes(channel: socket.socket) -> bytes:
    """The answer that comes. Raises EOFError where the other side has hung up, ValueError where it has no end."""
    length, _ = HEAD.unpack(_exactly(channel, HEAD.size))
    if length > ANSWER_BYTES:
        raise ValueError(f"an answer of {length:,} bytes; at most {ANSWER_BYTES:,} are taken")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = channel.recv(min(length - len(found), 2**20))
        if not part:
            raise EOFError
        found += part
    return bytes(found)
